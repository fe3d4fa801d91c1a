"""The pages of `docs/deployment`: text from `text/`, and what it is filled with from the templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from infra import capacity, cost, deployment, picture, template
from infra.cost import Case
from infra.deployment import Deployment
from infra.environment import NAMES
from infra.prices import assumptions, price_list
from infra.scaling import policy

FOLDER = Path("docs/deployment")
COMMAND = "./pants infra-docs"
RATES = (100, 1000)

_TEXT = Path(__file__).parent / "text"
_MADE = f"Written by {COMMAND} from the templates. A change by hand is lost, and fails a test."
_LARGEST = 5


def pages(folder: Path) -> dict[str, str]:
    """Each page's text by its name, from the templates of all environments in `folder`."""
    found = {name: deployment.read(name, template.read(folder / name)) for name in NAMES}
    return {"architecture.md": _architecture(found["prod"]), "cost.md": _cost(found)}


def stale(made: Mapping[str, str], docs: Path) -> list[str]:
    """The names of those pages that do not stand in `docs` as they would be written now."""
    return [
        name
        for name, text in made.items()
        if not (docs / name).exists() or (docs / name).read_text("utf-8") != text
    ]


def _fill(name: str, **values: object) -> str:
    return (_TEXT / name).read_text("utf-8").format(made=_MADE, **values)


def _architecture(prod: Deployment) -> str:
    return _fill(
        "architecture.md",
        requests=picture.requests(prod),
        events=picture.events(prod),
        watching=picture.watching(prod),
        stacks=picture.stacks(prod),
    )


def _cost(found: Mapping[str, Deployment]) -> str:
    prod, prices = found["prod"], price_list()
    cases = {f"{name}, at rest": cost.case(found[name]) for name in NAMES}
    loaded = [cost.case(prod, rate) for rate in RATES]
    cases |= {f"prod, {case.orders_per_s:,} orders/s": case for case in loaded}
    carried, carried_by = capacity.carried_by_tasks(prod)
    return _fill(
        "cost.md",
        currency=prices.currency,
        region=prices.region,
        taken=f"{prices.taken:%d %B %Y}",
        orders=", ".join(f"{case.orders / 1e6:,.0f} million at {case.orders_per_s:,}/s" for case in loaded),
        table=_lines(_table(cases)),
        registries=_usd(sum(cost.costs(cost.account(prod)).values())),
        largest=_lines(_largest(cases)),
        carried=f"{carried:g}",
        carried_by=carried_by,
        tasks=_lines(_tasks(prod)),
        limits="\n\n".join(_limits(case) for case in loaded),
        event_count=len(cost.EVENTS),
        events=", ".join(event.type for event in cost.EVENTS),
        message_count=cost.MESSAGES,
        assumptions=_lines(_assumptions()),
        work=_lines(_work()),
        experiment=f"{prices.of('experiment.minute').first_usd:.2f}",
        free=len(prices.free),
        kept=f"{max(cost.kept(service) for service in prod.services()):.0%}",
        unverified=sum(not price.verified for price in prices.price),
        prices=_lines(_prices()),
    )


# --- what it costs


def _table(cases: Mapping[str, Case]) -> Iterator[str]:
    rows = [cost.costs(case) for case in cases.values()]
    totals = [sum(row.values()) for row in rows]
    yield from _head("", *cases)
    yield _row("**suffices for that?**", *(_suffices(case) for case in cases.values()))
    for group in cost.GROUPS:
        names = sorted({name for row in rows for each, name in row if each == group})
        sums = [sum(row.get((group, name), 0) for name in names) for row in rows]
        yield _row(f"**{group}**", *(_bold(_usd(value)) for value in sums))
        for name in names:
            values = [row.get((group, name), 0) for row in rows]
            if any(values):
                yield _row(f"&nbsp;&nbsp;{name}", *map(_usd, values))
    yield _row("**all of it**", *(_bold(_usd(total)) for total in totals))
    yield _row("for 1,000 orders", *map(_for_a_thousand, cases.values(), totals))
    yield _row("tasks that are missing", *(_usd(cost.missing_tasks(case)) for case in cases.values()))


