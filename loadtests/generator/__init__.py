"""`./pants load run`, `smoke` and `ceiling`: customers offered to the shop in an open loop, by Locust."""
