"""Scaling files: those that are there, of what they are, and what is refused."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from contracts.services import SERVICES
from infra.scaling import policy
from infra.scaling.policy import PolicyError, Saturation, load

_FOLDER = Path(policy.__file__).parent
_PROFILES = Path("loadtests/profiles")
WHOLE = """\
service = "order"
orders_per_s_and_task = 12

[provenance]
kind = "by hand"
source = "a sentence"

[task]
cpu = 512
memory_mib = 1024

[bounds]
minimum = 3
desired = 3
maximum = 20

[[target_tracking]]
metric = "cpu"
target_percent = 60
scale_in_cooldown_s = 300
scale_out_cooldown_s = 30

[queue]
cooldown_s = 120
steps = [{ from_messages = 0, add_tasks = 0 }, { from_messages = 10, add_tasks = 2 }]

[[scheduled]]
name = "sale"
cron = "cron(0 8 * * ? *)"
minimum = 6
maximum = 30
"""


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write order.toml, whole but for `changes`: what is replaced, and by what."""
    text = WHOLE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "order.toml").write_text(text, "utf-8")
    return folder


def refused(folder: Path, service: str = "order") -> str:
    """What is said against the file."""
    with pytest.raises(PolicyError) as caught:
        load(service, folder)
    return str(caught.value)


# --- the files


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_file_that_loads(service: str) -> None:
    """And says where its numbers come from."""
    made = load(service)
    assert service == made.service
    assert made.provenance.source


def test_there_is_no_file_of_a_service_that_is_not_there() -> None:
    """Somebody would change it, and wonder."""
    assert set(SERVICES) == {path.stem for path in _FOLDER.glob("*.toml")}


@pytest.mark.parametrize("service", SERVICES)
def test_what_was_measured_is_of_the_profile_that_there_is(service: str) -> None:
    """A file that is older than its profile fails here: ./pants load derive writes it anew."""
    provenance = load(service).provenance
    if provenance.kind == "measured":
        profile = (_PROFILES / f"{service}.toml").read_bytes()
        assert f"sha256:{hashlib.sha256(profile).hexdigest()}" == provenance.profile


def test_a_file_may_have_other_bounds_from_a_time_on(tmp_path: Path) -> None:
    """In the time zone of the customers, else in UTC."""
    (sale,) = load("order", write(tmp_path)).scheduled
    assert ("sale", "cron(0 8 * * ? *)", "UTC", 6, 30) == (
        sale.name,
        sale.cron,
        sale.timezone,
        sale.minimum,
        sale.maximum,
    )


# --- refusals


def test_a_service_without_a_file_is_refused(tmp_path: Path) -> None:
    """It would be deployed with somebody's defaults."""
    assert "basket.toml: there is no such scaling file; every service has one." == refused(tmp_path, "basket")


def test_a_file_of_another_service_is_refused(tmp_path: Path) -> None:
    """It was copied, and not read."""
    write(tmp_path, ('service = "order"', 'service = "user"'))
    assert "order.toml is of user." == refused(tmp_path)


