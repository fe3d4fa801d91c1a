"""The backing services of the shop, each a real program run as a process on this machine."""
