from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from chassis import start

PROGRAM = """
import gc, sys

if __name__ == "__main__":
    print(gc.isenabled(), sys.argv[1:])
    sys.exit(3)
"""


def test_a_program_is_imported_without_the_collector_and_has_its_arguments_and_status(tmp_path: Path) -> None:
    """As if Python had been given it, but for the collector, which the program lets go."""
    (tmp_path / "shop.py").write_text(PROGRAM)
    path = str(Path(start.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", start.__name__, "shop", "serve", "--port=1"],
        env={"PYTHONPATH": f"{path}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (3, "False ['serve', '--port=1']\n") == (done.returncode, done.stdout), done.stderr
