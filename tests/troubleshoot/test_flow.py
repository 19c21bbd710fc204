"""The flow of one incident on both runtimes: the failure table, deadlines, what is asked, what is logged."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fanfold.runtimes import Native, Runtime
from fanfold.testing.clock import virtual_time
from fanfold.testing.sources import MESSAGE, PIECES, RUNBOOK, CannedSource, four_sources
from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.evidence import Answered
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.rules import conclude
from fanfold.troubleshoot.run import troubleshoot
from fanfold.troubleshoot.settings import ParallelConfig
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.state import ParallelState

HANGS = float("inf")


@dataclass
class Scribe:
    """A writer that counts, and fails or hangs where it is told to."""

    error: Exception | None = None
    delay_s: float = 0.0
    asked: list[Answer] = field(default_factory=list)

    async def write(self, answer: Answer) -> Answer:
        self.asked.append(answer)
        await asyncio.sleep(self.delay_s)
        if self.error is not None:
            raise self.error
        return replace(answer, summary="in better words", written_by="scribe")


def broken(**sources: CannedSource) -> dict[str, CannedSource]:
    return {**four_sources(), **sources}


def one_fails() -> dict[str, CannedSource]:
    return broken(metrics=CannedSource("metrics", error=SourceError("metrics refuses", hint="check the token")))


def one_is_no_source() -> dict[str, CannedSource]:
    return broken(metrics=CannedSource("metrics", error=ZeroDivisionError("division by zero")))


def one_can_not_be_opened() -> dict[str, CannedSource]:
    return broken(metrics=CannedSource("metrics", opening=SourceError("the token's file is gone")))


def one_answers_junk() -> dict[str, CannedSource]:
    return broken(metrics=CannedSource("metrics", [replace(PIECES["metrics"], kind="gossip")]))  # type: ignore[arg-type]


def one_has_facts_of_no_json() -> dict[str, CannedSource]:
    return broken(metrics=CannedSource("metrics", [replace(PIECES["metrics"], facts={"it": object()})]))  # type: ignore[dict-item]


def one_hangs() -> dict[str, CannedSource]:
    return broken(metrics=CannedSource("metrics", delay_s=HANGS))


def all_hang() -> dict[str, CannedSource]:
    return {name: CannedSource(name, delay_s=HANGS) for name in PIECES}


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (one_fails, "metrics refuses; check the token"),
        (one_is_no_source, "division by zero"),
        (one_can_not_be_opened, "the token's file is gone"),
        (one_answers_junk, "no evidence"),
        (one_has_facts_of_no_json, "no evidence"),
        (one_hangs, "Timeout fetching metrics"),
    ],
)
@virtual_time
async def test_one_source_fails_and_the_others_are_used(
    made: Callable[[], dict[str, CannedSource]], why: str, runtime: Runtime
) -> None:
    state = await troubleshoot(MESSAGE, made(), runtime=runtime)
    assert len(state["errors"]) == 1
    assert why in state["errors"][0]
    assert list(state["aggregated_data"]) == ["tws_status", "rag_search", "log_cache"]
    assert state["metadata"]["failed_sources"] == ["metrics"]
    assert state["answer"]["status"] == "cause"
    assert state["answer"]["hypotheses"][0]["cause"] == "bad_data"


@virtual_time
async def test_all_sources_time_out_and_that_is_said(runtime: Runtime) -> None:
    scribe = Scribe()
    state = await troubleshoot(MESSAGE, all_hang(), runtime=runtime, writer=scribe)
    assert sorted(state["errors"]) == [
        "Timeout fetching RAG search",
        "Timeout fetching TWS status",
        "Timeout fetching log cache",
        "Timeout fetching metrics",
    ]
    assert state["answer"]["status"] == "abstained"
    assert state["aggregated_data"] == {}
    assert all(error in state["response"] for error in state["errors"])
    assert scribe.asked == []


@virtual_time
async def test_aggregation_fails_and_the_raw_results_are_returned(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Answer:
        raise LookupError("a rule is wrong")

    monkeypatch.setattr("fanfold.troubleshoot.flow.conclude", fail)
    state = await troubleshoot(MESSAGE, four_sources(), runtime=runtime, writer=(scribe := Scribe()))
    assert state["metadata"]["aggregation_error"] == "LookupError: a rule is wrong"
    assert all(piece.text.splitlines()[0] in state["response"] for piece in PIECES.values())
    assert "answer" not in state
    assert scribe.asked == []


@pytest.mark.parametrize(
    ("how", "why"),
    [({"error": SourceError("the model is out of order")}, "out of order"), ({"delay_s": 100.0}, "TimeoutError")],
    ids=["fails", "too slow"],
)
@virtual_time
async def test_model_fails_and_the_structured_answer_is_returned(
    how: dict[str, Any], why: str, runtime: Runtime
) -> None:
    scribe = Scribe(**how)
    plain = await troubleshoot(MESSAGE, four_sources())
    state = await troubleshoot(MESSAGE, four_sources(), runtime=runtime, writer=scribe)
    assert len(scribe.asked) == 1
    assert state["answer"]["hypotheses"] == plain["answer"]["hypotheses"]
    assert state["metadata"]["written_by"] == "rules"
    assert why in state["metadata"]["writer_error"]


@virtual_time
async def test_model_that_works_writes_the_answer(runtime: Runtime) -> None:
    state = await troubleshoot(MESSAGE, four_sources(), runtime=runtime, writer=Scribe())
    assert state["response"].startswith("in better words\n")
    assert state["metadata"]["written_by"] == "scribe"


@virtual_time
async def test_total_deadline_keeps_every_source_that_has_answered(runtime: Runtime) -> None:
    sources = broken(
        rag_search=CannedSource("rag_search", delay_s=HANGS, timeout_s=100.0),
        metrics=CannedSource("metrics", delay_s=HANGS, timeout_s=100.0),
        log_cache=CannedSource("log_cache", [PIECES["log_cache"]], delay_s=2.9),
    )
    config = ParallelConfig(node_timeout_seconds=60.0, total_timeout_seconds=3.0)
    began_s = asyncio.get_running_loop().time()
    state = await troubleshoot(MESSAGE, sources, config=config, runtime=runtime)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(3.0, abs=0.01)
    assert list(state["aggregated_data"]) == ["tws_status", "log_cache"]
    assert state["errors"] == ["Timeout fetching RAG search", "Timeout fetching metrics"]
    assert state["answer"]["status"] == "cause"


@pytest.mark.parametrize(("own_s", "config_s", "cost_s"), [(5.0, 4.0, 4.0), (2.0, 4.0, 2.0)])
@virtual_time
async def test_hanging_source_costs_its_timeout_and_nothing_else(
    own_s: float, config_s: float, cost_s: float, runtime: Runtime
) -> None:
    sources = broken(metrics=CannedSource("metrics", delay_s=HANGS, timeout_s=own_s))
    began_s = asyncio.get_running_loop().time()
    config = ParallelConfig(node_timeout_seconds=config_s)
    state = await troubleshoot(MESSAGE, sources, config=config, runtime=runtime)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(cost_s, abs=0.01)
    assert state["parallel_latency_ms"] == pytest.approx(cost_s * 1000, abs=10)


@virtual_time
async def test_parallel_phase_takes_as_long_as_the_slowest_source(runtime: Runtime) -> None:
    delays = {"tws_status": 0.3, "rag_search": 0.5, "log_cache": 0.1, "metrics": 0.05}
    sources = {name: CannedSource(name, [PIECES[name]], delay_s=delay) for name, delay in delays.items()}
    began_s = asyncio.get_running_loop().time()
    state = await troubleshoot(MESSAGE, sources, runtime=runtime)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(0.5, abs=0.001)
    assert state["parallel_latency_ms"] == pytest.approx(500, abs=1)
    assert state["metadata"]["sequential_equivalent_ms"] == pytest.approx(950, abs=4)
    assert state["metadata"]["speedup_factor"] == pytest.approx(1.9, abs=0.01)


@virtual_time
async def test_sequential_is_measured_in_the_same_run() -> None:
    sources = {name: CannedSource(name, [piece], delay_s=0.25) for name, piece in PIECES.items()}
    metadata = (await troubleshoot(MESSAGE, sources, compare_sequential=True))["metadata"]
    assert metadata["measured_sequential_ms"] == pytest.approx(1_000, abs=1)
    assert metadata["measured_parallel_ms"] == pytest.approx(250, abs=1)
    assert metadata["measured_speedup"] == pytest.approx(4.0, abs=0.01)


@virtual_time
async def test_below_the_minimum_of_sources_it_abstains_and_asks_no_model(runtime: Runtime) -> None:
    sources = broken(
        metrics=CannedSource("metrics", error=SourceError("no metrics")),
        log_cache=CannedSource("log_cache", error=SourceError("no logs")),
    )
    scribe = Scribe()
    config = ParallelConfig(min_sources_required=3)
    state = await troubleshoot(MESSAGE, sources, config=config, runtime=runtime, writer=scribe)
    assert state["answer"]["status"] == "abstained"
    assert state["answer"]["hypotheses"] == []
    assert scribe.asked == []


@virtual_time
async def test_aggregation_is_logged_with_its_figures(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="fanfold.troubleshoot")
    await troubleshoot(MESSAGE, one_fails(), runtime=runtime)
    (record,) = (record for record in caplog.records if record.message == "parallel_aggregation_complete")
    logged = vars(record)
    assert (logged["sources_available"], logged["sources_failed"]) == (3, 1)
    assert logged["speedup_factor"].endswith("x")
    assert {"parallel_latency_ms", "sequential_equivalent_ms"} <= set(logged)


TIMINGS = ("asked_at", "total_latency_ms", "parallel_latency_ms", "response")


def without_timings(state: ParallelState) -> dict[str, Any]:
    left: dict[str, Any] = {name: value for name, value in state.items() if name not in TIMINGS}
    left["metadata"] = {
        name: value for name, value in state["metadata"].items() if not name.endswith(("_ms", "_at", "_factor"))
    }
    left["parallel_results"] = [{**result, "latency_ms": 0} for result in state["parallel_results"]]
    if "answer" in state:
        left["answer"] = {**state["answer"], "sources": [], "incident": {**state["answer"]["incident"], "now": ""}}
    return left


@pytest.mark.parametrize(
    "made", [four_sources, one_fails, one_answers_junk, one_hangs, all_hang, dict], ids=lambda made: made.__name__
)
@pytest.mark.parametrize("message", [MESSAGE, "What does S0C7 mean?", "good morning"])
@virtual_time
async def test_both_runtimes_come_to_the_same_state(made: Callable[[], dict[str, CannedSource]], message: str) -> None:
    from fanfold.runtimes.langgraph import LangGraph

    native = await troubleshoot(message, made(), runtime=Native())
    langgraph = await troubleshoot(message, made(), runtime=LangGraph())
    assert without_timings(native) == without_timings(langgraph)
    assert set(native) == set(langgraph)


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        (MESSAGE, ["tws_status", "rag_search", "log_cache", "metrics", "tickets"]),
        ("What does S0C7 mean?", ["rag_search"]),
        ("status of BATCH001", ["tws_status", "log_cache"]),
        ("good morning", []),
    ],
)
async def test_kind_of_question_decides_who_is_asked(message: str, asked: list[str]) -> None:
    sources = {**four_sources(), "tickets": CannedSource("tickets")}
    state = await troubleshoot(message, sources)
    assert [name for name, source in sources.items() if source.asked] == state["sources"] == asked


async def test_no_question_of_a_troubleshooter_is_told_what_it_can_do() -> None:
    state = await troubleshoot("obrigado por tudo", four_sources(), writer=(scribe := Scribe()))
    assert state["intent"] == "other"
    assert state["response"].startswith("Posso descobrir por que um job falhou")
    assert scribe.asked == []


async def test_all_are_asked_where_those_that_matter_are_too_few_for_an_answer_to_count() -> None:
    state = await troubleshoot("What does S0C7 mean?", four_sources(), config=ParallelConfig(min_sources_required=2))
    assert state["sources"] == list(PIECES)


async def test_question_about_a_code_is_answered_from_runbooks() -> None:
    state = await troubleshoot("What does S0C7 mean?", four_sources())
    assert state["response"].startswith("This fits best: S0C7: data exception [E1].")
    assert "- Find the record [E1]" in state["response"]


async def test_sources_that_are_switched_off_are_not_asked() -> None:
    sources = four_sources()
    await troubleshoot(MESSAGE, sources, config=ParallelConfig(enable_metrics=False, enable_rag_search=False))
    assert [name for name, source in sources.items() if source.asked] == ["tws_status", "log_cache"]


async def test_knowledge_is_limited_and_its_notes_stay() -> None:
    entries = [replace(RUNBOOK, subject=f"entry {number}") for number in range(4)]
    note = replace(RUNBOOK, kind="note", text="one file was left out")
    sources = broken(rag_search=CannedSource("rag_search", [*entries, note]))
    state = await troubleshoot(MESSAGE, sources, config=ParallelConfig(rag_result_limit=2))
    pieces = state["aggregated_data"]["rag_search"]["evidence"]
    assert [piece["kind"] for piece in pieces] == ["runbook", "runbook", "note"]


async def test_window_and_what_the_caller_knows_reach_every_source() -> None:
    sources = four_sources()
    await troubleshoot(
        "it failed", sources, jobs=["BATCH007"], instance="TWS-QA", config=ParallelConfig(window_seconds=60.0)
    )
    for source in sources.values():
        (incident,) = source.asked
        assert (incident.jobs, incident.instance, incident.window_s) == (("BATCH007",), "TWS-QA", 60.0)


async def test_several_jobs_are_one_incident_with_one_answer(runtime: Runtime) -> None:
    other = replace(PIECES["tws_status"], subject="BATCH002", facts={**PIECES["tws_status"].facts, "job": "BATCH002"})
    sources = broken(tws_status=CannedSource("tws_status", [PIECES["tws_status"], other]))
    state = await troubleshoot("both failed", sources, jobs=["BATCH001", "BATCH002"], runtime=runtime)
    assert all(len(source.asked) == 1 for source in sources.values())
    assert sources["tws_status"].asked[0].jobs == ("BATCH001", "BATCH002")
    assert state["answer"]["incident"]["jobs"] == ["BATCH001", "BATCH002"]


async def test_evidence_of_all_sources_is_numbered_through() -> None:
    state = await troubleshoot(MESSAGE, four_sources())
    assert [piece["id"] for piece in state["answer"]["evidence"]] == ["E1", "E2", "E3", "E4"]


@contextmanager
def long_rules(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Rules that set the first event and compute until the second is set, or until the block ends."""
    began, enough = threading.Event(), threading.Event()

    def long(incident: Incident, sources: Sequence[Answered], **more: Any) -> Answer:
        began.set()
        enough.wait(60)
        return conclude(incident, sources, **more)

    monkeypatch.setattr("fanfold.troubleshoot.flow.conclude", long)
    try:
        yield began, enough
    finally:
        enough.set()


async def test_others_go_on_while_the_rules_compute(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with long_rules(monkeypatch) as (began, enough):
        running = asyncio.create_task(troubleshoot(MESSAGE, four_sources(), runtime=runtime))
        assert await asyncio.to_thread(began.wait, 30)
        assert not running.done()
        enough.set()
        state = await running
    assert state["answer"]["hypotheses"][0]["cause"] == "bad_data"


async def test_who_is_cancelled_while_the_rules_compute_does_not_wait_for_them(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with long_rules(monkeypatch) as (began, enough):
        running = asyncio.create_task(troubleshoot(MESSAGE, four_sources(), runtime=runtime))
        assert await asyncio.to_thread(began.wait, 30)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not enough.is_set()


async def test_rules_see_the_context_of_the_caller(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
    seen: list[str] = []

    def look(incident: Incident, sources: Sequence[Answered], **more: Any) -> Answer:
        seen.append(tenant.get())
        return conclude(incident, sources, **more)

    monkeypatch.setattr("fanfold.troubleshoot.flow.conclude", look)
    tenant.set("billing")
    await troubleshoot(MESSAGE, four_sources(), runtime=runtime)
    assert seen == ["billing"]
