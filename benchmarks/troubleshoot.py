"""`fanfold troubleshoot` on incidents with a known cause, and how long asking all sources at once takes.

    python benchmarks/troubleshoot.py [--only NAME] [--blind | --principles] [--section scenarios|times]
        [--explain] [--routed]

Two sections:

- scenarios: each incident of benchmarks/scenarios through the real flow and the real sources: a scheduler and a
  Prometheus over HTTP on loopback, log files, the starter set of knowledge. No model. Printed by class: right cause and
  object at rank 1, required evidence cited, held up jobs named, right status; false citations must be 0. With --blind
  those of scenarios/blind instead, which are run once and reported apart; with --principles those of
  scenarios/principles, which tell in other words what rules are for. With --routed the router decides, from the
  message alone, what is wanted and whom to ask; else a cause is wanted, and all are asked.
- times: sources that take as long as they are told to; the wall time of the parallel phase beside the slowest source
  and beside the same sources one after another, measured in the same run.

Raw results go to benchmarks/results/troubleshoot.json, troubleshoot-blind.json and -principles.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fanfold.testing.metrics import FakePrometheus
from fanfold.testing.scenarios import Line, Scenario, Verdict, judge, load_scenarios
from fanfold.testing.scheduler import FakeScheduler
from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.desk import Desk
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.flow import troubleshoot_flow
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.run import asked, troubleshoot
from fanfold.troubleshoot.settings import ParallelConfig
from fanfold.troubleshoot.sources.knowledge import Knowledge
from fanfold.troubleshoot.sources.logs import Logs
from fanfold.troubleshoot.sources.metrics import Metrics
from fanfold.troubleshoot.sources.protocol import Source, SourceError
from fanfold.troubleshoot.sources.workload import Workload
from fanfold.troubleshoot.state import ParallelState, answer_of

HERE = Path(__file__).parent
RESULTS = HERE / "results"
LEAST_RIGHT = 0.8
MOST_OVERHEAD_MS = 10.0
TIMED_RUNS = 15
USER, PASSWORD = "operator", "operator"


@dataclass(frozen=True)
class Row:
    """What came of one incident."""

    name: str
    wanted: str
    status: str
    causes: list[str]
    objects: list[str]
    verdict: dict[str, bool]
    right: bool
    false_citations: int
    pieces: int


class Pieces:
    """Evidence from elsewhere, as it is."""

    name = "elsewhere"
    timeout_s = 5.0

    def __init__(self, scenario: Scenario) -> None:
        self._pieces = [
            Evidence(source=self.name, kind=one.kind, subject=one.subject, text=one.text, facts=one.facts, at=one.at)
            for one in scenario.pieces
        ]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Nothing to hold."""
        yield

    async def ask(self, _: Incident) -> Sequence[Evidence]:
        """All of it."""
        return self._pieces


