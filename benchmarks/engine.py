"""The engine beside its peers, all in one run.

    python benchmarks/engine.py [--only SECTION] [--peer PEER] [--rounds N] [--seed N] [--no-peers] [--quick] [--docs]

Peers are LangGraph (as shipped; with a deep copy of the shared state in each branch, which is what equal isolation
takes; with its SQLite saver), pydantic-graph, dspy.Parallel, llama-index-workflows, aiometer, `asyncio.gather` with and
without a semaphore, and H4's executor as its document describes it. They are installed, pinned, into the cache.

Each round runs every case on every peer in an order that is shuffled from the seed; each peer has a process of its
own, new in every round. Every result is compared with what is expected. Figures are medians over the rounds: CPU of
all threads, and wall time. Prints Markdown; keeps every sample in benchmarks/results/engine.json, the tables and plots
beside it, and with --docs in docs/benchmarks.md and docs/benchmarks. Exits 1 where a result is wrong or a floor is
missed; with --quick only where a result is wrong.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import time
from pathlib import Path

import packages
from engine_peers import environment, imports, plot, session, tables
from engine_peers.floors import floors
from engine_peers.plan import FULL, PEERS, QUICK, SECTIONS, cells
from engine_peers.results import Results

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs"
CAPTIONS = {
    "engine-1000.svg": "CPU for each of 1,000 branches that yield once, by peer",
    "engine-10000.svg": "CPU for each of 10,000 branches that yield once, by peer",
    "engine-state.svg": "CPU for each branch that reads one record, by size of the shared state",
}
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main(argv: list[str] | None = None) -> int:
    """Measure what is asked for, tell, keep; 1 where a result is wrong or a floor is missed, 2 without the peers."""
    options = _options(argv)
    try:
        results = Results.load(options.out / "engine.json") if options.again else _measured(options)
    except packages.UnavailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not options.again:
        results.save(options.out / "engine.json")
    told = tables.markdown(results)
    print(told)
    _keep(results, told, options.out)
    if options.docs:
        _document(results, told)
    return _judged(results, is_quick=options.quick)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=SECTIONS, help="measure this section; may be repeated")
    parser.add_argument("--peer", action="append", choices=sorted(PEERS), help="measure this peer; may be repeated")
    parser.add_argument("--rounds", type=int, default=None, help="rounds (default 5; 1 with --quick)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the order of an earlier run")
    parser.add_argument("--no-peers", action="store_true", help="only what needs no installation")
    parser.add_argument("--quick", action="store_true", help="few branches: shows that it works, measures nothing")
    parser.add_argument("--docs", action="store_true", help="write tables and plots to docs/ too")
    parser.add_argument("--again", action="store_true", help="measure nothing: tell the kept results again")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where results are kept")
    return parser.parse_args(argv)


def _measured(options: argparse.Namespace) -> Results:
    scale = QUICK if options.quick else FULL
    sections, with_peers = tuple(options.only or SECTIONS), not options.no_peers
    rounds = options.rounds or (1 if options.quick else 5)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    python = environment.python() if with_peers else Path(sys.executable)
    began_s = time.monotonic()
    print(f"seed {seed}, {rounds} rounds", flush=True)
    todo = cells(scale, sections, with_peers=with_peers)
    if options.peer:
        todo = [cell for cell in todo if cell.peer in options.peer]
    results = session.run(todo, python=python, rounds=rounds, seed=seed, at_least_s=scale.at_least_s, tell=_tell)
    if "imports" in sections:
        results.imports, heavy = imports.measure(python, scale.imports, seed, with_peers=with_peers)
        results.notes["heavy_imports"] = heavy
    results.notes |= {
        "machine": f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "peers": ", ".join(environment.PINS) if with_peers else "none",
        "seed": seed,
        "rounds": rounds,
        "took": f"{time.monotonic() - began_s:.0f} s",
    }
    return results


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _keep(results: Results, told: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine.md").write_text(told)
    for name, drawn in _plots(results).items():
        (folder / name).write_text(drawn)


def _plots(results: Results) -> dict[str, str]:
    drawn = (plot.bars(results, 1_000), plot.bars(results, 10_000), plot.lines(results))
    return {name: content for name, content in zip(CAPTIONS, drawn, strict=True) if content}


def _document(results: Results, told: str) -> None:
    """Put tables and plots where the documentation has them."""
    page, folder, plots = DOCS / "benchmarks.md", DOCS / "benchmarks", _plots(results)
    shown = "\n\n".join(f"![{CAPTIONS[name]}](benchmarks/{name})" for name in plots)
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{shown}\n\n{told}\n{END}{after}")
    folder.mkdir(exist_ok=True)
    for name, drawn in plots.items():
        (folder / name).write_text(drawn)


def _judged(results: Results, *, is_quick: bool) -> int:
    wrong = results.wrong()
    for peer, case, why in wrong:
        print(f"wrong: {peer}, {case}: {why.splitlines()[-1]}", file=sys.stderr)
    missed = [] if is_quick else [each for each in floors(results) if each.holds is False]
    print("\na result is wrong" if wrong else "\na floor is missed" if missed else "\nall results are right")
    return 1 if wrong or missed else 0


if __name__ == "__main__":
    sys.exit(main())
