"""The command line as a whole."""

from __future__ import annotations

import argparse
from types import ModuleType

import pytest

from loadtests import __main__ as program
from loadtests.errors import LoadError


def test_what_a_command_refuses_is_one_sentence_and_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to read a traceback to know what to do."""
    monkeypatch.setattr(program, "COMMANDS", (_Refusing("refusing"),))

    assert 2 == program.main(["refuse"])

    assert ("", "profiles/order.toml is missing.\n") == capsys.readouterr()


class _Refusing(ModuleType):
    """A command that cannot go on."""

    def add_to(self, commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        commands.add_parser("refuse").set_defaults(run=self._run)

    def _run(self, _: argparse.Namespace) -> int:
        raise LoadError("profiles/order.toml is missing.")
