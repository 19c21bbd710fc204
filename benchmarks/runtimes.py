"""One flow on each runtime, beside plain LangGraph; killed runs; two workers; a large cluster, simulated.

    python benchmarks/runtimes.py [--only SECTION] [--rounds N] [--seed N] [--no-peers] [--quick] [--docs]

`overhead` runs branches that yield once on the native runtime, the LangGraph runtime, a cluster of two local processes,
and plain LangGraph, with a journal or LangGraph's SQLite saver or without; `batches` the same on Dask alone, several
branches to a message. `kills` ends runs with SIGKILL half-way and counts what runs again. `workers` has branches that
compute on one worker and on two. `scale` simulates 1,000 workers and 100,000 branches on virtual time, with the real
coordinator; what its placements cost comes from the other sections, measured in the same run.

Each round runs every case in an order that is shuffled from the seed, each peer in a process of its own, new in every
round. Figures are medians over the rounds, ratios medians of the rounds' own ratios. Prints Markdown; keeps every
sample in benchmarks/results/runtimes.json, and with --docs puts the tables in docs/benchmarks.md and docs/scale.md.
Exits 1 where a result is wrong or a floor is missed; with --quick only where a result is wrong.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

import packages
from engine_peers import plot, session
from engine_peers.results import Results
from runtime_peers import kills, scale, tables
from runtime_peers.floors import floors
from runtime_peers.plan import BRANCHING, FULL, PEERS, PINS, QUICK, SECTIONS, cells, overhead, python

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs"
PLOT = "runtimes-1000.svg"
MARKS = "<!-- runtimes: begin -->", "<!-- runtimes: end -->"
SCALE_MARKS = "<!-- scale: begin -->", "<!-- scale: end -->"


def main(argv: list[str] | None = None) -> int:
    """Measure what is asked for, tell, keep; 1 where a result is wrong or a floor is missed, 2 without the peers."""
    options = _options(argv)
    try:
        results = Results.load(options.out / "runtimes.json") if options.again else _measured(options)
    except packages.UnavailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not options.again:
        results.save(options.out / "runtimes.json")
    told, told_scale = tables.markdown(results), tables.scale_markdown(results)
    print(told, told_scale, sep="\n")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "runtimes.md").write_text(told)
    (options.out / "scale.md").write_text(told_scale)
    if options.docs:
        _document(results, told, told_scale)
    return _judged(results, is_quick=options.quick)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=SECTIONS, help="measure this section; may be repeated")
    parser.add_argument("--peer", action="append", choices=sorted(PEERS), help="measure this peer; may be repeated")
    parser.add_argument("--rounds", type=int, default=None, help="rounds (default 5; 1 with --quick), kills, seeds")
    parser.add_argument("--seed", type=int, default=None, help="repeat the order of an earlier run")
    parser.add_argument("--no-peers", action="store_true", help="only what needs no installation")
    parser.add_argument("--quick", action="store_true", help="few branches: shows that it works, measures nothing")
    parser.add_argument("--docs", action="store_true", help="write tables and a plot to docs/ too")
    parser.add_argument("--again", action="store_true", help="measure nothing: tell the kept results again")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where results are kept")
    return parser.parse_args(argv)


def _measured(options: argparse.Namespace) -> Results:
    extent = QUICK if options.quick else FULL
    sections, with_peers = tuple(options.only or SECTIONS), not options.no_peers
    rounds = options.rounds or (1 if options.quick else 5)
    if options.rounds:
        extent = replace(extent, tries=min(extent.tries, rounds), seeds=min(extent.seeds, rounds))
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    interpreter = python() if with_peers else Path(sys.executable)
    began_s = time.monotonic()
    print(f"seed {seed}, {rounds} rounds", flush=True)
    todo = [each for each in cells(extent, sections, with_peers=with_peers) if _is_asked(options, each.peer)]
    results = session.run(todo, python=interpreter, rounds=rounds, seed=seed, at_least_s=0.0, tell=_tell, peers=PEERS)
    if "kills" in sections:
        killed = [peer for peer in kills.peers_of(with_peers=with_peers) if _is_asked(options, peer)]
        kills.measure(extent, interpreter, seed, results, tuple(killed), _tell)
    if "scale" in sections:
        scale.measure(extent, interpreter, seed, results, _tell, with_dask=with_peers)
    results.notes |= {
        "machine": f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "peers": ", ".join(PINS) if with_peers else "none",
        "seed": seed,
        "rounds": rounds,
        "took": f"{time.monotonic() - began_s:.0f} s",
    }
    return results


def _is_asked(options: argparse.Namespace, peer: str) -> bool:
    return not options.peer or peer in options.peer


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _plot(results: Results) -> str:
    case = overhead(1_000)
    found = [(PEERS[peer].label, results.cpu_us(peer, case)) for peer in BRANCHING]
    figures = [(label, cpu_us) for label, cpu_us in found if cpu_us is not None]
    title = "CPU µs a branch of the coordinating process, 1,000 branches that yield once (log scale)"
    plain = [(label.replace("*", ""), cpu_us) for label, cpu_us in figures]
    return plot.bar_chart(title, plain, lambda label: not label.startswith("plain"))


def _document(results: Results, told: str, told_scale: str) -> None:
    """Put tables and the plot where the documentation has them."""
    drawn, shown = _plot(results), ""
    if drawn:
        (DOCS / "benchmarks").mkdir(exist_ok=True)
        (DOCS / "benchmarks" / PLOT).write_text(drawn)
        shown = f"![CPU for each of 1,000 branches that yield once, by runtime](benchmarks/{PLOT})\n\n"
    if results.cases("overhead") or results.cases("kills"):
        _put(DOCS / "benchmarks.md", MARKS, shown + told)
    if results.cases("scale"):
        _put(DOCS / "scale.md", SCALE_MARKS, told_scale)


def _put(page: Path, marks: tuple[str, str], told: str) -> None:
    begin, end = marks
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before.rstrip()}\n\n{begin}\n\n{told}\n{end}{after or chr(10)}")


def _judged(results: Results, *, is_quick: bool) -> int:
    wrong = results.wrong()
    for peer, case, why in wrong:
        print(f"wrong: {peer}, {case}: {why.splitlines()[-1]}", file=sys.stderr)
    missed = [] if is_quick else [each for each in floors(results) if each.holds is False]
    print("\na result is wrong" if wrong else "\na floor is missed" if missed else "\nall results are right")
    return 1 if wrong or missed else 0


if __name__ == "__main__":
    sys.exit(main())
