"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine_peers.case import Case
from engine_peers.results import Results
from engine_peers.tables import SIZES, both, floors_table, notes, number, section, table
from runtime_peers.costs import SIMULATED, coordinators
from runtime_peers.floors import floors
from runtime_peers.plan import BRANCHING, PEERS
from runtime_peers.scale import BARE, WORLDS

KINDS = {
    "none": "no coordinator: a loop for each worker",
    "engine": "the engine",
    "cluster": "the cluster's placement, sending nothing",
}


def markdown(results: Results) -> str:
    """All tables, with headings, for `docs/benchmarks.md`."""
    parts = [
        notes(results),
        section("What the runtimes are held to", floors_table(floors(results))),
        section("One yield, limit 64: CPU µs a branch of the coordinating process (wall)", _overhead(results)),
        section("Bytes on disk, KB a branch", _disk(results)),
        section("Branches sent one by one and in batches, two workers", _batches(results)),
        section("Killed half-way and resumed", _kills(results)),
        section("Branches that compute, on one worker and on two", _workers(results)),
        section("Where it was wrong", _wrong(results)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def scale_markdown(results: Results) -> str:
    """The tables of the simulations, for `docs/scale.md`."""
    parts = [
        notes(results),
        section("A large run, simulated", _worlds(results)),
        section("Workers, simulated: CPU µs a branch", _fleets(results)),
        section("What a branch costs the coordinator", _costs(results)),
        section("Share of the workers' time that is used, simulated", _saturation(results)),
        section("Branches that keep the coordinator busy", _limits(results)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _overhead(results: Results) -> Iterator[str]:
    cases = results.cases("overhead")
    head = ("", *(_said(case) for case in cases), "the workers' own")
    rows = []
    for peer in BRANCHING:
        workers = [results.extra(peer, case, "workers_cpu_us") for case in cases if peer.startswith("cluster")]
        known = [number(each) for each in workers if each is not None]
        rows.append([PEERS[peer].label, *(both(results, peer, case) for case in cases), " / ".join(known)])
    yield from table(head, rows)


def _said(case: Case) -> str:
    return f"{case.n:,}, {SIZES.get(case.state_bytes, '')}"


def _disk(results: Results) -> Iterator[str]:
    cases = results.cases("overhead")
    rows = []
    for peer in BRANCHING:
        if peer.endswith(("-journal", "-saver")):
            sizes = [results.extra(peer, case, "disk_bytes") for case in cases]
            cells = (number(size / case.n / 1000) if size else "" for size, case in zip(sizes, cases, strict=True))
            rows.append([PEERS[peer].label, *cells])
    yield from table(("", *map(_said, cases)), rows)


def _batches(results: Results) -> Iterator[str]:
    rows = []
    for case in results.cases("batches"):
        for peer in ("cluster", "dask"):
            label = f"{PEERS[peer].label}, {f'limit {case.limit}' if case.limit else f'{case.variant} to a task'}"
            rows.append((label, both(results, peer, case)))
    yield from table(("", "CPU µs a branch (wall)"), rows)


def _kills(results: Results) -> Iterator[str]:
    names = ("ended", "again", "known_again", "afresh_s", "first_s", "took_s", "ideal_s")
    rows = []
    for case in results.cases("kills"):
        for peer in PEERS:
            if (peer, case) in results.samples:
                times = len(results.samples[peer, case])
                counted = [results.total(peer, case, name) for name in names[:3]]
                timed = [results.extra(peer, case, name) for name in names[3:]]
                rows.append((PEERS[peer].label, str(times), *(number(each) for each in (*counted, *timed))))
    head = (
        "", "kills", "branches that had ended", "of these run again", "of these known to the run",
        "s until a new run's first branch", "a resumed run's", "s until its end", "s that the rest takes at least",
    )  # fmt: skip
    yield from table(head, rows)


def _workers(results: Results) -> Iterator[str]:
    cases, rows = {case.variant: case for case in results.cases("workers")}, []
    for variant, label in (("", "native, one process"), ("1", "cluster, one worker"), ("2", "cluster, two workers")):
        peer = "cluster" if variant else "native"
        if variant in cases:
            wall_us = results.wall_us(peer, cases[variant])
            one = ("cluster", cases["1"]) if "1" in cases else None
            ratio = results.wall_ratio(one, (peer, cases[variant])) if one else None
            wall_s = wall_us and wall_us * cases[variant].n / 1e6
            rows.append((label, number(wall_s), number(ratio)))
    yield from table(("", "wall s", "one worker's wall time / this"), rows)


def _worlds(results: Results) -> Iterator[str]:
    rows, cases = [], {case.work: case for case in results.cases("scale")}
    bare_us = results.cpu_us(SIMULATED, cases[BARE]) if BARE in cases else None
    for name in WORLDS:
        if name in cases and (cpu_us := results.cpu_us(SIMULATED, cases[name])) is not None:
            case = cases[name]
            grown, ideal_s, lost, hedged, share = (
                results.extra(SIMULATED, case, extra) for extra in ("grown_bytes", "ideal_s", "lost", "hedged", "share")
            )
            took_s = (results.wall_us(SIMULATED, case) or 0) * case.n / 1e6
            over = None if bare_us is None else cpu_us - bare_us
            rows.append((name, *(number(each) for each in (cpu_us, over, grown and grown / 1e6, took_s, ideal_s,
                                                           share and share * 100, lost, hedged))))  # fmt: skip
    head = (
        "", "CPU µs a branch", "beyond the simulation's own", "MB", "simulated s", "ideal s", "% of ideal",
        "placements lost", "copies",
    )  # fmt: skip
    yield from table(head, rows)


def _fleets(results: Results) -> Iterator[str]:
    cases = results.cases("fleet")
    workers = sorted({case.limit or 0 for case in cases})
    rows = []
    for kind, label in KINDS.items():
        found = {case.limit: case for case in cases if case.work == kind}
        costs = [results.cpu_us(SIMULATED, found[limit]) if limit in found else None for limit in workers]
        rows.append([label, *("" if cost is None else number(cost) for cost in costs)])
    yield from table(("", *(f"{limit:,} workers" for limit in workers)), rows)


def _costs(results: Results) -> Iterator[str]:
    rows = [(each.name, number(each.placement_us)) for each in coordinators(results) if each.placement_us]
    yield from table(("measured, CPU µs a branch", "beyond what is simulated"), rows)


def _saturation(results: Results) -> Iterator[str]:
    cases = results.cases("saturation")
    lasting_s = sorted({float(case.work) for case in cases}, reverse=True)
    rows = []
    for name in _by_cost(results):
        found = {float(case.work): case for case in cases if case.variant == name}
        shares = [results.extra(SIMULATED, found[each_s], "share") if each_s in found else None for each_s in lasting_s]
        rows.append([name, *("" if share is None else f"{share * 100:.0f}%" for share in shares)])
    workers = f"{cases[0].limit:,} workers, branches of" if cases else ""
    yield from table((workers, *(f"{each_s:g} s" for each_s in lasting_s)), rows)


def _by_cost(results: Results) -> Iterable[str]:
    known = {case.variant for case in results.cases("saturation")}
    return (each.name for each in coordinators(results) if each.name in known)


def _limits(results: Results) -> Iterator[str]:
    """From the shortest branches, where the coordinator is the bottleneck: what one core places."""
    rows = []
    for name in _by_cost(results):
        cases = [case for case in results.cases("saturation") if case.variant == name]
        shortest = min(cases, key=lambda case: float(case.work))
        wall_us = results.wall_us(SIMULATED, shortest)
        if wall_us:
            busy = (_duration(workers * wall_us / 1e6) for workers in (10, 100, 1_000, 10_000))
            rows.append((name, f"{1e6 / wall_us:,.0f}", *busy))
    head = ("", "branches a second", *(f"{workers:,} workers" for workers in (10, 100, 1_000, 10_000)))
    yield from table(head, rows)


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _wrong(results: Results) -> Iterator[str]:
    for peer, case, why in results.wrong():
        label = PEERS[peer].label if peer in PEERS else peer
        yield f"- {label}, {case.section}, {case.work}, N = {case.n:,}: {why.splitlines()[-1]}"
