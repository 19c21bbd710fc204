"""What is measured: every case of every section, on which peer, how often, and what is left out and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine_peers.case import Case

KB, MB = 1_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is measured.

    Args:
        label: how tables call it.
        module: what runs it, a module of the package.
        is_installed: it needs the environment of peers.
        package: a folder of benchmarks.
    """

    label: str
    module: str
    is_installed: bool = True
    package: str = "engine_peers"


PEERS = {
    "fanfold": Peer("**Fanfold**", "ours", is_installed=False),
    "fanfold-nodes": Peer("**Fanfold**, `ParallelExecutor`", "ours_nodes", is_installed=False),
    "fanfold-uvloop": Peer("Fanfold on uvloop", "ours"),
    "gather": Peer("bare `gather`", "plain", is_installed=False),
    "semaphore": Peer("`gather` + `Semaphore`", "plain", is_installed=False),
    "semaphore-uvloop": Peer("`gather` + `Semaphore` on uvloop", "plain"),
    "h4": Peer("H4 as designed", "h4", is_installed=False),
    "aiometer": Peer("aiometer", "aiometer_peer"),
    "dspy": Peer("dspy.Parallel", "dspy_peer"),
    "pydantic-graph": Peer("pydantic-graph", "pydantic_graph_peer"),
    "langgraph": Peer("LangGraph", "langgraph_peer"),
    "langgraph-copy": Peer("LangGraph, deep copy", "langgraph_peer"),
    "langgraph-saver": Peer("LangGraph, AsyncSqliteSaver", "langgraph_peer"),
    "llama-index": Peer("llama-index-workflows", "llama_index_peer"),
    "deepcopy": Peer("`copy.deepcopy`", "plain", is_installed=False),
    "pickle": Peer("pickled once, `pickle.loads`", "plain", is_installed=False),
    "model-copy": Peer("`model_copy(deep=True)`", "plain", is_installed=False),
}
ORDER = Case("order", "shuffled", 50, 8)
SPEEDUP = Case("nodes", "100 ms", 4, 4, variant="speedup")
ACCEPTANCE = Case("nodes", "counted", 1, 4, variant="acceptance")
FAST = ("fanfold", "gather", "semaphore", "h4", "aiometer", "fanfold-uvloop", "semaphore-uvloop")
SLOW = ("dspy", "pydantic-graph", "langgraph", "langgraph-copy", "langgraph-saver", "llama-index")
GRID = (*FAST, *SLOW)
WORK = ("trivial", "yield", "10 ms")
SECTIONS = ("grid", "items", "state", "errors", "nested", "order", "journal", "memory", "nodes", "imports")


