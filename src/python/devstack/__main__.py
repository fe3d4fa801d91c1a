"""The shop as a command: `up`, `demo`, `bench`, `dead-letters`, `fuzz`."""

from __future__ import annotations

import sys
from importlib import import_module

_COMMANDS = {
    "up": "devstack.up",
    "demo": "devstack.demo",
    "bench": "devstack.bench",
    "dead-letters": "devstack.dead_letters",
    "fuzz": "devstack.fuzz",
}


def main() -> int:
    """Run the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    module = _COMMANDS.get(name)
    if module is None:
        sys.stderr.write(f"{name or 'nothing'} is no command here: use {', '.join(_COMMANDS)}.\n")
        return 64
    # Each brings libraries that the others do without.
    status: int = import_module(module).main(sys.argv[2:])
    return status


if __name__ == "__main__":
    sys.exit(main())
