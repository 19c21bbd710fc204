"""What is measured on each runtime, how often, and what is left out and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from engine_peers import environment
from engine_peers.case import Case
from engine_peers.plan import KB, MB, Cell, Peer

PINS = ("distributed==2026.8.0", "langgraph==1.2.22", "langgraph-checkpoint-sqlite==3.1.2")
SECTIONS = ("overhead", "batches", "kills", "workers", "scale")
LIMIT = 64
BATCHES = (1, 10, 100)


def _ours(label: str, *, is_installed: bool = True) -> Peer:
    return Peer(label, "ours", is_installed, package="runtime_peers")


PEERS = {
    "native": _ours("**native**", is_installed=False),
    "native-journal": _ours("**native**, journal", is_installed=False),
    "langgraph": _ours("**LangGraph runtime**"),
    "langgraph-journal": _ours("**LangGraph runtime**, journal"),
    "langgraph-journal-saver": _ours("**LangGraph runtime**, journal, AsyncSqliteSaver"),
    "plain": Peer("plain LangGraph", "langgraph_peer"),
    "plain-saver": Peer("plain LangGraph, AsyncSqliteSaver", "langgraph_peer"),
    "cluster": _ours("**cluster** of two workers"),
    "cluster-journal": _ours("**cluster** of two workers, journal"),
    "dask": Peer("Dask alone, two workers", "dask_peer", package="runtime_peers"),
}
BRANCHING = tuple(name for name in PEERS if name != "dask")
RESUMED = ("native-journal", "langgraph-journal", "langgraph-journal-saver", "plain-saver", "cluster")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: all of it, or as little as shows that everything works.

    Args:
        branches: of the overhead.
        most: branches where only the fast are measured in every round.
        size: of the state that is no small one.
        killed: branches of a run that is killed half-way, each of which takes `each_s`.
        tries: how often each is killed.
        spins: CPU-bound branches.
        simulated: branches of a simulated run.
        fleet: simulated workers.
        seeds: with which each simulation is run.
        saturating: branches for each worker where fleets grow, or the coordinator is to be the bottleneck.
        lasting_s: how long these take.
    """

    branches: tuple[int, ...] = (100, 1_000)
    most: int = 10_000
    size: int = 1 * MB
    killed: int = 400
    each_s: float = 0.02
    tries: int = 5
    spins: int = 200
    simulated: int = 100_000
    fleet: int = 1_000
    seeds: int = 3
    saturating: int = 10
    lasting_s: tuple[float, ...] = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001)


FULL = Scale()
QUICK = Scale(
    branches=(100,), most=200, size=100 * KB, killed=60, each_s=0.01, tries=1, spins=8, simulated=2_000, fleet=100,
    seeds=1, saturating=5, lasting_s=(1.0, 0.001),
)  # fmt: skip


def cells(scale: Scale, sections: tuple[str, ...], *, with_peers: bool) -> list[Cell]:
    """What runs in rounds: all cells of these sections, skipped ones included."""
    makers = {"overhead": _overhead, "batches": _batches, "workers": _workers}
    found = [cell for name in sections if name in makers for cell in makers[name](scale)]
    return [cell for cell in found if with_peers or not PEERS[cell.peer].is_installed]


def _overhead(scale: Scale) -> Iterator[Cell]:
    for size in (1 * KB, scale.size):
        for n in scale.branches:
            for peer in BRANCHING:
                is_slow = size >= MB and n >= 1_000
                rounds = 1 if is_slow and peer == "plain-saver" else 3 if is_slow else None
                yield Cell(peer, overhead(n, size), rounds=rounds)
    for peer in ("native", "native-journal", "langgraph", "plain"):
        yield Cell(peer, overhead(scale.most), rounds=None if peer.startswith("native") else 1)


def overhead(n: int, size: int = 1 * KB) -> Case:
    """Branches that yield once; journal and saver as they survive a killed process."""
    return Case("overhead", "yield", n, LIMIT, size, "NORMAL")


def few_at_once(n: int) -> Case:
    """As many branches at once as there are workers: each is a message of its own."""
    return Case("batches", "yield", n, 2)


def _batches(scale: Scale) -> Iterator[Cell]:
    for size in BATCHES:
        yield Cell("dask", Case("batches", "yield", scale.branches[-1], None, variant=str(size)))
    yield Cell("cluster", few_at_once(scale.branches[-1]))


def _workers(scale: Scale) -> Iterator[Cell]:
    yield Cell("native", spinning(scale.spins, 0), rounds=3)
    for workers in (1, 2):
        yield Cell("cluster", spinning(scale.spins, workers), rounds=3)


def spinning(n: int, workers: int) -> Case:
    """Branches that only compute, on so many workers; 0 = in this process."""
    return Case("workers", "spin", n, None, variant=str(workers) if workers else "")


def python() -> Path:
    """An interpreter with what PINS says: this one, or one of an environment of its own.

    Raises:
        UnavailableError: the packages can't be installed.
    """
    here = Path(sys.executable)
    return here if all(_is_here(*pin.split("==")) for pin in PINS) else environment.python("runtimes", PINS)


def _is_here(name: str, version: str) -> bool:
    try:
        return metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return False
