from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main

# As much of Pants as is asked for: it notes each call, answers `peek`, and fails at what FAILS says.
PANTS = """\
#!/bin/sh
echo "$PANTS_CONFIG_FILES$PANTS_PANTSD $*" >>calls
case " $* " in
  *" peek "*) cat targets.json ;;
  *" infra-diff "*) cat difference.md ;;
  *) echo "pants $1" ;;
esac
case " $* " in *" ${FAILS:-none} "*) echo "no $FAILS" >&2; exit 3 ;; esac
"""
TARGETS: list[dict[str, Any]] = [
    {"address": "src/python/services/order/domain.py", "target_type": "python_source"},
    {"address": "src/python/services/order/domain_test.py:tests", "target_type": "python_test"},
    {"address": "src/python/gate/order_provider_test.py:tests", "target_type": "python_test"},
    {
        "address": "src/python/devstack/saga_integration_test.py:tests",
        "target_type": "python_test",
        "tags": ["whole"],
    },
]
INFRA = {"address": "src/python/infra/app.py:lib", "target_type": "python_source"}
_QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


class Checkout:
    """A checkout whose Pants is not the real one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")
        self.write("pants", PANTS).chmod(0o755)
        self.write(".gitignore", "calls\ntargets.json\ndifference.md\ndist/\n")
        self.git("add", "--all")
        self.git("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "feat: all")
        self.base = self.git("rev-parse", "HEAD")
        self.concerns(TARGETS)
        self.write("difference.md", "# What deploying would change\n")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), *arguments]
        done = subprocess.run(command, env=os.environ | _QUIET, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.write_text(text)
        return file

    def concerns(self, targets: Sequence[dict[str, Any]]) -> None:
        """What Pants says that the change concerns."""
        self.write("targets.json", json.dumps(targets))

    def calls(self) -> list[str]:
        """What Pants was asked for, after what the change concerns."""
        lines = [line.partition(" ")[2] for line in (self.root / "calls").read_text().splitlines()]
        return [line.replace(self.base, "BASE") for line in lines if " peek" not in line]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """One in which something has been edited since main."""
    for name in ("CI", "GITHUB_STEP_SUMMARY", "GITHUB_BASE_REF", "FAILS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MERCATO_ROOT", str(tmp_path))
    made = Checkout(tmp_path)
    made.write("edited", "x\n")
    return made


def run(*arguments: str) -> int:
    return main([*arguments, "--base", "main"])


def test_the_stages_run_in_their_order(checkout: Checkout, capfd: pytest.CaptureFixture[str]) -> None:
    """Only for what has changed; what needs a whole shop is left out, and that is said."""
    checkout.concerns([*TARGETS, INFRA])
    assert 0 == run()
    assert [
        "--changed-since=BASE lint",
        "--changed-since=BASE --changed-dependents=transitive check",
        "test src/python/services/order/domain_test.py:tests",
        "test src/python/gate/order_provider_test.py:tests",
        "synth",
        "infra-diff --form markdown",
    ] == checkout.calls()
    said = capfd.readouterr().out
    assert f"base: {checkout.base[:12]}, where this left main; 1 file changed\n" in said
    rows = [line.split()[:2] for line in said.splitlines()[-7:]]
    assert [
        ["lint", "passed"],
        ["check", "passed"],
        ["test", "passed"],
        ["contracts", "passed"],
        ["deployment", "passed"],
        ["whole", "left"],
        ["all", "passed"],
    ] == rows
    assert "1 test file: ./pants ci whole" in said


def test_a_stage_is_skipped_where_nothing_of_it_has_changed(
    checkout: Checkout, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the graph: no templates are made for an edit of a service."""
    checkout.concerns(TARGETS[:1])
    assert 0 == run()
    assert ["--changed-since=BASE lint", "--changed-since=BASE --changed-dependents=transitive check"] == (
        checkout.calls()
    )
    skipped = [line.split()[0] for line in capfd.readouterr().out.splitlines() if " skipped " in line]
    assert ["test", "contracts", "deployment"] == skipped


