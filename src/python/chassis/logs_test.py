from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PREPARE = """
from chassis import logs, telemetry
telemetry.configure("order", "1.2.3", "test", None)
logs.configure("order", "1.2.3", "{level}")
log = logs.get("here")
"""


def lines(code: str, *, level: str = "INFO") -> list[dict[str, Any]]:
    """What a process that runs `code` logs: in a process of its own, since logging is the process's."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARE.replace("{level}", level) + code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_line_is_json_and_says_who_speaks() -> None:
    """Event, fields, level, time, logger, service and version."""
    (line,) = lines("log.info('order confirmed', order_id='1')")
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "order confirmed",
        "order_id": "1",
        "level": "info",
        "logger": "here",
        "service": "order",
        "version": "1.2.3",
    }


def test_libraries_log_in_the_same_shape() -> None:
    """One format for all that a process says."""
    (line,) = lines("import logging; logging.getLogger('library').warning('%s of %s', 1, 2)")
    assert ("1 of 2", "warning", "library", "order") == tuple(
        line[key] for key in ("event", "level", "logger", "service")
    )


def test_what_is_below_the_level_is_not_logged() -> None:
    """Neither ours nor a library's."""
    code = "import logging; logging.getLogger('library').info('no'); log.info('no'); log.error('yes')"
    assert ["yes"] == [line["event"] for line in lines(code, level="WARNING")]


def test_chatty_libraries_speak_up_only_when_something_is_wrong() -> None:
    """Even where everything else is at DEBUG."""
    code = """
import logging
for name in ("botocore", "httpx", "asyncio", "uvicorn.error"):
    logging.getLogger(name).info("no")
    logging.getLogger(name).warning("yes")
"""
    assert ["yes"] * 4 == [line["event"] for line in lines(code, level="DEBUG")]


def test_a_line_inside_a_trace_has_its_ids() -> None:
    """So that a log leads to its trace, and back."""
    inside, outside = lines("""
with telemetry.tracer.start_as_current_span("span"):
    log.info("inside", expected=telemetry.trace_id())
log.info("outside")
""")
    assert inside["trace_id"] == inside["expected"]
    assert len(inside["span_id"]) == 16
    assert "trace_id" not in outside


def test_what_is_bound_to_the_context_is_in_every_line() -> None:
    """The consumer binds the event's id."""
    (line,) = lines("""
import structlog
with structlog.contextvars.bound_contextvars(event_id="1"):
    log.info("x")
""")
    assert line["event_id"] == "1"


def test_an_error_brings_its_traceback_on_the_same_line() -> None:
    """A log of many lines is a log of many events to whoever reads it."""
    (line,) = lines("""
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("failed", exc_info=error)
""")
    assert line["exception"].splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_no_error_no_traceback() -> None:
    """`exc_info=None` adds nothing."""
    (line,) = lines("log.warning('x', exc_info=None)")
    assert not {"exception", "exc_info"} & set(line)


def test_anything_can_be_logged() -> None:
    """A line that cannot be written would be the one that is needed."""
    (line,) = lines(
        "import uuid; log.info('x', a='\\ud800', b=10**40, c=uuid.UUID(int=1), d={1: {2}}, e=b'x', f='\\x00')"
    )
    assert line["b"] == 10**40
    assert line["c"] == "00000000-0000-0000-0000-000000000001"


def test_a_secret_of_the_settings_is_not_logged() -> None:
    """Not even by whoever logs the settings whole."""
    (line,) = lines("""
from pydantic import SecretStr
log.info("x", key=SecretStr("hunter2"), nested={"key": SecretStr("hunter2")})
""")
    assert "hunter2" not in json.dumps(line)
