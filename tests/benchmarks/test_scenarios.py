"""The scenarios that a troubleshooter is judged by: that they can be, and that what they expect can be known."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from fanfold.testing.scenarios import Expected, Scenario, judge, load_scenarios
from fanfold.testing.scheduler.documents import engine_of, job_v2, workstation_v2
from fanfold.testing.scheduler.joblog import lines_of
from fanfold.testing.scheduler.plan import Plan
from fanfold.troubleshoot.answer import Answer, Claim, Hypothesis
from fanfold.troubleshoot.evidence import Evidence, Kind
from fanfold.troubleshoot.incident import Incident

FOLDER = Path(__file__).parents[2] / "benchmarks" / "scenarios"
SCENARIOS = load_scenarios(FOLDER)
CAUSES = tomllib.loads((files("fanfold.troubleshoot.rules") / "causes.toml").read_text("utf-8"))
SOURCES = {"tws_status", "log_cache", "metrics", "rag_search"}
PORTUGUESE = re.compile(
    r"\b(?:não|caiu|está|tá|foi|abendou|falhou|falharam|deu|parou|terminou|morreu|era pra|caíram|faz|vocês|"
    r"alguma|fora do ar|ainda|erro|abend no)\b",
    re.IGNORECASE,
)

each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


def times_in(scenario: Scenario) -> Iterator[datetime | None]:
    """When everything that is evidence was."""
    for job in scenario.scheduled().jobs:
        yield job.changed
        for run in job.runs:
            yield from (run.started, run.ended)
    for line in scenario.lines:
        yield line.at + timedelta(seconds=line.times - 1)
    for series in scenario.series:
        yield from (series.since, series.until)
    for piece in scenario.pieces:
        yield piece.at
        yield from (
            datetime.fromisoformat(str(piece.facts[name])) for name in ("first", "last", "since") if name in piece.facts
        )


def said_in(scenario: Scenario) -> str:
    """All that the sources which answer say."""
    plan = scenario.scheduled() if "tws_status" not in scenario.down else Plan(now=scenario.now)
    said: list[object] = [engine_of(plan), *(job_v2(plan, job) for job in plan.jobs)]
    said += [workstation_v2(plan, workstation) for workstation in plan.all_workstations()]
    said += [f"RC={run.exit_status}" for job in plan.jobs for run in job.runs]
    said += [line for job in plan.jobs for run in job.runs for line in lines_of(plan, job, run)]
    said += [asdict(line) for line in scenario.lines] if "log_cache" not in scenario.down else []
    said += [asdict(series) for series in scenario.series] if "metrics" not in scenario.down else []
    said += [asdict(piece) for piece in scenario.pieces]
    return json.dumps(said, default=str, ensure_ascii=False).casefold()


def test_there_are_enough_of_them_and_enough_in_portuguese() -> None:
    portuguese = [scenario.name for scenario in SCENARIOS if PORTUGUESE.search(scenario.message)]
    assert len(SCENARIOS) >= 32
    assert len(portuguese) >= 12
    assert len(portuguese) <= len(SCENARIOS) / 2


def test_files_are_called_as_their_scenarios() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {scenario.name for scenario in SCENARIOS}


def test_every_class_of_causes_is_expected_somewhere_and_none_too_often() -> None:
    main = Counter(one for scenario in SCENARIOS for one in (scenario.expected.cause, *scenario.expected.causes) if one)
    assert set(main) == set(CAUSES)
    assert max(main.values()) <= len(SCENARIOS) / 8


def test_every_status_is_expected_somewhere() -> None:
    assert {scenario.expected.status for scenario in SCENARIOS} == {"cause", "healthy", "unknown", "abstained"}


@each
def test_expected_causes_exist_and_fit_the_status(scenario: Scenario) -> None:
    expected = scenario.expected
    assert set(expected.classes) <= set(CAUSES)
    assert bool(expected.classes) == (expected.status == "cause")
    assert not (expected.cause and expected.causes)
    assert bool(expected.objects) == bool(expected.classes)
    assert bool(expected.cite) == bool(expected.classes)


@each
def test_its_plan_can_be_and_says_when_its_jobs_ended(scenario: Scenario) -> None:
    plan = scenario.scheduled()
    assert plan.now == scenario.now
    for run in (run for job in plan.jobs for run in job.runs):
        assert (run.ended is None) == (run.status == "EXEC")
        assert run.started is not None
        assert run.ended is None or run.started < run.ended


@each
def test_runs_of_a_job_follow_each_other(scenario: Scenario) -> None:
    for job in scenario.scheduled().jobs:
        for one, other in zip(job.runs, job.runs[1:], strict=False):
            assert one.ended is not None
            assert other.started is not None
            assert one.ended <= other.started


@each
def test_a_job_runs_only_when_its_predecessors_have_ended(scenario: Scenario) -> None:
    plan = scenario.scheduled()
    for job in (job for job in plan.jobs if job.runs):
        for other in plan.predecessors_of(job):
            ended = other.runs[-1].ended if other.runs else None
            assert ended is not None, f"{job.name} ran without {other.name}"
            assert job.runs[-1].started is not None
            assert ended <= job.runs[-1].started, f"{job.name} ran before {other.name} had ended"


@each
def test_all_evidence_lies_before_now(scenario: Scenario) -> None:
    assert scenario.now.tzinfo is not None
    assert all(at <= scenario.now for at in times_in(scenario) if at is not None)


@each
def test_sources_that_are_down_exist(scenario: Scenario) -> None:
    assert set(scenario.down) <= SOURCES
    assert (set(scenario.down) == SOURCES) == (scenario.expected.status == "abstained")


@each
def test_facts_of_pieces_are_plain_data(scenario: Scenario) -> None:
    for piece in scenario.pieces:
        assert all(fact is None or isinstance(fact, str | int | float | bool | list) for fact in piece.facts.values())


@each
def test_what_must_be_cited_is_said_by_a_source_that_answers(scenario: Scenario) -> None:
    said = said_in(scenario)
    for entry in scenario.expected.cite:
        for word in entry.casefold().split():
            choices = word.split("|")
            kinds = set(choices) & set(get_args(Kind))
            assert kinds or any(choice in said for choice in choices), f"nothing says {word!r}"


@each
def test_an_object_is_named_by_a_source_that_answers(scenario: Scenario) -> None:
    said = said_in(scenario)
    assert not scenario.expected.objects or any(one.casefold() in said for one in scenario.expected.objects)


@each
def test_jobs_held_up_wait_in_the_plan(scenario: Scenario) -> None:
    waiting = {job.name for job in scenario.scheduled().jobs if job.state == "HOLD"}
    assert set(scenario.expected.blast) <= waiting


INCIDENT = Incident(message="BATCH001?", now=SCENARIOS[0].now)
LOG = Evidence(source="tws_status", kind="joblog", subject="BATCH001", text="/in/A.dat: No such file", codes=("RC=2",))
NEXT = Evidence(source="tws_status", kind="dependency", subject="BATCH002", text="BATCH002 waits", id="E2")


def answer(*hypotheses: tuple[str, str], cites: tuple[str, ...] = ("E1",), held_up: str = "BATCH002 waits") -> Answer:
    return Answer(
        incident=INCIDENT,
        status="cause" if hypotheses else "unknown",
        summary="",
        hypotheses=tuple(
            Hypothesis(cause=cause, object=about, text="", confidence=0.5, evidence=cites)
            for cause, about in hypotheses
        ),
        blast_radius=(Claim(text=held_up, evidence=("E2",)),),
        evidence=(Evidence(**{**{name: getattr(LOG, name) for name in LOG.__slots__}, "id": "E1"}), NEXT),
    )


FILE = Expected(cause="missing_file", objects=("/in/A.dat",), cite=("joblog A.dat", "dependency"), blast=("BATCH002",))


def test_an_answer_with_the_cause_its_object_and_citations_is_right() -> None:
    verdict = judge(answer(("missing_file", "the file /IN/a.dat")), FILE)
    assert verdict.right
    assert verdict.cited
    assert verdict.blast


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (answer(), "status"),
        (answer(("disk_full", "/in/A.dat"), ("missing_file", "/in/A.dat")), "cause"),
        (answer(("missing_file", "/in/A.data")), "object"),
        (answer(("missing_file", "/in/A.dat"), cites=("E2",)), "cited"),
        (answer(("missing_file", "/in/A.dat"), held_up="BATCH0021 waits"), "blast"),
    ],
)
def test_what_an_answer_lacks_is_told_apart(given: Answer, wrong: str) -> None:
    assert not getattr(judge(given, FILE), wrong)


def test_an_accepted_class_is_as_right() -> None:
    expected = Expected(cause="upstream_failed", accepted=("missing_file",), objects=("/in/A.dat",))
    assert judge(answer(("missing_file", "/in/A.dat")), expected).right


def test_of_several_causes_all_must_be_among_the_first_three() -> None:
    expected = Expected(causes=("missing_file", "disk_full"), objects=("/in/A.dat", "/u02"))
    both = (("missing_file", "/in/A.dat"), ("network", "x"), ("disk_full", "/u02"))
    assert judge(answer(*both), expected).right
    assert not judge(answer(("missing_file", "/in/A.dat"), ("disk_full", "/u01")), expected).object
    assert not judge(answer(both[0], both[1], both[1], both[2]), expected).cause


def test_the_name_of_a_kind_is_no_word_of_the_text() -> None:
    expected = Expected(cause="missing_file", cite=("log no",))
    assert not judge(answer(("missing_file", "/in/A.dat")), expected).cited


def test_lines_of_a_job_log_in_a_file_are_put_together(tmp_path: Path) -> None:
    job = {"name": "A", "runs": [{"status": "ABEND", "log": ["one", "two"]}]}
    data = {"name": "x", "message": "", "now": "2025-01-01T00:00:00Z", "expected": {}, "plan": {"jobs": [job]}}
    (tmp_path / "x.json").write_text(json.dumps(data), "utf-8")
    (scenario,) = load_scenarios(tmp_path)
    assert scenario.scheduled().jobs[0].runs[0].log == "one\ntwo"
