"""What the gates say of the code that this is imported with; `gate.mutants` changes the code first."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gate import asyncapi, events, openapi
from gate.provider import PactError, problems_of, verify
from gate.registry import Document, Kind, Registry, load
from gate.verification import PROVIDERS

Verdict = dict[str, list[str]]
"""What each gate has against the code; nothing where it lets it pass."""


async def judge(registry: Path, databases: Mapping[str, str]) -> Verdict:
    """What each gate says of this code, given what was released and the pacts that are published.

    Pacts are verified of the providers in `databases`, which has the URL of an empty database for each.
    """
    return {
        "schema": _refusals(registry, events.KIND),
        "topology": _refusals(registry, asyncapi.KIND),
        "routes": _refusals(registry, openapi.KIND),
        "pact": [each for name, url in databases.items() for each in await _broken(registry, name, url)],
    }


def _refusals(registry: Path, kind: Kind) -> list[str]:
    return [str(each) for each in Registry(registry, kind).refusals(kind.current())]


async def _broken(registry: Path, name: str, database_url: str) -> list[str]:
    found = []
    async with PROVIDERS[name](database_url) as provider:
        for pact in _pacts_with(registry, name):
            try:
                found += problems_of(await verify(name, provider, pact))
            except PactError as error:
                found.append(str(error))
    return found


def _pacts_with(registry: Path, provider: str) -> Iterator[Document]:
    for path in sorted((registry / "pacts").glob(f"*-{provider}.json")):
        yield load(path)


def main(argv: Sequence[str]) -> None:
    """`python -m gate.judge REGISTRY FILE PROVIDER=DATABASE_URL …`: writes the verdict to the file, as JSON.

    Not to where it prints: Pact and the services say much there.
    """
    registry, file, *given = argv
    verdict = asyncio.run(judge(Path(registry), dict(each.split("=", 1) for each in given)))
    Path(file).write_text(json.dumps(verdict), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
