"""How many runs of the suite the merge queue takes, beside testing change by change on the tip, and batch and bisect.

    python benchmarks/landing.py [--changes N] [--seeds N] [--docs]

The queue, its policy and how it makes use of the suite are the real ones, on virtual time; git and the suite are fakes
in which each change breaks a test of its own with a probability, independently. Every run of the whole suite counts:
the one on the base, those of batches and of searches in red ones, those that look for flaky tests, and those that try
what was dropped once more on the final tip. Changes arrive all at once, or one after another at a quarter of the time
that the suite takes. A suite of which single files can be run is searched by these: they are counted beside. The
benchmark of git's costs is `landing_git.py`.

Prints Markdown, with --docs puts it into docs/benchmarks.md, and exits 1 where a floor is missed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fanfold.testing.clock import run
from fanfold.testing.landing import FakeTester, Simulated, held

DOCS = Path(__file__).parent.parent / "docs" / "benchmarks.md"
MARKS = "<!-- landing: begin -->", "<!-- landing: end -->"
SHARES = (0.0, 0.01, 0.05, 0.20)
ARRIVALS = {"at once": 0.0, "one each quarter of a run": 0.25}
AT_MOST = 1 / 3
"""Of the runs that change by change takes, at 5% bad ones; where single files of the suite can be run."""
COUNTED = 0.05


@dataclass
class Sample:
    """Runs of the whole suite, and of single files of it, for each seed."""

    whole: list[int] = field(default_factory=list)
    partial: list[int] = field(default_factory=list)

    def told(self) -> str:
        """Median and mean."""
        return f"{statistics.median(self.whole):g} ({statistics.mean(self.whole):.1f})"

    def told_partial(self) -> str:
        """The same of runs of single files."""
        return f"{statistics.median(self.partial):g} ({statistics.mean(self.partial):.1f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, tell; 1 where a floor is missed."""
    options = _options(argv)
    rows = {share: _row(share, options.changes, options.seeds) for share in SHARES}
    told = _markdown(rows, options.changes, options.seeds)
    print(told)
    if options.docs:
        _document(told)
    return _judged(rows[COUNTED], options.changes)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=64, help="changes in one run")
    parser.add_argument("--seeds", type=int, default=100, help="runs that are simulated for each figure")
    parser.add_argument("--docs", action="store_true", help="write the table to docs/benchmarks.md too")
    return parser.parse_args(argv)


def _row(share: float, changes: int, seeds: int) -> dict[str, Sample]:
    row: dict[str, Sample] = {}
    for seed in range(seeds):
        chance = random.Random(f"{seed} {share}")
        bad = frozenset(number for number in range(changes) if chance.random() < share)
        for divides, kind in ((True, "files"), (False, "exit code")):
            for arrival, every_s in ARRIVALS.items():
                tester = simulated(bad, changes, divides=divides, every_s=every_s)
                sample = row.setdefault(f"{kind}, {arrival}", Sample())
                sample.whole.append(tester.runs)
                sample.partial.append(tester.partial_runs)
        row.setdefault("serial", Sample()).whole.append(changes + 1)
        row.setdefault("bisect", Sample()).whole.append(1 + bisected(range(changes), bad.__contains__))
    return row


def simulated(bad: frozenset[int], changes: int, *, divides: bool, every_s: float) -> FakeTester:
    """The suite after a queue has seen all changes to their end."""
    tester = FakeTester.over(lambda tree: [f"t{number}::test" for number in tree & bad], changes, divides=divides)
    queue = Simulated.over(tester)
    run(queue.run(range(changes), every_s=every_s))
    if held(queue.branch.tip) != frozenset(range(changes)) - bad:
        raise AssertionError(f"what landed is not what is good: {queue.branch.tip}, bad are {sorted(bad)}")
    return tester


def bisected(changes: Iterable[int], is_bad: Callable[[int], bool]) -> int:
    """Runs of plain batch and bisect: all together, and where that is red each half by itself, on what is green."""
    group = list(changes)
    if not any(map(is_bad, group)) or len(group) == 1:
        return 1
    middle = len(group) // 2
    return 1 + bisected(group[:middle], is_bad) + bisected(group[middle:], is_bad)


def _markdown(rows: dict[float, dict[str, Sample]], changes: int, seeds: int) -> str:
    head = (
        f"## Runs of the whole suite for {changes} changes: median (mean) of {seeds} simulated runs\n\n"
        "| bad changes | change by change | batch and bisect | queue, all at once | of single files beside | "
        "queue, arriving over time | of single files beside | queue, exit code only, at once | over time |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    )
    once, later = ARRIVALS
    lines = []
    for share, row in rows.items():
        files, files_later = row[f"files, {once}"], row[f"files, {later}"]
        cells = (
            f"{share:.0%}",
            f"{row['serial'].whole[0]}",
            row["bisect"].told(),
            files.told(),
            files.told_partial(),
            files_later.told(),
            files_later.told_partial(),
            row[f"exit code, {once}"].told(),
            row[f"exit code, {later}"].told(),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return head + "\n".join(lines) + "\n\n" + _explained()


def _explained() -> str:
    return (
        "The run on the base counts everywhere. Batch and bisect, and change by change, take a red run's word for it; "
        "the queue runs what failed once more on the same tree and on the tip, and what was dropped once more on the "
        "final tip. Where the suite is known by its exit code alone, these are runs of all of it.\n"
    )


def _judged(row: dict[str, Sample], changes: int) -> int:
    missed = 0
    for arrival in ARRIVALS:
        share = statistics.mean(row[f"files, {arrival}"].whole) / changes
        print(f"at {COUNTED:.0%}, {arrival}: {share:.3f} of change by change (at most {AT_MOST:.3f})", file=sys.stderr)
        missed += share > AT_MOST
    return int(missed > 0)


def _document(told: str) -> None:
    """Put the table where the documentation has it."""
    begin, end = MARKS
    before, _, rest = DOCS.read_text().partition(begin)
    _, _, after = rest.partition(end)
    DOCS.write_text(f"{before.rstrip()}\n\n{begin}\n\n{told}\n{end}{after or chr(10)}")


if __name__ == "__main__":
    sys.exit(main())
