"""Keeps what others print off the terminal, so that what is printed there is what was found."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

_STDOUT, _STDERR = 1, 2


@contextmanager
def quiet() -> Iterator[None]:
    """What anybody in this process prints meanwhile is shown only if it ends in an exception: by stderr.

    Pact reports from Rust, past what Python takes for its output, and the server that it asks for states logs
    each request; neither can be told not to.
    """
    with tempfile.TemporaryFile() as kept:
        try:
            with _descriptors_led_to(kept.fileno()), _python_led_to(kept.fileno()):
                yield
        except Exception:
            kept.seek(0)
            sys.stderr.write(kept.read().decode(errors="replace"))
            raise


@contextmanager
def _descriptors_led_to(descriptor: int) -> Iterator[None]:
    sys.stdout.flush()
    sys.stderr.flush()
    before = {each: os.dup(each) for each in (_STDOUT, _STDERR)}
    try:
        for each in before:
            os.dup2(descriptor, each)
        yield
    finally:
        for each, copy in before.items():
            os.dup2(copy, each)
            os.close(copy)


@contextmanager
def _python_led_to(descriptor: int) -> Iterator[None]:
    with (
        open(descriptor, "a", closefd=False, encoding="utf-8") as text,
        redirect_stdout(text),
        redirect_stderr(text),
    ):
        yield
