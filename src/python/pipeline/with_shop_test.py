"""The program that the nightly run has a shop from, with one that is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "build-support/with-shop"
OPENS = """\
#!/bin/sh
trap 'echo closed >>events; exit 0' TERM
echo "opened by $*" >>events
echo 'Mercato is open'
while :; do sleep 0.05; done
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout that has as much as the program needs."""
    (tmp_path / "build-support").mkdir()
    shutil.copy(PROGRAM, tmp_path / "build-support")
    return tmp_path


def run(root: Path, pants: str, *command: str) -> subprocess.CompletedProcess[str]:
    launcher = root / "pants"
    launcher.write_text(pants)
    launcher.chmod(0o755)
    environment = os.environ | {"WITH_SHOP_OPENS_WITHIN_S": "20"}
    argv = ["build-support/with-shop", *command]
    return subprocess.run(
        argv, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=40
    )


def test_a_command_has_an_open_shop_and_its_status_is_kept(root: Path) -> None:
    """The shop is closed after it, whatever came of it."""
    done = run(root, OPENS, "sh", "-c", "cat events; exit 7")
    assert (7, "opened by up\n") == (done.returncode, done.stdout)
    assert ["opened by up", "closed"] == (root / "events").read_text().splitlines()


def test_a_shop_that_does_not_open_has_its_words_shown(root: Path) -> None:
    """And the command is not run."""
    done = run(root, "#!/bin/sh\necho 'no port is free'; exit 1\n", "touch", "called")
    assert 1 == done.returncode
    assert "no port is free\nwith-shop: the shop did not open" in done.stderr
    assert not (root / "called").exists()
