"""What of the deployment was released: the templates of prod, as a reviewer reads them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from infra import example, template

ENVIRONMENT = "prod"
FOLDER = Path("src/python/infra/released")

# In the place of what only who deploys can say; the versions of services are not infrastructure.
CONTEXT: Mapping[str, str] = example.context(ENVIRONMENT)


def release(made: Path, folder: Path) -> int:
    """Put the templates of `made` in the place of those in `folder`; returns how many there are."""
    templates = template.read(made)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for stack, each in templates.items():
        text = json.dumps(each.body, indent=1, sort_keys=True)
        (folder / f"{stack}{template.SUFFIX}").write_text(text + "\n", "utf-8")
    return len(templates)
