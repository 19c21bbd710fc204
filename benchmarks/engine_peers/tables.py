"""The results as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

from engine_peers.case import Case
from engine_peers.floors import Floor, floors
from engine_peers.plan import ACCEPTANCE, GRID, PEERS
from engine_peers.results import Results

WORKS = {
    "trivial": "Branches that do nothing",
    "yield": "Branches that yield once",
    "10 ms": "Branches that wait for 10 ms",
}
SIZES = {1_000: "1 KB", 10_000: "10 KB", 100_000: "100 KB", 1_000_000: "1 MB", 10_000_000: "10 MB"}


def markdown(results: Results) -> str:
    """All tables, with headings, for `docs/benchmarks.md`."""
    parts = [
        notes(results),
        section("What the engine is held to", floors_table(floors(results))),
        *(section(f"{title}: CPU µs a branch (wall)", _grid(results, work)) for work, title in WORKS.items()),
        section("Items that are records: CPU µs a branch", _plain(results, "items")),
        section("Shared state of growing size, each branch reads one record: CPU µs a branch", _state(results)),
        section("Shared state, each branch reads every record: CPU µs a branch", _scans(results)),
        section("A branch that raises", _errors(results)),
        section("Fan-outs inside fan-outs, limit 8", _nested(results)),
        section("Durable outcomes", _journal(results)),
        section("Memory", _memory(results)),
        section("H4's executor", _nodes(results)),
        section("Imports", _imports(results)),
        section("Where Fanfold is slower", _losses(results)),
        section("Left out", _left_out(results)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def notes(results: Results) -> str:
    """What the run was, as a list."""
    return "\n".join(f"- {name}: {value}" for name, value in results.notes.items() if isinstance(value, str | int))


def section(title: str, lines: Iterable[str]) -> str:
    """Lines under a heading; nothing where there are none."""
    body = "\n".join(lines)
    return f"## {title}\n\n{body}" if body else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, without rows that have no figures."""
    found = [row for row in rows if any(row[1:])]
    if found:
        yield f"| {' | '.join(head)} |"
        yield f"| --- |{' ---: |' * (len(head) - 1)}"
        yield from (f"| {' | '.join(row)} |" for row in found)


def floors_table(found: list[Floor]) -> Iterator[str]:
    """The lines of a table of floors."""
    said = {True: "holds", False: "**missed**", None: "not measured"}
    yield from table(
        ("figure", "measured", "bound", ""),
        (
            (each.what, number(each.figure, each.unit), f"{each.relation} {each.bound:,g}", said[each.holds])
            for each in found
        ),
    )


def number(figure: float | None, unit: str = "") -> str:
    """A figure with about three digits, and its unit."""
    if figure is None:
        return "-"
    figure = figure if abs(figure) >= 0.005 else 0.0
    digits = 0 if abs(figure) >= 100 or figure == int(figure) else 1 if abs(figure) >= 10 else 2
    return f"{figure:,.{digits}f} {unit}".strip()


def _grid(results: Results, work: str) -> Iterator[str]:
    cases = [case for case in results.cases("grid") if case.work == work]
    branches = sorted({case.n for case in cases})
    columns = [(n, limit) for limit in (64, None) for n in branches]
    head = ["", *(f"{n:,}, {'no limit' if limit is None else f'limit {limit}'}" for n, limit in columns)]
    yield from table(
        head,
        ([PEERS[peer].label, *(both(results, peer, Case("grid", work, n, limit)) for n, limit in columns)]
         for peer in GRID),
    )  # fmt: skip


def both(results: Results, peer: str, case: Case) -> str:
    """CPU µs a branch, and wall time in brackets; empty where it wasn't measured."""
    cpu, wall = results.cpu_us(peer, case), results.wall_us(peer, case)
    return "" if cpu is None else f"{number(cpu)} ({number(wall)})"


def _cpu(results: Results, peer: str, case: Case) -> str:
    cpu = results.cpu_us(peer, case)
    return "" if cpu is None else number(cpu)


