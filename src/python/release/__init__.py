"""What was released, what has changed since, and what its next version is."""
