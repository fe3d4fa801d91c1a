"""What a scaling policy does on a hard day, before anyone pays for it."""
