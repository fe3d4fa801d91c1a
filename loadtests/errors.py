"""What is said where a command cannot go on: one sentence that names what is wrong, where, and what to do."""

from __future__ import annotations


class LoadError(Exception):
    """A file, an argument or a host that a command of load tests cannot use."""