@dataclass(frozen=True, slots=True)
class Cell:
    """One case on one peer.

    Args:
        rounds: in how many rounds it runs; None = in all.
        why_not: why it is left out; empty = it isn't.
    """

    peer: str
    case: Case
    rounds: int | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: all of it, or as little as shows that everything works."""

    branches: tuple[int, ...] = (10, 100, 1_000, 10_000)
    many: int = 1_000
    most: int = 10_000
    sizes: tuple[int, ...] = (1 * KB, 10 * KB, 100 * KB, 1 * MB, 10 * MB)
    at_least_s: float = 0.05
    imports: int = 20


FULL = Scale()
QUICK = Scale(branches=(10, 100), many=100, most=200, sizes=(1 * KB, 100 * KB), at_least_s=0.0, imports=2)


def cells(scale: Scale, sections: tuple[str, ...], *, with_peers: bool) -> list[Cell]:
    """All cells of these sections, skipped ones included."""
    makers = {
        "grid": _grid,
        "items": _items,
        "state": _state,
        "errors": _errors,
        "nested": _nested,
        "order": _order,
        "journal": _journal,
        "memory": _memory,
        "nodes": _nodes,
    }
    found = [cell for name in sections if name in makers for cell in makers[name](scale)]
    return [cell for cell in found if with_peers or not PEERS[cell.peer].is_installed]


def _grid(scale: Scale) -> Iterator[Cell]:
    for work in WORK:
        for n in scale.branches:
            for limit in (64, None):
                without = "gather" if limit else "semaphore"
                for peer in GRID:
                    if not peer.startswith(without):
                        yield _grid_cell(peer, Case("grid", work, n, limit))


def _grid_cell(peer: str, case: Case) -> Cell:
    is_floor = case.work == "yield" and case.limit is not None
    if peer in FAST:
        return Cell(peer, case)
    if case.n >= 10_000:
        if peer == "llama-index":
            return Cell(peer, case, why_not="takes over 240 s")
        if peer == "langgraph-saver":
            return Cell(peer, case, why_not="see the journal's table")
        if peer == "langgraph-copy" and not is_floor:
            return Cell(peer, case, why_not="as LangGraph; measured with one yield and a limit")
        if peer == "dspy" and case.limit is None:
            return Cell(peer, case, why_not="would be a thread for each branch")
        return Cell(peer, case, rounds=3 if case.limit and case.work != "10 ms" and peer == "langgraph" else 1)
    if peer == "llama-index" and case.n >= 1_000:
        return Cell(peer, case, rounds=1)
    return Cell(peer, case, rounds=None if is_floor else 2)


def _items(scale: Scale) -> Iterator[Cell]:
    for peer in ("fanfold", "gather", "semaphore", "h4", "langgraph", "langgraph-copy"):
        limit = None if peer == "gather" else 64
        yield Cell(peer, Case("items", "record items", scale.many, limit))


def _state(scale: Scale) -> Iterator[Cell]:
    for size in scale.sizes:
        few = max(3, min(scale.many, 20 * MB // size))
        rounds = 1 if size >= 10 * MB else 3 if size >= 1 * MB else None
        for variant in ("dict", "dict frozen", "model", "model frozen"):
            yield Cell("fanfold", Case("state", "read one", scale.many, 64, size, variant))
        for variant in ("dict", "dict frozen"):
            yield Cell("fanfold", Case("state", "read one of a list", scale.many, 64, size, variant))
        yield Cell("fanfold", Case("state", "change one", scale.many, 64, size, "dict"))
        for work in ("read one", "read one of a list"):
            yield Cell("semaphore", Case("state", work, scale.many, 64, size))
        for peer in ("deepcopy", "pickle", "model-copy", "h4", "langgraph-copy"):
            yield Cell(peer, Case("state", "read one", few, 64, size), rounds=rounds)
        yield Cell("deepcopy", Case("state", "change one", few, 64, size), rounds=rounds)
        scans = max(3, min(100, few * 4))
        for variant in ("dict", "dict frozen", "read only frozen"):
            yield Cell("fanfold", Case("state", "scan all", scans, 64, size, variant), rounds=3)
        yield Cell("semaphore", Case("state", "scan all", scans, 64, size), rounds=3)
        yield Cell("deepcopy", Case("state", "scan all", few, 64, size), rounds=1)


def _errors(scale: Scale) -> Iterator[Cell]:
    for peer in ("fanfold", "gather", "semaphore", "h4"):
        for work in ("trivial", "fail"):
            yield Cell(peer, Case("errors", work, scale.many, None if peer == "gather" else 64))


def _nested(scale: Scale) -> Iterator[Cell]:
    for peer in ("fanfold", "semaphore", "langgraph"):
        yield Cell(peer, Case("nested", "yield", scale.many, 8))


def _order(_: Scale) -> Iterator[Cell]:
    yield Cell("fanfold", ORDER, rounds=1)


def _journal(scale: Scale) -> Iterator[Cell]:
    for n in (scale.many // 10, scale.many):
        for limit in (64, None):
            for peer in ("fanfold", "langgraph"):
                yield Cell(peer, Case("journal", "yield", n, limit, variant="off"))
            for synchronous in ("NORMAL", "FULL"):
                for peer in ("fanfold", "langgraph-saver"):
                    yield Cell(peer, Case("journal", "yield", n, limit, variant=synchronous))
    for synchronous in ("NORMAL", "FULL"):
        yield Cell("fanfold", Case("journal", "yield", scale.most, 64, variant=synchronous), rounds=3)


def _memory(scale: Scale) -> Iterator[Cell]:
    for peer in GRID:
        case = Case("memory", "yield", scale.most, None if peer == "gather" else 64)
        why_not = "takes over 240 s" if peer == "llama-index" and case.n >= 10_000 else ""
        if not peer.endswith(("-uvloop", "-saver")):
            yield Cell(peer, case, rounds=1, why_not=why_not)


def _nodes(scale: Scale) -> Iterator[Cell]:
    for peer in ("fanfold-nodes", "h4"):
        yield Cell(peer, Case("nodes", "trivial", scale.many // 10, 4, variant="overhead"))
        yield Cell(peer, Case("nodes", "fail", scale.many // 10, 4, variant="overhead"))
        for size in scale.sizes:
            yield Cell(peer, copying(size, 4), rounds=3)
            if peer != "h4" or size <= 100 * KB:
                yield Cell(peer, copying(size, 100), rounds=3)
    yield Cell("fanfold-nodes", SPEEDUP, rounds=3)
    yield Cell("fanfold-nodes", ACCEPTANCE, rounds=1)


def copying(size: int, nodes: int) -> Case:
    """H4's overhead of copying: nodes that read one record of a state of this size."""
    return Case("nodes", "read one", nodes, 4, size, "copying")
