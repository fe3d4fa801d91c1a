"""The pacts: what each consumer wrote down of each provider, as documents of the registry."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import permutations

from chassis.pacts import Contract
from contracts.services import SERVICES
from gate.registry import Documents, Kind


def _written() -> Iterator[Contract]:
    """The contract in each `services/CONSUMER/pacts/PROVIDER.py` that there is."""
    for consumer, provider in permutations(sorted(SERVICES), 2):
        name = f"services.{consumer}.pacts.{provider}"
        if find_spec(name) is not None:
            yield import_module(name).CONTRACT


CONTRACTS = tuple(_written())
"""What every consumer relies on."""


def documents() -> Documents:
    """Every pact, by the names of its consumer and its provider."""
    return {f"{each.consumer}-{each.provider}": each.document() for each in CONTRACTS}


# A consumer may rely on more or on less from one day to the next: whether the providers keep it is verified.
KIND = Kind("pacts", documents, breaches=None)
