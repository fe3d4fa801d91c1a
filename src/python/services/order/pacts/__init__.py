"""What this service relies on of the others, one module for each; and the states in which they find it."""
