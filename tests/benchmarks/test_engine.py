"""The engine's benchmark: what it measures is right, and what it tells follows from what it measured."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import engine
from engine_peers import plot, session, tables
from engine_peers.case import Case, Run
from engine_peers.floors import Floor, floors
from engine_peers.plan import FULL, PEERS, QUICK, SECTIONS, Cell, cells
from engine_peers.results import Results
from engine_peers.worker import Probe, Sample, memory, timed

NAMED = ("beyond_bytes", "p99_ms", "peak", "serial_s", "parallel_s", "distinct", "raced", "ended", "captured", "states")
YIELD = Case("grid", "yield", 1_000, 64)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """A quick run of everything that needs no installation: its exit code, and where its results are."""
    out = tmp_path_factory.mktemp("results")
    return engine.main(["--quick", "--no-peers", "--seed", "7", "--out", str(out)]), out


def measured(*figures: tuple[str, Case, float]) -> Results:
    """Results with these CPU µs a branch."""
    results = Results()
    for peer, case, cpu_us in figures:
        results.add(peer, case, Sample(cpu_s=cpu_us * case.n / 1e6, wall_s=cpu_us * case.n / 1e6, runs=1))
    return results


def probe_of(call: Callable[[Case], Any]) -> Probe:
    """A peer that answers with what `call` makes of the case."""

    @asynccontextmanager
    async def probe(_: str, case: Case) -> AsyncIterator[Run]:
        async def answer() -> Any:
            return call(case)

        yield Run(answer, lambda found: found[0])

    return probe


def test_quick_run_gets_every_result_right(quick: tuple[int, Path]) -> None:
    code, out = quick
    assert not Results.load(out / "engine.json").wrong()
    assert code == 0


def test_every_planned_case_is_measured_or_said_to_be_left_out(quick: tuple[int, Path]) -> None:
    results = Results.load(quick[1] / "engine.json")
    planned = {(cell.peer, cell.case) for cell in cells(QUICK, SECTIONS, with_peers=False)}
    assert planned == set(results.samples) | set(results.left_out)


def test_kept_results_tell_the_same_again(quick: tuple[int, Path]) -> None:
    told = (quick[1] / "engine.md").read_text()
    assert engine.main(["--again", "--quick", "--out", str(quick[1])]) == 0
    assert (quick[1] / "engine.md").read_text() == told


def test_imports_bring_in_nothing_heavy(quick: tuple[int, Path]) -> None:
    results = Results.load(quick[1] / "engine.json")
    assert results.notes["heavy_imports"] == []
    assert set(results.imports) == {"fanfold", "fanfold.engine", "pydantic"}


def test_seed_is_kept_with_the_results(quick: tuple[int, Path]) -> None:
    assert json.loads((quick[1] / "engine.json").read_text())["notes"]["seed"] == 7


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ([1, 3, 5], ""),
        ([1, 3], "2 values instead of 3"),
        ([1, 5, 3], "value 1 is 5 instead of 3"),
    ],
)
async def test_results_are_compared_with_what_is_expected(values: list[int], wrong: str) -> None:
    sample = await timed(probe_of(lambda _: [values]), "fake", Case("grid", "trivial", 3, None), 0.0, 1)
    assert sample.wrong == wrong


async def test_wrong_result_ends_the_repetitions_and_yields_no_figure() -> None:
    case = Case("grid", "trivial", 3, None)
    sample = await timed(probe_of(lambda _: [[]]), "fake", case, 60.0, 1_000)
    results = Results()
    results.add("gather", case, sample)
    assert sample.runs == 1
    assert results.cpu_us("gather", case) is None
    assert results.wrong() == [("gather", case, "0 values instead of 3")]


async def test_memory_counts_what_is_not_returned() -> None:
    def call(case: Case) -> Any:
        kept, gone = bytearray(1_000_000), bytearray(8_000_000)
        return case.expected(), kept, len(gone)

    sample = await memory(probe_of(call), "fake", Case("memory", "yield", 10, None))
    assert 8e6 <= sample.extra["beyond_bytes"] < 8.1e6
    assert 1e6 <= sample.extra["outcomes_bytes"] < 1.1e6


def test_figure_is_the_median_over_the_rounds() -> None:
    results = measured(*(("fanfold", YIELD, cpu_us) for cpu_us in (9.0, 5.0, 6.0)))
    assert results.cpu_us("fanfold", YIELD) == pytest.approx(6.0)
    assert results.least_us("fanfold", YIELD) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("figure", "relation", "holds"),
    [
        (2.0, "at least", True),
        (1.9, "at least", False),
        (2.0, "at most", True),
        (2.1, "at most", False),
        (2.0, "under", False),
        (2.0, "exactly", True),
        (None, "at least", None),
    ],
)
def test_floor_holds_within_its_bound(figure: float | None, relation: Any, holds: bool | None) -> None:
    assert Floor("what", figure, relation, 2.0).holds is holds


def test_floors_are_ratios_of_one_run() -> None:
    results = measured(("fanfold", YIELD, 6.0), ("langgraph", YIELD, 180.0), ("semaphore", YIELD, 5.0))
    found = {floor.what: floor for floor in floors(results)}
    versus_langgraph = found["LangGraph / Fanfold, yield, N = 1,000"]
    assert versus_langgraph.figure == pytest.approx(30.0)
    assert versus_langgraph.holds
    assert found["Fanfold / `gather` + `Semaphore`, yield, N = 1,000"].holds is False
    assert found["aiometer / Fanfold, yield, N = 1,000"].holds is None


def test_missed_floor_is_told_and_fails_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured(("fanfold", YIELD, 6.0), ("semaphore", YIELD, 5.0)).save(tmp_path / "engine.json")
    assert engine.main(["--again", "--out", str(tmp_path)]) == 1
    assert "| 1.20 times | at most 1 | **missed** |" in capsys.readouterr().out


def test_wrong_result_fails_the_run_even_where_floors_are_not_judged(tmp_path: Path) -> None:
    results = Results()
    results.add("gather", YIELD, Sample(runs=1, wrong="0 values instead of 1000"))
    results.save(tmp_path / "engine.json")
    assert engine.main(["--again", "--quick", "--out", str(tmp_path)]) == 1


def test_cases_that_are_lost_are_told() -> None:
    told = tables.markdown(measured(("fanfold", YIELD, 6.0), ("semaphore", YIELD, 5.0), ("aiometer", YIELD, 30.0)))
    lost = told.partition("## Where Fanfold is slower")[2]
    assert "`gather` + `Semaphore`: grid, yield, N = 1,000, limit 64 | 5 | 6 | 1.20 |" in lost
    assert "aiometer" not in lost


def test_what_is_left_out_says_why() -> None:
    left_out = [cell for cell in cells(FULL, SECTIONS, with_peers=True) if cell.why_not]
    assert {cell.why_not for cell in left_out if cell.peer == "llama-index"} == {"takes over 240 s"}
    results = Results()
    for cell in left_out:
        results.leave_out(cell.peer, cell.case, cell.why_not)
    assert "llama-index-workflows at N = 10,000: takes over 240 s" in tables.markdown(results)


def test_full_plan_has_every_case_that_a_floor_stands_on() -> None:
    results = Results()
    for cell in cells(FULL, SECTIONS, with_peers=True):
        extra = dict.fromkeys(NAMED, 8.0)
        results.add(cell.peer, cell.case, Sample(cpu_s=1.0, wall_s=1.0, runs=1, extra=extra))
    results.imports = {"fanfold": [1.0], "pydantic": [1.0]}
    results.notes["heavy_imports"] = []
    assert [floor.what for floor in floors(results) if floor.figure is None] == []


def test_seed_repeats_the_order_of_every_round() -> None:
    planned = cells(FULL, SECTIONS, with_peers=True)
    first, second = (random.Random(7), random.Random(7))
    orders = [session.shuffled(planned, number, first) for number in range(3)]
    assert orders == [session.shuffled(planned, number, second) for number in range(3)]
    assert orders[0] != orders[1] != planned


def test_cell_runs_in_as_many_rounds_as_it_is_planned_for() -> None:
    planned = [Cell("fanfold", YIELD), Cell("langgraph", YIELD, rounds=1), Cell("llama-index", YIELD, why_not="slow")]
    orders = [session.shuffled(planned, number, random.Random(number)) for number in range(3)]
    assert [{cell.peer for cell in order} for order in orders] == [{"fanfold", "langgraph"}, {"fanfold"}, {"fanfold"}]


def test_peer_that_can_not_be_run_is_told_and_stops_nobody(tmp_path: Path) -> None:
    missing = tmp_path / "python"
    missing.write_text("#!/bin/sh\necho no such peer >&2\nexit 1\n")
    missing.chmod(0o755)
    results = session.run(
        [Cell("aiometer", YIELD), Cell("gather", YIELD)], python=missing, rounds=1, seed=1, at_least_s=0, tell=print
    )
    assert {(peer, why) for peer, _, why in results.wrong()} == {
        ("aiometer", "no such peer"),
        ("gather", "no such peer"),
    }


def test_without_peers_nothing_is_planned_that_has_to_be_installed() -> None:
    planned = cells(FULL, SECTIONS, with_peers=False)
    assert {cell.peer for cell in planned} == {name for name, peer in PEERS.items() if not peer.is_installed}


def test_plot_has_every_peer_that_was_measured() -> None:
    drawn = plot.bars(measured(("fanfold", YIELD, 6.0), ("langgraph", YIELD, 180.0)), 1_000)
    assert {"Fanfold", "LangGraph", "6", "180"} <= {element.text for element in ET.fromstring(drawn).iter()}


def test_nothing_is_drawn_of_what_was_not_measured() -> None:
    assert plot.bars(measured(("fanfold", YIELD, 6.0)), 10_000) == ""


def test_state_plot_has_a_line_for_each_way_to_isolate() -> None:
    figures = [
        (peer, Case("state", "read one", 10, 64, size, variant), size / 100)
        for peer, variant in (("fanfold", "dict"), ("deepcopy", ""))
        for size in FULL.sizes
    ]
    drawn = ET.fromstring(plot.lines(measured(*figures)))
    assert len([element for element in drawn.iter() if element.tag.endswith("polyline")]) == 2


def test_tables_and_plots_are_put_between_the_marks_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "benchmarks.md").write_text(f"# Before\n\n{engine.BEGIN}\nfigures of another run\n{engine.END}\n\nafter\n")
    monkeypatch.setattr(engine, "DOCS", docs)
    measured(("fanfold", YIELD, 6.0), ("langgraph", YIELD, 180.0)).save(tmp_path / "engine.json")
    assert engine.main(["--again", "--docs", "--out", str(tmp_path)]) == 0
    page = (docs / "benchmarks.md").read_text()
    assert page.startswith("# Before\n")
    assert page.endswith("after\n")
    assert "figures of another run" not in page
    assert "![" in page
    assert (docs / "benchmarks" / "engine-1000.svg").exists()
