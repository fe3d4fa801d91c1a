from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gate.quiet import quiet


def say(*words: str) -> None:
    """Print words as a library in C does, as Python does, and as another process does."""
    for word in words:
        os.write(1, f"{word} by itself\n".encode())
        sys.stderr.write(f"{word} by Python\n")
        subprocess.run([sys.executable, "-c", f"print('{word} by another')"], check=True)


@quiet()
def fail() -> None:
    """Print and raise."""
    say("meanwhile")
    raise ZeroDivisionError


def test_what_others_print_is_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    """However they print it; what is printed before and after is."""
    sys.stdout.write("before\n")
    with quiet():
        say("meanwhile")
    sys.stdout.write("after\n")
    assert ("before\nafter\n", "") == capfd.readouterr()


def test_what_others_printed_is_seen_where_it_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """It may say why."""
    with pytest.raises(ZeroDivisionError):
        fail()
    out, err = capfd.readouterr()
    assert ("", 3) == (out, err.count("meanwhile by "))
