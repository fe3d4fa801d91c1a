"""The whole shop on one machine: starts and supervises it, shows it at work, measures it."""