def test_a_failure_stops_no_other_stage(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One run says all that is wrong; its status says that something is."""
    monkeypatch.setenv("FAILS", "check")
    assert 1 == run()
    assert 4 == len(checkout.calls())
    rows = {line.split()[0]: line.split()[1] for line in capfd.readouterr().out.splitlines()[-7:]}
    assert ("failed", "passed", "failed") == (rows["check"], rows["contracts"], rows["all"])


def test_stages_can_be_named(checkout: Checkout) -> None:
    """The one that is usually left out, too."""
    assert 0 == run("whole", "lint")
    assert [
        "--changed-since=BASE lint",
        "test src/python/devstack/saga_integration_test.py:tests",
    ] == checkout.calls()


def test_a_stage_that_there_is_not_is_refused(checkout: Checkout, capfd: pytest.CaptureFixture[str]) -> None:
    """With the names of those that there are, as misuse."""
    with pytest.raises(SystemExit) as ended:
        run("deploy")
    assert 2 == ended.value.code
    assert "there is no stage 'deploy'; there are lint, check, test," in capfd.readouterr().err


def test_what_everything_is_made_with_has_everything_run(
    checkout: Checkout, capfd: pytest.CaptureFixture[str]
) -> None:
    """The graph does not have it."""
    checkout.write("pants.toml", "x\n")
    assert 0 == run("lint", "check")
    assert [":: lint", ":: check"] == checkout.calls()
    assert "2 files changed, one of them of everything" in capfd.readouterr().out


def test_pants_is_not_asked_where_nothing_has_changed(
    checkout: Checkout, capfd: pytest.CaptureFixture[str]
) -> None:
    """All is skipped, and that is no failure."""
    (checkout.root / "edited").unlink()
    assert 0 == run()
    assert not (checkout.root / "calls").exists()
    assert "0 files changed" in capfd.readouterr().out


def test_what_pants_says_against_the_graph_is_passed_on(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An import that is not allowed, say: nothing can be chosen then."""
    monkeypatch.setenv("FAILS", "peek")
    assert 2 == run()
    assert "./pants does not tell what the change concerns:\nno peek\n" == capfd.readouterr().err


def test_pants_does_not_look_for_modules_in_the_checkout(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher has this program found by PYTHONPATH, which is not for Pants."""
    monkeypatch.setenv("PYTHONPATH", "src/python")
    checkout.write("pants", '#!/bin/sh\n[ -z "$PYTHONPATH" ]\n')
    assert 0 == run("lint")


def test_a_missing_base_ends_it_with_one_sentence(
    checkout: Checkout, capfd: pytest.CaptureFixture[str]
) -> None:
    """That says what to do; a status of its own."""
    assert 2 == main([])
    said = capfd.readouterr().err
    assert 1 == said.count("\n")
    assert "git fetch origin main" in said


def test_github_is_given_the_table_and_the_difference(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file each, too: the difference becomes a comment. One of an earlier run is not shown again."""
    summary = checkout.root / "dist-summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    checkout.concerns([*TARGETS, INFRA])
    assert 0 == run("deployment")
    difference = checkout.root / "dist/ci/infra-diff.md"
    assert "# What deploying would change\n" == difference.read_text()
    written = summary.read_text()
    assert written.startswith("before\n| stage |")
    assert written.endswith("\n# What deploying would change\n")
    checkout.concerns(TARGETS)
    assert 0 == run("deployment")
    assert not difference.exists()


def test_a_difference_is_no_longer_than_a_comment_may_be(checkout: Checkout) -> None:
    """GitHub would refuse it: it ends with a whole line, and says that there is more."""
    checkout.concerns([INFRA])
    checkout.write("difference.md", "- a line of it\n" * 5000)
    assert 0 == run("deployment")
    lines = (checkout.root / "dist/ci/infra-diff.md").read_text().splitlines()
    assert {"- a line of it"} == set(lines[:-2])
    assert ["", "… and more: ./pants infra-diff says all of it."] == lines[-2:]
    assert len("\n".join(lines)) < 65_536


def test_on_a_runner_pants_is_set_as_for_the_judge_and_keeps_its_daemon(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is called more than once."""
    monkeypatch.setenv("CI", "true")
    assert 0 == run("lint")
    first = (checkout.root / "calls").read_text().split(" ")[0]
    assert "+['pants.ci.toml']true" == first