class Down:
    """A source that doesn't answer."""

    timeout_s = 5.0

    def __init__(self, name: str) -> None:
        self.name = name

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Nothing to hold."""
        yield

    async def ask(self, _: Incident) -> Sequence[Evidence]:
        """Refuse."""
        raise SourceError("connection refused", hint="start it")


def written(lines: Iterable[Line]) -> str:
    """The lines as a machine writes them: one JSON object each, in the order of time."""
    out = []
    for line in lines:
        said = {"level": line.level, "host": line.host, "job": line.job, "message": line.message}
        for again in range(line.times):
            at = line.at + timedelta(seconds=again)
            out.append((at, json.dumps({"timestamp": at.isoformat(), **{k: v for k, v in said.items() if v}})))
    return "".join(f"{text}\n" for _, text in sorted(out))


@asynccontextmanager
async def sources_of(scenario: Scenario, folder: Path) -> AsyncIterator[dict[str, Source]]:
    """The sources of an incident, and the systems behind them."""
    own = folder / scenario.name
    own.mkdir()
    (own / "password").write_text(PASSWORD)
    (own / "lines.log").write_text(written(scenario.lines))
    async with AsyncExitStack() as stack:
        scheduler = await stack.enter_async_context(FakeScheduler(scenario.scheduled(), user=USER, password=PASSWORD))
        prometheus = await stack.enter_async_context(FakePrometheus(scenario.series))
        signed = {"user": USER, "password": {"file": str(own / "password")}}
        sources: dict[str, Source] = {
            "tws_status": Workload.make({"url": scheduler.url, **signed}, own),
            "rag_search": Knowledge.make({"index": str(folder / "knowledge.sqlite")}, own),
            "log_cache": Logs.make({"paths": [str(own / "lines.log")], "timezone": "UTC"}, own),
            "metrics": Metrics.make({"url": prometheus.url}, own),
        }
        if scenario.pieces:
            sources["elsewhere"] = Pieces(scenario)
        yield {name: Down(name) if name in scenario.down else source for name, source in sources.items()}


async def run_scenario(scenario: Scenario, folder: Path, *, routed: bool) -> tuple[ParallelState, Answer]:
    """One incident through the flow, at the time when it was asked."""
    config = ParallelConfig()
    state: ParallelState = {**asked(scenario.message), "asked_at": scenario.now.isoformat()}
    if not routed:
        state["intent"] = "troubleshoot"
    async with sources_of(scenario, folder) as sources, Desk(config=config, sources=sources).opened() as desk:
        result = await troubleshoot_flow(config).run(state, context=desk)
    return result.state, answer_of(result.state["answer"])


def cited(answer: Answer) -> list[str]:
    """All ids that the answer cites."""
    claims = (*answer.blast_radius, *answer.next_steps, *answer.prevention)
    own = [id_ for one in answer.hypotheses for id_ in (*one.evidence, *one.against)]
    return [*own, *(id_ for claim in claims for id_ in claim.evidence)]


def row_of(scenario: Scenario, answer: Answer) -> Row:
    """The verdict on an answer."""
    known = {piece.id for piece in answer.evidence}
    verdict: Verdict = judge(answer, scenario.expected)
    claims = (*answer.blast_radius, *answer.next_steps, *answer.prevention)
    empty = sum(not one.evidence for one in answer.hypotheses) + sum(not claim.evidence for claim in claims)
    return Row(
        name=scenario.name,
        wanted=", ".join(scenario.expected.classes) or scenario.expected.status,
        status=answer.status,
        causes=[f"{one.cause} {one.confidence:.2f}" for one in answer.hypotheses],
        objects=[one.object for one in answer.hypotheses],
        verdict=asdict(verdict),
        right=verdict.right,
        false_citations=sum(1 for id_ in cited(answer) if id_ not in known) + empty,
        pieces=len(answer.evidence),
    )


def explain(scenario: Scenario, row: Row, answer: Answer) -> None:
    """Print what a wrong answer was made of."""
    print(f"\n== {scenario.name}: {row.verdict}\n   {scenario.message}")
    print(f"   wanted {row.wanted} {scenario.expected.objects}")
    print(f"   cite {scenario.expected.cite} blast {scenario.expected.blast}")
    print(f"   {answer.status}: {answer.summary}")
    for one in answer.hypotheses:
        print(f"   {one.confidence:.2f} {one.cause}: {one.object!r} {one.evidence}")
    for piece in answer.evidence:
        text = piece.text.replace("\n", "\n          ")
        print(f"      {piece.id} {piece.kind} {piece.subject} {piece.codes} {text}")
    for source in answer.sources:
        print(f"      {source.source}: {len(source.evidence)} {source.error or ''}")


async def evaluate(scenarios: Sequence[Scenario], *, explained: bool, routed: bool) -> list[Row]:
    """All incidents, one after another."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for scenario in scenarios:
            _, answer = await run_scenario(scenario, Path(name), routed=routed)
            row = row_of(scenario, answer)
            rows.append(row)
            if explained and not all(row.verdict.values()):
                explain(scenario, row, answer)
    return rows


def print_rows(rows: Sequence[Row]) -> None:
    """The table by class, and the sums."""
    by_class: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_class[row.wanted.partition(",")[0]].append(row)
    print(f"{'class':22} {'n':>3} {'right':>6} {'object':>7} {'cited':>6} {'held up':>8} {'false':>6}")
    for name, those in (*sorted(by_class.items()), ("all", list(rows))):
        sums = [sum(row.verdict[part] for row in those) for part in ("cause", "object", "cited", "blast")]
        false = sum(row.false_citations for row in those)
        right = sum(row.right for row in those)
        print(f"{name:22} {len(those):3} {right:6} {sums[1]:7} {sums[2]:6} {sums[3]:8} {false:6}")
    abstained = [row for row in rows if row.wanted in ("abstained", "unknown")]
    healthy = [row for row in rows if row.wanted == "healthy"]
    print(f"right at rank 1: {sum(row.right for row in rows)}/{len(rows)}")
    print(f"rightly not answered: {sum(row.right for row in abstained)}/{len(abstained)}")
    print(f"rightly healthy: {sum(row.right for row in healthy)}/{len(healthy)}")
    print(f"false citations: {sum(row.false_citations for row in rows)}")


