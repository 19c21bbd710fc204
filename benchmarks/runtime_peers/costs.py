"""What a branch costs the coordinator, by kind of coordinator: what is simulated, and what was measured in this run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine_peers.case import Case
from engine_peers.results import Results
from runtime_peers.plan import BATCHES, few_at_once, overhead

N = 1_000
SIMULATED = "simulated"
TWO_WORKERS = Case("placement", "two workers", N, 2)


@dataclass(frozen=True, slots=True)
class Coordinator:
    """A coordinator to be simulated.

    Args:
        name: how tables call it.
        kind: see `Scenario.coordinator`; its CPU is real in the simulation.
        placement_us: CPU µs a branch that were measured elsewhere, and pass on the clock of the simulation.
    """

    name: str
    kind: str
    placement_us: float = 0.0


def coordinators(results: Results) -> Iterator[Coordinator]:
    """Those of which the measured part is known.

    The connections of a cluster are what a branch costs on a real one, one branch to a message, less what the same
    code takes where nothing is sent. A branch in a batch costs the engine what it always does, and its share of the
    batch's message.
    """
    yield Coordinator("the engine", "engine")
    journal = _difference(_first(results, "native-journal", overhead), _first(results, "native", overhead))
    if journal is not None:
        yield Coordinator("the engine, with its journal", "engine", journal)
    placing = results.cpu_us(SIMULATED, TWO_WORKERS)
    if placing is not None:
        yield Coordinator("the cluster's placement, sending nothing", "cluster")
    connections = _difference(_first(results, "cluster", few_at_once), placing)
    if connections is not None:
        yield Coordinator("the cluster, one branch a message", "cluster", connections)
    for size in BATCHES:
        case = next((case for case in results.cases("batches") if case.variant == str(size)), None)
        measured = results.cpu_us("dask", case) if case else None
        if measured is not None:
            message = "one branch" if size == 1 else f"{size} branches"
            yield Coordinator(f"Dask's own tasks, {message} a message", "engine", measured)


def _first(results: Results, peer: str, case: Callable[[int], Case]) -> float | None:
    """CPU µs at the number of branches that the figures are about, or at the one that was measured instead."""
    found = (results.cpu_us(peer, case(n)) for n in (N, 100))
    return next((cpu_us for cpu_us in found if cpu_us is not None), None)


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else max(0.0, left - right)
