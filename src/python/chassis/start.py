"""Runs a service's program as an image does: `python -m chassis.start services.order.app serve`.

A tenth of the time until a service is ready, the collector would look for garbage among what is being
imported, where there is none. It is off until the program begins (`Program.main`).
"""

from __future__ import annotations

import gc
import runpy
import sys

if __name__ == "__main__":
    gc.disable()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