def _plain(results: Results, section: str) -> Iterator[str]:
    cases = results.cases(section)
    head = ("", *(f"N = {case.n:,}, {'no limit' if case.limit is None else f'limit {case.limit}'}" for case in cases))
    yield from table(head, ([PEERS[peer].label, *(_cpu(results, peer, case) for case in cases)] for peer in PEERS))


def _by_size(results: Results, work: str, variants: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    cases = [case for case in results.cases("state") if case.work == work]
    sizes = sorted({case.state_bytes for case in cases})
    rows = []
    for label, peer, variant in variants:
        found = {
            case.state_bytes: case for case in cases if case.variant == variant and (peer, case) in results.samples
        }
        rows.append([label, *(_cpu(results, peer, found[size]) if size in found else "" for size in sizes)])
    yield from table(["", *(SIZES[size] for size in sizes)], rows)


def _state(results: Results) -> Iterator[str]:
    yield from _by_size(
        results,
        "read one",
        (
            ("**Fanfold**, a dict", "fanfold", "dict"),
            ("**Fanfold**, a dict, without freezing", "fanfold", "dict frozen"),
            ("**Fanfold**, a pydantic model", "fanfold", "model"),
            ("**Fanfold**, a pydantic model, without freezing", "fanfold", "model frozen"),
            ("`gather` + `Semaphore`, shared: no isolation", "semaphore", ""),
            ("`pickle.loads` for each branch", "pickle", ""),
            ("`copy.deepcopy` for each branch", "deepcopy", ""),
            ("`model_copy(deep=True)` for each branch", "model-copy", ""),
            ("H4 as designed", "h4", ""),
            ("LangGraph, deep copy", "langgraph-copy", ""),
        ),
    )
    more = (
        ("Each branch appends to a list inside one record:", "change one", (
            ("**Fanfold**, a dict", "fanfold", "dict"),
            ("`copy.deepcopy` for each branch", "deepcopy", ""),
        )),
        ("All records in one list, of which each branch's copy has all the references:", "read one of a list", (
            ("**Fanfold**, a dict", "fanfold", "dict"),
            ("**Fanfold**, a dict, without freezing", "fanfold", "dict frozen"),
            ("`gather` + `Semaphore`, shared: no isolation", "semaphore", ""),
        )),
    )  # fmt: skip
    for said, work, variants in more:
        if table := list(_by_size(results, work, variants)):
            yield from ("", said, "", *table)


def _scans(results: Results) -> Iterator[str]:
    yield from _by_size(
        results,
        "scan all",
        (
            ("**Fanfold**, a dict", "fanfold", "dict"),
            ("**Fanfold**, a dict, without freezing", "fanfold", "dict frozen"),
            ("**Fanfold**, the field declared read-only, without freezing", "fanfold", "read only frozen"),
            ("`gather` + `Semaphore`, shared: no isolation", "semaphore", ""),
            ("`copy.deepcopy` for each branch", "deepcopy", ""),
        ),
    )


def _errors(results: Results) -> Iterator[str]:
    cases = results.cases("errors")
    rows = []
    for peer in PEERS:
        by_work = {case.work: results.cpu_us(peer, case) for case in cases if (peer, case) in results.samples}
        done, failed = by_work.get("trivial"), by_work.get("fail")
        if done is not None and failed is not None:
            rows.append((PEERS[peer].label, number(done), number(failed), number(failed - done)))
    yield from table(("CPU µs a branch", "returns", "raises", "difference"), rows)


def _nested(results: Results) -> Iterator[str]:
    rows = [
        (PEERS[peer].label, _cpu(results, peer, case), number(results.extra(peer, case, "peak")))
        for case in results.cases("nested")
        for peer in PEERS
        if (peer, case) in results.samples
    ]
    yield from table(("groups of ten leaves", "CPU µs a leaf", "most leaves at once"), rows)


def _journal(results: Results) -> Iterator[str]:
    rows = []
    for case in results.cases("journal"):
        for peer in PEERS:
            if results.cpu_us(peer, case) is not None:
                is_timed = peer == "fanfold" and case.variant != "off"
                waits = [results.extra(peer, case, name) if is_timed else None for name in ("p50_ms", "p99_ms")]
                limit = "no limit" if case.limit is None else str(case.limit)
                label = f"{PEERS[peer].label}{', journal' if is_timed else ''}"
                rows.append((label, case.variant, f"{case.n:,}", limit, both(results, peer, case),
                             *(number(wait) if wait is not None else "" for wait in waits)))  # fmt: skip
    head = ("", "synchronous", "N", "limit", "CPU µs a branch (wall)", "end to durable, ms, p50", "p99")
    yield from table(head, rows)


def _memory(results: Results) -> Iterator[str]:
    names = ("beyond_bytes", "outcomes_bytes", "resident_bytes")
    rows = []
    for case in results.cases("memory"):
        for peer in PEERS:
            found = [results.extra(peer, case, name) for name in names]
            rows.append((f"{PEERS[peer].label}, N = {case.n:,}" if any(found) else "",
                         *(number(each / 1e6) if each is not None else "" for each in found)))  # fmt: skip
    yield from table(("MB", "beyond what is returned", "returned", "resident set grows by"), rows)


def _nodes(results: Results) -> Iterator[str]:
    rows = []
    for case in results.cases("nodes"):
        if case == ACCEPTANCE:
            continue
        what = f"{case.variant}: {case.work}" + (f", {SIZES[case.state_bytes]}" if case.state_bytes else "")
        rows.append((f"{what}, {case.n} nodes", *(both(results, peer, case) for peer in ("fanfold-nodes", "h4"))))
    yield from table(("CPU µs a node (wall)", "Fanfold's `ParallelExecutor`", "H4 as designed"), rows)


def _imports(results: Results) -> Iterator[str]:
    rows = [(f"`import {name}`", number(statistics.median(took) * 1000), str(len(took)))
            for name, took in results.imports.items() if took]  # fmt: skip
    yield from table(("", "median ms", "times"), sorted(rows, key=lambda row: float(row[1].replace(",", ""))))


def _losses(results: Results) -> Iterator[str]:
    """Every measured case in which another took less CPU, on the same kind of event loop."""
    rows = []
    for section in ("grid", "items", "nested", "journal", "nodes"):
        for case in results.cases(section):
            for peer in PEERS:
                ours = results.cpu_us(_rival(peer, section), case)
                theirs = results.cpu_us(peer, case)
                if ours and theirs and theirs < ours:
                    rows.append((f"{PEERS[peer].label}: {_said(case)}", number(theirs), number(ours),
                                 number(ours / theirs)))  # fmt: skip
    yield from table(("CPU µs a branch", "theirs", "Fanfold", "times"), sorted(rows))


def _rival(peer: str, section: str) -> str:
    if section == "nodes":
        return "fanfold-nodes"
    return "fanfold-uvloop" if peer.endswith("-uvloop") else "fanfold"


def _left_out(results: Results) -> Iterator[str]:
    reasons: dict[tuple[str, str, int], list[str]] = {}
    for (peer, case), why in results.left_out.items():
        told = f"{case.section}, {case.work}, {'no limit' if case.limit is None else f'limit {case.limit}'}"
        reasons.setdefault((peer, why, case.n), []).append(told)
    for (peer, why, n), cases in reasons.items():
        yield f"- {PEERS[peer].label} at N = {n:,}: {why} ({'; '.join(cases)})"
    for peer, case, why in results.wrong():
        yield f"- {PEERS[peer].label}, {_said(case)}: {why.splitlines()[-1]}"


def _said(case: Case) -> str:
    limit = "no limit" if case.limit is None else f"limit {case.limit}"
    told = [case.section, case.variant, case.work, f"N = {case.n:,}", limit, SIZES.get(case.state_bytes, "")]
    return ", ".join(part for part in told if part)
