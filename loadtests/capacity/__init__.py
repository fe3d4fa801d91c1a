"""The capacity probe: what one task of a service carries."""
