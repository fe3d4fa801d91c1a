"""Makes services: writes the files of a new one, and says what its author has to decide."""
