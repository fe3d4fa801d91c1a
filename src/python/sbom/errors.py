"""Why a command ends without what was asked of it; each has an exit status of its own."""

from __future__ import annotations


class SbomError(Exception):
    """Something cannot be described; the message says what, where, and what to do."""

    status = 2


class NotChecked(SbomError):
    """No source of advisories answered: nothing is known of vulnerabilities, neither good nor bad."""

    status = 3
