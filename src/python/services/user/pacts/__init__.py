"""The states in which the others find this service, which relies on none of them."""