class Slow:
    """A source that takes its time, or fails after it."""

    timeout_s = 30.0

    def __init__(self, name: str, delay_ms: float, *, fails: bool = False) -> None:
        self.name, self.delay_ms, self._fails = name, delay_ms, fails

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Nothing to hold."""
        yield

    async def ask(self, _: Incident) -> Sequence[Evidence]:
        """A note, late."""
        await asyncio.sleep(self.delay_ms / 1000)
        if self._fails:
            raise SourceError("connection reset", hint="try again")
        return [Evidence(source=self.name, kind="note", subject=self.name, text="nothing of note")]


# The rows of the performance table, and what it promises: milliseconds one after another, and at once. Delays are in
# the order of NAMES, with whether that source fails.
TIMES = {
    "best": ((200, False), (150, False), (150, False), (100, False)),
    "typical": ((300, False), (500, False), (100, False), (50, False)),
    "one slow": ((300, False), (800, False), (300, False), (100, False)),
    "failures": ((300, False), (500, True), (300, False), (100, True)),
}
PROMISED = {"best": (600, 200), "typical": (900, 500), "one slow": (1500, 800), "failures": (1200, 500)}
NAMES = ("tws_status", "rag_search", "log_cache", "metrics")


async def timed(delays: Sequence[tuple[float, bool]], runs: int) -> dict[str, Any]:
    """The medians of some runs, each of them at once and then one after another."""
    slow = {name: Slow(name, ms, fails=fails) for name, (ms, fails) in zip(NAMES, delays, strict=True)}
    walls, sequential, kept = [], [], []
    for _ in range(runs):
        state = await troubleshoot("Job BATCH001 failed with S0C7", dict(slow), compare_sequential=True)
        walls.append(state["metadata"]["parallel_wall_ms"])
        sequential.append(state["metadata"]["measured_sequential_ms"])
        kept.append(sum(1 for one in state["parallel_results"] if one["success"]))
    slowest = max(ms for ms, _ in delays)
    wall, one_by_one = statistics.median(walls), statistics.median(sequential)
    return {
        "slowest_ms": slowest,
        "parallel_ms": wall,
        "over_ms": wall - slowest,
        "worst_over_ms": max(walls) - slowest,
        "sequential_ms": one_by_one,
        "speedup": one_by_one / wall,
        "answered": min(kept),
        "runs": runs,
    }


async def measure() -> dict[str, dict[str, Any]]:
    """All rows of times."""
    await timed(((1, False),) * 4, 1)
    rows = {}
    heads = ("slowest", "parallel", "over", "sequential", "speedup", "answered")
    print("\n{:10} {:>9} {:>9} {:>8} {:>11} {:>8} {:>9}  promised".format("", *heads))
    for name, delays in TIMES.items():
        row = rows[name] = await timed(delays, TIMED_RUNS)
        print(
            f"{name:10} {row['slowest_ms']:6.0f} ms {row['parallel_ms']:6.1f} ms {row['over_ms']:5.1f} ms"
            f" {row['sequential_ms']:8.1f} ms {row['speedup']:7.2f}x {row['answered']:>7}/4"
            f"  {PROMISED[name][0]} -> {PROMISED[name][1]} ms"
        )
    return rows


def main() -> int:
    """Run and print; 1 where a floor isn't kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only")
    parser.add_argument("--blind", dest="part", action="store_const", const="blind", default="")
    parser.add_argument("--principles", dest="part", action="store_const", const="principles")
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--routed", action="store_true")
    parser.add_argument("--section", choices=("scenarios", "times"))
    given = parser.parse_args()
    fine = True
    results: dict[str, Any] = {}
    path = RESULTS / (f"troubleshoot-{given.part}.json" if given.part else "troubleshoot.json")
    if path.exists():
        results = json.loads(path.read_text())
    if given.section != "times":
        folder = HERE / "scenarios" / given.part
        scenarios = [one for one in load_scenarios(folder) if given.only in (None, one.name)]
        rows = asyncio.run(evaluate(scenarios, explained=given.explain, routed=given.routed))
        print_rows(rows)
        results["scenarios"] = [asdict(row) for row in rows]
        fine &= sum(row.right for row in rows) >= LEAST_RIGHT * len(rows) and not any(r.false_citations for r in rows)
    if given.section != "scenarios" and not given.part:
        results["times"] = asyncio.run(measure())
        fine &= all(row["over_ms"] <= MOST_OVERHEAD_MS for row in results["times"].values())
    if given.only is None:
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