def _suffices(case: Case) -> str:
    if not case.orders:
        return ""
    carried, _ = capacity.carried_by_tasks(case.deployment)
    if carried < case.orders_per_s:
        return f"**no**: tasks for {carried:g}"
    return "**no**" if any(_problems(case)) else "yes"


def _for_a_thousand(case: Case, total: float) -> str:
    return f"{1000 * total / case.orders:.2f}" if case.orders else ""


def _largest(cases: Mapping[str, Case]) -> Iterator[str]:
    yield from _head("", "of all of it", numbers=False)
    for name, case in cases.items():
        found = cost.costs(case)
        total = sum(found.values())
        first = sorted(found, key=lambda key: -found[key])[:_LARGEST]
        yield _row(name, "; ".join(f"{key[1]} {found[key] / total:.0%}" for key in first))


# --- what does not suffice


def _tasks(prod: Deployment) -> Iterator[str]:
    yield from _head(
        "service",
        "a task carries",
        "that takes of its vCPU",
        *(f"tasks for {rate:,}/s" for rate in RATES),
        "it may have",
        "these carry",
    )
    for service in prod.services():
        scaling = policy.load(service.name)
        took = scaling.orders_per_s_and_task * assumptions().of(service.name).task_ms / 1000
        needed = [capacity.tasks_at(service, rate) for rate in RATES]
        yield _row(
            service.name,
            f"{scaling.orders_per_s_and_task:g}/s, {scaling.provenance.kind}",
            f"{took / (int(service.task['Cpu']) / 1024):.0%}",
            *(f"{tasks.needed}" if tasks.suffice else _bold(f"{tasks.needed}") for tasks in needed),
            f"{service.bounds[1]}",
            f"{needed[0].carries_per_s:g}/s",
        )


def _limits(case: Case) -> str:
    problems = list(_problems(case)) or ["Databases and gateway suffice."]
    return "\n".join([f"At {case.orders_per_s:,} orders/s:", "", *(f"- {problem}" for problem in problems)])


def _problems(case: Case) -> Iterator[str]:
    for found in capacity.databases_at(case.deployment, case.orders_per_s, case.assumed, case.prices):
        problems = list(found.problems)
        if problems:
            yield f"The database of **{found.service}** ({found.size}) {'; '.join(problems)}."
    of_customers = case.orders_per_s * case.assumed["requests"]
    per_s = of_customers + case.orders_per_s * case.assumed["webhooks"]
    for problem in capacity.gateway_problems(case.deployment, per_s, of_customers):
        yield f"The **gateway** {problem}."


# --- what it rests on


def _assumptions() -> Iterator[str]:
    yield from ("| so much | of what | why |", "| ---: | --- | --- |")
    for each in assumptions().assumption:
        yield _row(_number(each.value), each.says, each.because)


def _work() -> Iterator[str]:
    yield from _head(
        "service", "ms of CPU in its tasks", "ms of CPU in its database", "bytes in its database"
    )
    for work in assumptions().work:
        yield _row(work.service, f"{work.task_ms:g}", f"{work.database_ms:g}", f"{work.bytes:,.0f}")


def _prices() -> Iterator[str]:
    yield from ("| USD | for | AWS says so | what was read |", "| ---: | --- | --- | --- |")
    for price in price_list().price:
        amount = _number(price.first_usd) + (", then less" if price.tiers else "")
        shown = amount if price.verified else _bold(amount)
        yield _row(shown, price.unit, f"[page]({price.page})", price.seen)


# --- how it is written


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _head(first: str, *columns: str, numbers: bool = True) -> Iterator[str]:
    yield _row(first, *columns)
    yield "| --- |" + (" ---: |" if numbers else " --- |") * len(columns)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _bold(text: str) -> str:
    return f"**{text}**" if text else ""


def _usd(amount: float) -> str:
    """In whole dollars; nothing for nothing, and no 0 for what is less than one."""
    if amount == 0:
        return ""
    return f"{amount:,.0f}" if amount >= 1 else "< 1"


def _number(value: float) -> str:
    """As people write it: 9531392 with commas, and 0.00000024 without an e."""
    return f"{value:,.10f}".rstrip("0").rstrip(".")
