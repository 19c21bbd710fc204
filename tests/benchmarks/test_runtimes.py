"""The runtimes' benchmark: what it measures is right, and what it tells follows from what it measured."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import runtimes
from engine_peers.results import Results
from engine_peers.worker import Sample
from fanfold.testing import clock
from runtime_peers import kills, tables
from runtime_peers.costs import SIMULATED, TWO_WORKERS, coordinators
from runtime_peers.fleet import Fleet, Scenario
from runtime_peers.floors import floors
from runtime_peers.flows import Mark, leave, marks_in
from runtime_peers.plan import BATCHES, FULL, QUICK, SECTIONS, cells, few_at_once, overhead
from runtime_peers.scale import BARE, HARSH, WORLDS, world
from runtime_peers.simulate import Simulated, simulated

CASE = overhead(1_000)
FEW = replace(HARSH, branches=300, workers=20)
EXTRA = {"grown_bytes": 1e8, "ideal_s": 1_000.0, "lost": 4.0, "hedged": 0.0, "share": 0.5}
SURE = replace(FEW, slow_share=0.0, lives_s=0.0)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """A quick run of everything that needs no installation: its exit code, and where its results are."""
    out = tmp_path_factory.mktemp("results")
    return runtimes.main(["--quick", "--no-peers", "--seed", "7", "--out", str(out)]), out


def measured(**cpu_us: float) -> Results:
    """Results with these CPU µs a branch at N = 1,000, underscores for hyphens."""
    results = Results()
    for peer, figure in cpu_us.items():
        results.add(peer.replace("_", "-"), CASE, Sample(cpu_s=figure * CASE.n / 1e6, wall_s=1.0, runs=1))
    return results


def test_quick_run_gets_every_result_right(quick: tuple[int, Path]) -> None:
    code, out = quick
    assert not Results.load(out / "runtimes.json").wrong()
    assert code == 0


def test_quick_run_measures_every_planned_case(quick: tuple[int, Path]) -> None:
    results = Results.load(quick[1] / "runtimes.json")
    planned = {(cell.peer, cell.case) for cell in cells(QUICK, SECTIONS, with_peers=False)}
    planned |= {("native-journal", kills.killing(QUICK))}
    planned |= {(SIMULATED, world(QUICK, name)) for name, each in WORLDS.items() if each.coordinator != "cluster"}
    assert planned <= set(results.samples)


def test_killed_run_is_resumed_and_runs_nothing_again_that_it_knew(quick: tuple[int, Path]) -> None:
    results = Results.load(quick[1] / "runtimes.json")
    (sample,) = results.samples["native-journal", kills.killing(QUICK)]
    assert sample.extra["ended"] > 0
    assert sample.extra["known_again"] == 0


def test_kept_results_tell_the_same_again(quick: tuple[int, Path]) -> None:
    told = [(quick[1] / name).read_text() for name in ("runtimes.md", "scale.md")]
    assert runtimes.main(["--again", "--quick", "--out", str(quick[1])]) == 0
    assert [(quick[1] / name).read_text() for name in ("runtimes.md", "scale.md")] == told


def test_langgraph_and_a_cluster_give_the_results_that_are_expected(tmp_path: Path) -> None:
    asked = ("plain-saver", "cluster-journal")  # the runtime on LangGraph is killed and resumed, see below
    peers = [part for peer in asked for part in ("--peer", peer)]
    assert runtimes.main(["--quick", "--only", "overhead", *peers, "--out", str(tmp_path)]) == 0
    results = Results.load(tmp_path / "runtimes.json")
    assert {peer for peer, _ in results.samples} == set(asked)


@pytest.mark.parametrize("peer", ["langgraph-journal-saver", pytest.param("plain-saver", marks=pytest.mark.soak)])
def test_killed_langgraph_run_is_resumed(peer: str, tmp_path: Path) -> None:
    assert runtimes.main(["--quick", "--only", "kills", "--peer", peer, "--out", str(tmp_path)]) == 0
    (sample,) = Results.load(tmp_path / "runtimes.json").samples[peer, kills.killing(QUICK)]
    assert (sample.extra["again"] == sample.extra["ended"] > 0) is (peer == "plain-saver")


def test_floors_are_ratios_of_one_run() -> None:
    found = floors(measured(langgraph=260.0, plain=200.0, plain_saver=900.0, langgraph_journal=950.0))
    assert [floor.holds for floor in found] == [True, False]
    assert found[0].figure == pytest.approx(1.3)


def test_missed_floor_fails_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured(langgraph=280.0, plain=200.0).save(tmp_path / "runtimes.json")
    assert runtimes.main(["--again", "--out", str(tmp_path)]) == 1
    assert "| 1.40 times | at most 1.3 | **missed** |" in capsys.readouterr().out


def test_full_plan_has_every_case_that_a_floor_stands_on() -> None:
    results = Results()
    for cell in cells(FULL, SECTIONS, with_peers=True):
        results.add(cell.peer, cell.case, Sample(cpu_s=1.0, wall_s=1.0, runs=1))
    assert [floor.what for floor in floors(results) if floor.figure is None] == []


def test_coordinator_costs_what_a_runtime_takes_beyond_what_is_simulated() -> None:
    results = measured(native=10.0, native_journal=60.0)
    results.add("cluster", few_at_once(1_000), Sample(cpu_s=0.5, wall_s=1.0, runs=1))
    results.add(SIMULATED, TWO_WORKERS, Sample(cpu_s=0.1, wall_s=1.0, runs=1))
    assert [(each.kind, each.placement_us) for each in coordinators(results)] == [
        ("engine", 0.0),
        ("engine", pytest.approx(50.0)),
        ("cluster", 0.0),
        ("cluster", pytest.approx(400.0)),
    ]


def test_branches_in_batches_cost_their_own_share() -> None:
    results = Results()
    for cell in cells(FULL, ("batches",), with_peers=True):
        if cell.peer == "dask":
            sample = Sample(cpu_s=cell.case.n / 1e6 * 900 / int(cell.case.variant), runs=1)
            results.add(cell.peer, cell.case, sample)
    found = [each.placement_us for each in coordinators(results)]
    assert found == pytest.approx([0.0, *(900 / size for size in BATCHES)])


@pytest.mark.parametrize("coordinator", ["engine", "cluster", "none"])
def test_simulated_run_does_every_branch_whatever_befalls_its_workers(coordinator: str) -> None:
    came = simulated(replace(FEW, lives_s=30.0, coordinator=coordinator))
    assert came.done == 300
    assert came.lost > 0


def test_simulated_run_without_trouble_is_as_long_as_its_work() -> None:
    came = simulated(replace(SURE, spread=0.0))
    assert came.took_s == pytest.approx(150.0)
    assert came.ideal_s == pytest.approx(150.0)


def test_same_seed_simulates_the_same() -> None:
    def of(came: Simulated) -> tuple[float, int, int]:
        return came.took_s, came.lost, came.hedged

    assert of(simulated(FEW)) == of(simulated(FEW)) != of(simulated(replace(FEW, seed=2)))


def test_hedged_branch_ends_with_the_first_of_its_copies() -> None:
    slow = replace(FEW, slow_share=0.2, lives_s=0.0, spread=0.0)
    hedged = simulated(replace(slow, hedge_after=2.0))
    assert hedged.hedged > 0
    assert hedged.done == 300
    assert hedged.took_s < simulated(slow).took_s


def test_busy_coordinator_keeps_its_workers_waiting() -> None:
    busy = simulated(replace(SURE, spread=0.0, is_busy=True, placement_s=1.0))
    assert busy.took_s > 300.0


def test_no_worker_does_two_branches_at_once() -> None:
    scenario = replace(FEW, branches=50, workers=5, lives_s=20.0, hedge_after=1.5, slow_share=0.3)
    busy: set[int] = set()
    most = 0

    async def watched() -> Fleet:
        fleet = Fleet(scenario, spend=lambda _: None)
        take, give = fleet._take, fleet._give

        async def taking() -> int:
            nonlocal most
            worker = await take()
            assert worker not in busy
            busy.add(worker)
            most = max(most, len(busy))
            return worker

        def giving(worker: int) -> None:
            busy.discard(worker)
            give(worker)

        fleet._take, fleet._give = taking, giving  # type: ignore[method-assign]
        await asyncio.gather(*(fleet.place(number) for number in range(50)))
        return fleet

    fleet = clock.run(watched())
    assert most == 5
    assert fleet.lost > 0
    assert fleet.hedged > 0


def test_marks_are_read_as_they_were_left(tmp_path: Path) -> None:
    leave(str(tmp_path / "marks"), "began", 3)
    (mark,) = marks_in(tmp_path / "marks")
    assert (mark.what, mark.number) == ("began", 3)
    assert marks_in(tmp_path / "none") == []


def test_known_outcome_that_runs_again_is_wrong() -> None:
    case = kills.killing(replace(QUICK, killed=2))
    before = [Mark(what, 0, 1, 1.0) for what in ("began", "ended", "told")]
    after = [Mark(what, number, 2, 3.0) for number in (0, 1) for what in ("began", "ended", "told")]
    told = {"ended": 4.0, "results": case.expected()}
    sample = kills.judged("native-journal", case, 0.01, [*before, *after], 2.0, 2.5, told)
    assert sample.wrong == "1 branches ran again whose outcomes were known"
    assert sample.extra["again"] == 1


def test_branch_that_ended_unknown_to_the_run_may_run_again() -> None:
    case = kills.killing(replace(QUICK, killed=1))
    marks = [Mark("began", 0, 1, 1.0), Mark("ended", 0, 1, 1.5), Mark("began", 0, 2, 3.0)]
    sample = kills.judged("native-journal", case, 0.01, marks, 2.0, 2.5, {"ended": 4.0, "results": [1]})
    assert (sample.wrong, sample.extra["again"], sample.extra["known_again"]) == ("", 1, 0)


def test_wrong_results_of_a_resumed_run_are_told() -> None:
    case = kills.killing(replace(QUICK, killed=1))
    marks = [Mark("began", 0, 1, 1.0), Mark("began", 0, 2, 3.0)]
    sample = kills.judged("native-journal", case, 0.01, marks, 2.0, 2.5, {"ended": 4.0, "results": [7]})
    assert sample.wrong == "the results are not those of an undisturbed run"


def test_tables_of_a_simulation_tell_what_the_coordinator_adds() -> None:
    results = Results()
    for name, cpu_us in ((BARE, 14.0), ("stragglers and deaths", 37.0)):
        case = world(FULL, name)
        results.add(SIMULATED, case, Sample(cpu_s=cpu_us * case.n / 1e6, wall_s=2_000.0, runs=1, extra=EXTRA))
    assert "| stragglers and deaths | 37.0 | 23.0 | 100 | 2,000 | 1,000 | 50 | 4 | 0 |" in tables.scale_markdown(
        results
    )


def test_scenario_is_what_the_documents_ask_for() -> None:
    assert (Scenario().branches, Scenario().workers) == (FULL.simulated, FULL.fleet) == (100_000, 1_000)


def test_tables_are_put_between_the_marks_of_both_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    monkeypatch.setattr(runtimes, "DOCS", docs)
    for name, (begin, end) in (("benchmarks.md", runtimes.MARKS), ("scale.md", runtimes.SCALE_MARKS)):
        (docs / name).write_text(f"# Before\n\n{begin}\nfigures of another run\n{end}\n\nafter\n")
    results = measured(langgraph=200.0, plain=200.0)
    results.add(SIMULATED, world(FULL, BARE), Sample(cpu_s=1.0, wall_s=1.0, runs=1, extra=EXTRA))
    results.save(tmp_path / "runtimes.json")
    assert runtimes.main(["--again", "--docs", "--out", str(tmp_path)]) == 0
    for name, figures in (("benchmarks.md", "LangGraph runtime / plain LangGraph"), ("scale.md", BARE)):
        page = (docs / name).read_text()
        assert page.startswith("# Before\n")
        assert page.endswith("\n\nafter\n")
        assert "figures of another run" not in page
        assert f"| {figures}" in page
    assert (docs / "benchmarks" / runtimes.PLOT).exists()


def test_what_was_not_measured_stays_as_it_is_in_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "DOCS", tmp_path / "docs")
    (tmp_path / "docs").mkdir()
    Results().save(tmp_path / "runtimes.json")
    assert runtimes.main(["--again", "--docs", "--out", str(tmp_path)]) == 0
    assert list((tmp_path / "docs").iterdir()) == []
