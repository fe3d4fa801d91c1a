"""What is said of a run: a page that needs nothing else, the same as data, and a few lines at the end."""

from __future__ import annotations

import datetime as dt
import html
import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests import objectives
from loadtests.errors import LoadError
from loadtests.generator import verdict as verdicts
from loadtests.generator.plan import Plan
from loadtests.generator.record import FAILED, OK, ORDER, REFUSED, Histogram, Record, quantile_ms
from loadtests.generator.verdict import LAG_BOUND_MS, Row, Verdict

RESULT, PAGE = "result.json", "report.html"

_PERCENTILES = {50: "#7fb3d5", 95: "#2471a3", 99: "#1a3c5a"}
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
h1 span { padding: .1em .5em; border-radius: .2em; color: #fff }
.passed { background: #1e8449 } .failed { background: #b03a2e } .invalid { background: #9a7d0a }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; white-space: nowrap; padding: .25rem .5rem; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
tr.missed td { background: #fadbd8 } tr.unasked td { color: #888 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem } dd { margin: 0 }
figure { margin: 1.5rem 0 } svg { width: 100%; height: auto }
"""


def conclude(plan: Plan, record: Record, troubles: tuple[str, ...], began: float = 0.0) -> int:
    """Judge a run, write what it was, and say it; returns the exit status: 0 only for one that passed.

    `began` is when it did, by the clock of the machine's start; who measures beside a run needs it.
    """
    folder = Path(plan.output)
    if plan.ceiling is None or not plan.judged:
        raw = {"record": record.drain(), "troubles": troubles, "began": began}
        _write(folder / RESULT, json.dumps(raw))
        return 0
    try:
        promised = objectives.load(Path(plan.objectives))
    except LoadError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    verdict = verdicts.judge(record, promised, troubles)
    unmeasured = verdicts.without_objective(record, promised)
    _write(folder / PAGE, page(plan, record, verdict, unmeasured))
    _write(folder / RESULT, json.dumps(result(plan, record, verdict), indent=1))
    sys.stdout.write("\n".join([*_lines(verdict), f"report: {folder / PAGE}", ""]))
    return 0 if verdict.passed else 1


def result(plan: Plan, record: Record, verdict: Verdict) -> dict[str, Any]:
    """The run as data. What was not measured is null."""
    rows = [
        {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in each.items()
        }
        for each in map(asdict, verdict.rows)
    ]
    return {
        "verdict": verdict.word,
        "invalid": verdict.invalid,
        "rows": rows,
        "measured": _measured(plan, record),
        "reasons": {text: count for (text,), count in record.reasons.items()},
        "plan": {**asdict(plan), "rates": None},
    }


def page(plan: Plan, record: Record, verdict: Verdict, unmeasured: Iterable[str] = ()) -> str:
    """The whole page. What comes from a shop or an environment is text in it and nothing else."""
    word = verdict.word
    return f"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Load: {word}</title><style>{_STYLE}</style>
<h1>Load on {_text(plan.host)}: <span class="{word}">{word}</span></h1>
{_list("Why it says nothing of the shop", verdict.invalid)}
<dl>{"".join(f"<dt>{_text(name)}<dd>{_text(value)}" for name, value in _facts(plan, record).items())}</dl>
<h2>Objectives</h2>
<table><tr><th>what<th>asked<th>failed<th>refused<th>available<th>at least<th>median<th>percentile<th>measured
<th>at most<th>slower<th>kept</tr>{"".join(map(_row, verdict.rows))}</table>
<p>A time counts from when a request was due until it was answered; that of an order, until it was
confirmed. Times are up to 1% too high. A single slow request is no miss.
{_named("Without an objective: ", unmeasured)}</p>
{_list("What did not go well", [f"{count} times {text}" for (text,), count in record.reasons.most_common()])}
<h2>Over time</h2>
{_figure(plan, record)}
</html>
"""


def _facts(plan: Plan, record: Record) -> Mapping[str, str]:
    measured = _measured(plan, record)
    ceiling = plan.ceiling or {}
    return {
        "shape": f"{plan.shape}, {plan.seconds} s, {plan.spread} arrivals, seed {plan.seed}",
        "offered": f"{measured['visits']} visits, {measured['requests']} requests, "
        f"{measured['orders']} orders ({measured['orders_confirmed']} confirmed)",
        "requests an order": ", ".join(f"{name} {each:g}" for name, each in measured["per_order"].items()),
        "at its peak": f"{max(plan.rates, default=0):.1f} visits/s, as planned; "
        f"{measured['peak_requests_per_s']:.0f} requests/s, as measured",
        "the generator's limit": f"{ceiling.get('visits_per_s', 0):.0f} visits/s and "
        f"{ceiling.get('requests_per_s', 0):.0f} requests/s on one core, "
        f"measured {ceiling.get('at', 'never')}; this run had {plan.cores}",
        "the generator's lag": f"{measured['lag_p99_ms']:.1f} ms at the 99th percentile; "
        f"{LAG_BOUND_MS:g} ms are allowed",
        "generator": plan.machine,
        "commit": plan.commit,
        "ended": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }


def _measured(plan: Plan, record: Record) -> dict[str, Any]:
    asked: dict[int, int] = {}
    per_service: dict[str, int] = {}
    for (interval, name, _), count in record.ended.items():
        if name != ORDER:
            asked[interval] = asked.get(interval, 0) + count
            service = name.split("/")[2].removesuffix("s")
            per_service[service] = per_service.get(service, 0) + count
    orders = record.count(ORDER)
    lag = quantile_ms(record.lags(), 99)
    return {
        "visits": sum(record.offered.values()),
        "requests": record.count(),
        "orders": orders,
        "orders_confirmed": record.count(ORDER, OK),
        "requests_failed": record.count(None, FAILED),
        "requests_refused": record.count(None, REFUSED),
        "peak_requests_per_s": max(asked.values(), default=0) / plan.interval_s,
        "lag_p99_ms": 0.0 if math.isnan(lag) else lag,
        "per_order": {
            name: round(count / orders, 2) for name, count in sorted(per_service.items()) if orders
        },
    }


def _lines(verdict: Verdict) -> Iterable[str]:
    for row in verdict.rows:
        if row.kept is False:
            yield (
                f"✗ {row.name}: {row.percentile:g}% within {row.measured_ms:.0f} ms "
                f"({row.bound_ms:g} allowed), {row.available:.2f}% available ({row.availability:g} promised)"
            )
    kept, missed = ([row for row in verdict.rows if row.kept is each] for each in (True, False))
    untried = len(verdict.rows) - len(kept) - len(missed)
    yield f"{len(kept)} objectives kept, {len(missed)} missed, {untried} not tried"
    yield from (f"invalid: {reason}" for reason in verdict.invalid)
    yield verdict.word


def _row(row: Row) -> str:
    cells = [
        row.name,
        str(row.asked),
        str(row.failed),
        str(row.refused),
        _number(row.available, "%", 2),
        f"{row.availability:g}%",
        _number(row.median_ms, " ms"),
        f"{row.percentile:g}%",
        _number(row.measured_ms, " ms"),
        f"{row.bound_ms:g} ms",
        str(row.slow),
        {True: "yes", False: "no", None: "not tried"}[row.kept],
    ]
    look = {True: "kept", False: "missed", None: "unasked"}[row.kept]
    return f'<tr class="{look}">' + "".join(f"<td>{_text(cell)}" for cell in cells) + "</tr>\n"


def _number(value: float, unit: str, digits: int = 1) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}{unit}"


def _list(title: str, items: Sequence[str]) -> str:
    lines = "".join(f"<li>{_text(item)}" for item in items)
    return f"<h2>{title}</h2><ul>{lines}</ul>" if items else ""


def _named(before: str, names: Iterable[str]) -> str:
    found = ", ".join(map(_text, names))
    return f"{before}{found}." if found else ""


def _text(value: str) -> str:
    return html.escape(value)


def _figure(plan: Plan, record: Record) -> str:
    # The text stays text: smaller, and it can be searched.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "load", "font.size": 9}):
        figure = Figure(figsize=(10, 9), layout="constrained")
        visits, requests, routes, orders = figure.subplots(4, 1, sharex=True)
        _plot_visits(visits, plan, record)
        _plot_requests(requests, plan, record)
        _plot_times(routes, plan, record.by_interval(lambda name: name != ORDER), "requests, ms")
        _plot_times(orders, plan, record.by_interval(lambda name: name == ORDER), "order to confirmed, ms")
        orders.set_xlabel("seconds after the start, when it was due")
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return f"<figure>{drawn.getvalue()[drawn.getvalue().index('<svg') :]}</figure>"


def _plot_visits(axes: Axes, plan: Plan, record: Record) -> None:
    axes.step(range(plan.seconds), plan.rates, where="post", color="#bbb", label="planned")
    came = dict.fromkeys(range(math.ceil(plan.seconds / plan.interval_s)), 0)
    came |= {interval: count for (interval,), count in record.offered.items()}
    _plot_rate(axes, plan, came, "came")
    axes.set_ylabel("visits/s")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right")


def _plot_requests(axes: Axes, plan: Plan, record: Record) -> None:
    def counted(wanted: Callable[[str], bool]) -> dict[int, int]:
        found = dict.fromkeys(range(math.ceil(plan.seconds / plan.interval_s)), 0)
        for (interval, name, outcome), count in record.ended.items():
            if name != ORDER and wanted(outcome):
                found[interval] = found.get(interval, 0) + count
        return found

    _plot_rate(axes, plan, counted(lambda _: True), "offered", "#bbb")
    _plot_rate(axes, plan, counted(lambda outcome: outcome == OK), "answered")
    _plot_rate(axes, plan, counted(lambda outcome: outcome != OK), "failed or refused", "#b03a2e")
    axes.set_ylabel("requests/s")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right")


def _plot_rate(axes: Axes, plan: Plan, counts: Mapping[int, int], label: str, color: str = "#2471a3") -> None:
    intervals = sorted(counts)
    axes.plot(
        [(each + 0.5) * plan.interval_s for each in intervals],
        [counts[each] / plan.interval_s for each in intervals],
        color=color,
        label=label,
    )


def _plot_times(axes: Axes, plan: Plan, times: Mapping[int, Histogram], label: str) -> None:
    intervals = sorted(times)
    for percent, color in _PERCENTILES.items():
        axes.plot(
            [(each + 0.5) * plan.interval_s for each in intervals],
            [quantile_ms(times[each], percent) for each in intervals],
            color=color,
            label=f"{percent}%",
        )
    if intervals:
        axes.set_yscale("log")
        axes.legend(loc="upper right")
    axes.set_ylabel(label)


def _write(path: Path, text: str) -> None:
    scratch = path.with_suffix(".tmp")
    scratch.write_text(text, "utf-8")
    scratch.replace(path)
