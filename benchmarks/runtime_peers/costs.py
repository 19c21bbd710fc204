"""What a branch costs the coordinator beyond the engine itself, measured in this run."""

from __future__ import annotations

from engine_peers.case import Case
from engine_peers.results import Results
from runtime_peers.plan import BATCHES, overhead

N = 1_000


def placements(results: Results) -> dict[str, float]:
    """CPU µs a placement by kind of coordinator, for those that were measured; the engine's own CPU is simulated.

    A branch in a batch costs the engine what it always costs, and its share of the batch's message.
    """
    native = _cpu_us(results, "native")
    found = {"the engine": 0.0}
    for name, peer in (("with its journal", "native-journal"), ("on a Dask cluster", "cluster")):
        measured = _cpu_us(results, peer)
        if native is not None and measured is not None:
            found[name] = measured - native
    for size in BATCHES[1:]:
        case = batched(results, size)
        measured = results.cpu_us("dask", case) if case else None
        if measured is not None:
            found[f"on Dask, {size} branches a message"] = measured
    return found


def batched(results: Results, size: int) -> Case | None:
    """The measured case with so many branches to a message; None where there is none."""
    return next((case for case in results.cases("batches") if case.variant == str(size)), None)


def _cpu_us(results: Results, peer: str) -> float | None:
    found = [results.cpu_us(peer, overhead(n)) for n in (N, 100)]
    return next((cpu_us for cpu_us in found if cpu_us is not None), None)