def test_what_is_no_toml_is_refused_with_its_place(tmp_path: Path) -> None:
    """The line is said."""
    write(tmp_path, ("[task]", "[task"))
    assert re.fullmatch(r"order\.toml is no TOML: .*\(at line 8, column 6\)\.", refused(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("cpu = 512", "cpu = 500"),
            "task: Fargate has no task of 500 CPU units and 1024 MiB",
        ),
        (
            ("memory_mib = 1024", "memory_mib = 512"),
            "task: Fargate has no task of 512 CPU units and 512 MiB",
        ),
        (("desired = 3", "desired = 2"), "bounds: minimum <= desired <= maximum is not so"),
        (("desired = 3", "desired = 21"), "bounds: minimum <= desired <= maximum is not so"),
        (
            ("minimum = 3", "minimum = 0"),
            "bounds.minimum: Input should be greater than or equal to 1",
        ),
        (
            ('metric = "cpu"', 'metric = "requests"'),
            "target_tracking.0.metric: Input should be 'cpu' or 'memory'",
        ),
        (
            ("target_percent = 60", "target_percent = 101"),
            "target_tracking.0.target_percent: Input should be less than or equal to 100",
        ),
        (
            ("target_percent = 60", "target_percent = 0"),
            "target_tracking.0.target_percent: Input should be greater than 0",
        ),
        (
            ("scale_in_cooldown_s = 300", "scale_in_cooldown_s = -1"),
            "target_tracking.0.scale_in_cooldown_s: Input should be greater than or equal to 0",
        ),
        (
            ("from_messages = 0,", "from_messages = 1,"),
            "queue: steps begin at 0 messages and rise",
        ),
        (
            ("from_messages = 10,", "from_messages = 0,"),
            "queue: steps begin at 0 messages and rise",
        ),
        (
            ("from_messages = 0, add_tasks = 0", "from_messages = 0, add_tasks = 3"),
            "queue: more messages must not add fewer tasks",
        ),
        (
            (", { from_messages = 10, add_tasks = 2 }]", "]"),
            "queue.steps: Tuple should have at least 2 items after validation, not 1",
        ),
        (
            ('name = "sale"', 'name = "Sale!"'),
            "scheduled.0.name: String should match pattern '^[a-z0-9-]+$'",
        ),
        (
            ('cron = "cron(0 8 * * ? *)"', 'cron = "0 8 * * *"'),
            "scheduled.0.cron: String should match pattern '^cron\\(.+\\)$'",
        ),
        (
            ('kind = "by hand"', 'kind = "guessed"'),
            "provenance.kind: Input should be 'by hand' or 'measured'",
        ),
        (
            ('source = "a sentence"', 'source = ""'),
            "provenance.source: String should have at least 1 character",
        ),
        (
            ('kind = "by hand"', 'kind = "measured"'),
            "provenance: what was measured, and nothing else, names its profile",
        ),
        (
            ('source = "a sentence"', f'source = "a sentence"\nprofile = "sha256:{"0" * 64}"'),
            "provenance: what was measured, and nothing else, names its profile",
        ),
        (
            ("target_percent = 60", "target_percent = 60\nperiod_s = 30"),
            "target_tracking.0.period_s: Input should be 20 or 60",
        ),
        (
            ("orders_per_s_and_task = 12", "orders_per_s_and_task = 0"),
            "orders_per_s_and_task: Input should be greater than 0",
        ),
        (
            ("orders_per_s_and_task = 12\n", ""),
            "orders_per_s_and_task: Field required",
        ),
        (
            ("[task]", "[task]\ngpu = 1"),
            "task.gpu: Extra inputs are not permitted",
        ),
    ],
)
def test_what_cannot_be_deployed_is_refused_by_its_place(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    """Before AWS refuses it, which is after half of a deployment."""
    write(tmp_path, change)
    assert f"order.toml: {message}." == refused(tmp_path)


def test_a_metric_is_tracked_once(tmp_path: Path) -> None:
    """Two targets for it would pull in two directions."""
    again = '[[target_tracking]]\nmetric = "cpu"\ntarget_percent = 70\n'
    again += "scale_in_cooldown_s = 1\nscale_out_cooldown_s = 1\n\n[queue]"
    write(tmp_path, ("[queue]", again))
    assert "order.toml: policy: a metric is tracked twice." == refused(tmp_path)


def without(part: str) -> tuple[str, str]:
    """The change that leaves out a part of the file, up to the next blank line."""
    start = WHOLE.index(part)
    return WHOLE[start : WHOLE.index("\n\n", start)], ""


def test_what_has_bounds_scales(tmp_path: Path) -> None:
    """From 3 to 20, but by nothing: somebody forgot."""
    write(tmp_path, without("[[target_tracking]]"), without("[queue]"))
    assert ("order.toml: policy: nothing makes it scale: neither target_tracking nor queue.") == refused(
        tmp_path
    )


def test_a_service_of_fixed_size_needs_no_reason_to_scale(tmp_path: Path) -> None:
    """That many, always."""
    write(tmp_path, without("[[target_tracking]]"), without("[queue]"), ("maximum = 20", "maximum = 3"))
    assert (3, 3) == (load("order", tmp_path).bounds.minimum, load("order", tmp_path).bounds.maximum)


def test_what_only_adds_needs_something_that_takes_away(tmp_path: Path) -> None:
    """Without a target the tasks of one busy hour would stay."""
    write(tmp_path, without("[[target_tracking]]"))
    assert (
        "order.toml: policy: queue and saturation only add: without target_tracking nothing takes away."
    ) == refused(tmp_path)


def test_a_file_may_say_what_is_done_where_the_cpu_is_used_up(tmp_path: Path) -> None:
    """By metrics of a minute, unless it says more."""
    saturation = "[saturation]\nfrom_percent = 85\nadd_percent = 100\ncooldown_s = 97\n\n[queue]"
    found = load("order", write(tmp_path, ("[queue]", saturation))).saturation
    assert Saturation(from_percent=85, add_percent=100, cooldown_s=97, period_s=60) == found


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Whoever mends one is not told of the next."""
    write(tmp_path, ("cpu = 512", "cpu = 500"), ("desired = 3", "desired = 2"))
    assert (
        "order.toml: task: Fargate has no task of 500 CPU units and 1024 MiB; "
        "bounds: minimum <= desired <= maximum is not so."
    ) == refused(tmp_path)
