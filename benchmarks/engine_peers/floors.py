"""What the engine is held to: each figure, its bound, and whether it holds; all from one run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine_peers.case import Case
from engine_peers.plan import ACCEPTANCE, KB, MB, ORDER, SPEEDUP, WORK, copying
from engine_peers.results import Results


@dataclass(frozen=True, slots=True)
class Floor:
    """One figure and its bound; a figure of None was not measured."""

    what: str
    figure: float | None
    relation: Literal["at least", "at most", "under", "exactly"]
    bound: float
    unit: str = "times"

    @property
    def holds(self) -> bool | None:
        """Whether it holds; None = not measured."""
        if self.figure is None:
            return None
        match self.relation:
            case "at least":
                return self.figure >= self.bound
            case "at most":
                return self.figure <= self.bound
            case "under":
                return self.figure < self.bound
            case "exactly":
                return self.figure == self.bound


def floors(results: Results) -> list[Floor]:
    """All of them, in the order in which they were promised."""
    return [*_cpu(results), *_memory(results), *_isolation(results), *_errors(results), *_journal(results),
            *_nested(results), *_nodes(results), *_imports(results)]  # fmt: skip


def _cpu(results: Results) -> Iterator[Floor]:
    def case(n: int, limit: int | None = 64, work: str = "yield") -> Case:
        return Case("grid", work, n, limit)

    def versus(peer: str, asked: Case) -> float | None:
        return results.ratio((peer, asked), ("fanfold", asked))

    def over(peer: str, asked: Case) -> float | None:
        return results.ratio(("fanfold", asked), (peer, asked))

    yield Floor("LangGraph / Fanfold, yield, N = 1,000", versus("langgraph", case(1_000)), "at least", 20)
    ratio = versus("langgraph", case(10_000, work="trivial"))
    yield Floor("LangGraph / Fanfold, trivial, N = 10,000", ratio, "at least", 150)
    for work in WORK:
        for n in (1_000, 10_000):
            what = f"Fanfold / `gather` + `Semaphore`, {work}, N = {n:,}"
            yield Floor(what, over("semaphore", case(n, work=work)), "at most", 1.0)
    yield Floor("aiometer / Fanfold, yield, N = 1,000", versus("aiometer", case(1_000)), "at least", 4)
    for work in WORK:
        what = f"Fanfold / bare `gather`, unlimited, {work}, N = 1,000"
        yield Floor(what, over("gather", case(1_000, None, work)), "at most", 1.6)
    growth = results.ratio(("fanfold", case(10_000)), ("fanfold", case(1_000)))
    yield Floor("a branch at N = 10,000 / at N = 1,000, yield", growth, "at most", 1.2)


def _memory(results: Results) -> Iterator[Floor]:
    beyond = results.extra("fanfold", Case("memory", "yield", 10_000, 64), "beyond_bytes")
    yield Floor("memory beyond the outcomes, N = 10,000", beyond and beyond / MB, "under", 5, "MB")


def _isolation(results: Results) -> Iterator[Floor]:
    def reading(size: int, variant: str) -> tuple[str, Case]:
        return "fanfold", Case("state", "read one", 1_000, 64, size, variant)

    for shape in ("dict", "model"):
        included = results.ratio(reading(MB, shape), reading(KB, shape))
        yield Floor(f"a branch over 1 MB / over 1 KB, {shape}, freezing included", included, "at most", 3)
        excluded = results.ratio(reading(MB, f"{shape} frozen"), reading(KB, f"{shape} frozen"))
        yield Floor(f"a branch over 1 MB / over 1 KB, {shape}, without freezing", excluded, "at most", 1.5)
    copied = "model-copy", Case("state", "read one", 20, 64, MB)
    yield Floor(
        "`model_copy(deep=True)` / Fanfold, 1 MB", results.ratio(copied, reading(MB, "model")), "at least", 1_000
    )


def _errors(results: Results) -> Iterator[Floor]:
    done, failed = (results.cpu_us("fanfold", Case("errors", work, 1_000, 64)) for work in ("trivial", "fail"))
    yield Floor("a branch that raises, beyond one that returns", _difference(failed, done), "under", 5, "µs")


def _journal(results: Results) -> Iterator[Floor]:
    for synchronous in ("NORMAL", "FULL"):
        case = Case("journal", "yield", 1_000, 64, variant=synchronous)
        ratio = results.ratio(("langgraph-saver", case), ("fanfold", case))
        yield Floor(f"LangGraph with its saver / Fanfold with its journal, {synchronous}", ratio, "at least", 10)
    for synchronous in ("NORMAL", "FULL"):
        case = Case("journal", "yield", 1_000, 64, variant=synchronous)
        p99 = results.extra("fanfold", case, "p99_ms")
        yield Floor(f"branch end to durable, p99, 1,000 queued, 64 at once, {synchronous}", p99, "under", 20, "ms")


def _nested(results: Results) -> Iterator[Floor]:
    peak = results.extra("fanfold", Case("nested", "yield", 1_000, 8), "peak")
    yield Floor("leaves at once in nested fan-outs, limit 8", peak, "exactly", 8, "")
    states = results.extra("fanfold", ORDER, "states")
    yield Floor("different folded states in 100 runs", states, "exactly", 1, "")


def _nodes(results: Results) -> Iterator[Floor]:
    serial, parallel = (results.extra("fanfold-nodes", SPEEDUP, name) for name in ("serial_s", "parallel_s"))
    yield Floor("AC1: speed-up of 4 nodes of 100 ms, max_concurrent=4", _ratio(serial, parallel), "at least", 2)
    counted = {
        name: results.extra("fanfold-nodes", ACCEPTANCE, name) for name in ("distinct", "raced", "ended", "captured")
    }
    yield Floor("AC2: different states in 100 runs of a node", counted["distinct"], "exactly", 1, "")
    yield Floor("AC3: of 10 nodes that count up, those that raced", counted["raced"], "exactly", 0, "")
    yield Floor("AC3: of 100 nodes with max_concurrent=4, those that ended", counted["ended"], "exactly", 100, "")
    yield Floor("AC4: of 3 nodes, those with an error or none as it should be", counted["captured"], "exactly", 3, "")
    for size, nodes, said in ((KB, 4, "1 KB"), (100 * KB, 4, "100 KB"), (MB, 4, "1 MB"), (10 * MB, 100, "10 MB")):
        cpu_us = results.cpu_us("fanfold-nodes", copying(size, nodes))
        yield Floor(f"Overhead: a node over {said}, {nodes} nodes", cpu_us and cpu_us / 1000, "under", 10, "ms")
    done, failed = (
        results.cpu_us("fanfold-nodes", Case("nodes", work, 100, 4, variant="overhead")) for work in ("trivial", "fail")
    )
    overhead = _difference(failed, done)
    yield Floor("Error overhead: capture and wrapping", overhead and overhead / 1000, "under", 1, "ms")


def _imports(results: Results) -> Iterator[Floor]:
    took = {name: statistics.median(times) for name, times in results.imports.items() if times}
    yield Floor(
        "`import fanfold` / `import pydantic`", _ratio(took.get("fanfold"), took.get("pydantic")), "at most", 1.5
    )
    heavy = results.notes.get("heavy_imports")
    yield Floor(
        "of langgraph, dspy, pydantic_ai, dask imported by `import fanfold`",
        None if heavy is None else float(len(heavy)),
        "exactly",
        0,
        "",
    )


def _ratio(left: float | None, right: float | None) -> float | None:
    return None if left is None or not right else left / right


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right
