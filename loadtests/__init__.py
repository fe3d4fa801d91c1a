"""Load offered to the shop, what a task was measured to carry, and how many tasks there should be."""
