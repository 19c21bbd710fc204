"""Actions on a fake scheduler over real HTTP: planned, confirmed, written down."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fanfold.testing.scheduler import FakeScheduler, Fault, Plan, PlanJob, Run
from fanfold.testing.sources import JOB, CannedSource
from fanfold.troubleshoot.actions import Audit, AuditError, actor_among, perform, proposed
from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.workload import Justification, Workload

PLAN = Plan(jobs=(PlanJob(name="BATCH001", runs=(Run(status="ABEND", return_code=12),)),))
WHY = Justification(description="the input was delivered again", ticket="INC1")


@asynccontextmanager
async def scheduler(*faults: Fault) -> AsyncIterator[tuple[FakeScheduler, Workload]]:
    async with FakeScheduler(PLAN, faults=faults) as server:
        source = Workload.make({"url": server.url, "user": "operator", "password": {"env": "TWS_PASSWORD"}}, Path.cwd())
        async with source.open():
            yield server, source


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWS_PASSWORD", "operator")


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_what_is_done_is_written_down_before_and_after(tmp_path: Path) -> None:
    audit = Audit(path=tmp_path / "deep" / "audit.jsonl", who="ada", host="desk")
    async with scheduler() as (server, source):
        planned = await source.act("rerun", "BATCH001", justification=WHY)
        assert server.performed == []
        done = await perform(source, planned, audit, instance=None, justification=WHY)
        assert done.performed
        assert [one.action for one in server.performed] == ["rerun"]
    begun, ended = records(audit.path)
    assert (begun["outcome"], ended["outcome"]) == ("begun", "done")
    assert begun["id"] == ended["id"]
    assert (begun["who"], begun["action"], begun["job"], begun["status_before"]) == ("ada", "rerun", done.job, "ABEND")
    assert begun["justification"]["Justification-Ticket-Num"] == "INC1"
    assert ended["status_after"] == "EXEC"
    assert audit.path.stat().st_mode & 0o077 == 0


async def test_nothing_is_done_that_can_not_be_written_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with scheduler() as (server, source):
        planned = await source.act("rerun", "BATCH001", justification=WHY)
        with pytest.raises(AuditError, match="can't be written"):
            await perform(source, planned, Audit(path=tmp_path / "file" / "x"), instance=None, justification=WHY)
        assert server.performed == []


async def test_job_that_has_moved_on_is_left_alone(tmp_path: Path) -> None:
    audit = Audit(path=tmp_path / "audit.jsonl")
    async with scheduler() as (server, source):
        planned = await source.act("rerun", "BATCH001", justification=WHY)
        with pytest.raises(SourceError, match="nothing was done"):
            await perform(source, replace(planned, status="HOLD"), audit, instance=None, justification=WHY)
        assert server.performed == []
    assert [record["outcome"] for record in records(audit.path)] == ["begun", "failed"]


async def test_refusal_is_written_down(tmp_path: Path) -> None:
    audit = Audit(path=tmp_path / "audit.jsonl")
    async with scheduler(Fault(on="PUT", status=500)) as (_, source):
        planned = await source.act("rerun", "BATCH001", justification=WHY)
        with pytest.raises(SourceError):
            await perform(source, planned, audit, instance=None, justification=WHY)
    assert records(audit.path)[-1]["outcome"] == "failed"
    assert records(audit.path)[-1]["error"]


async def test_records_of_earlier_actions_stay(tmp_path: Path) -> None:
    audit = Audit(path=tmp_path / "audit.jsonl")
    audit.path.write_text('{"outcome": "earlier"}\n')
    async with scheduler() as (_, source):
        planned = await source.act("rerun", "BATCH001", justification=WHY)
        await perform(source, planned, audit, instance=None, justification=WHY)
    assert [record["outcome"] for record in records(audit.path)] == ["earlier", "begun", "done"]


def test_only_a_scheduler_acts() -> None:
    with pytest.raises(SourceError, match="no scheduler is configured"):
        actor_among({})
    with pytest.raises(SourceError, match="no scheduler is configured"):
        actor_among({"tws_status": CannedSource("tws_status")})


def about(message: str, status: str = "cause", **incident: Any) -> Answer:
    asked = Incident(message=message, now=datetime(2024, 12, 11, tzinfo=UTC), **incident)
    return Answer(incident=asked, status=status, summary="", evidence=(replace(JOB, id="E1"),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "commands"),
    [
        (about("BATCH001 failed"), ["rerun BILLING.BATCH001"]),
        (about("BATCH001 failed", jobs=("BILLING.BATCH001",)), ["rerun BILLING.BATCH001"]),
        (about("BATCH001 failed", jobs=("OTHER",)), []),
        (about("BATCH001 failed", status="unknown"), []),
        (about("please hold BATCH001", status="unknown"), ["hold BILLING.BATCH001"]),
        (about("libere BATCH001", status="healthy"), ["release BILLING.BATCH001"]),
        (about("BATCH001 failed", instance="A B"), ["rerun BILLING.BATCH001 --instance 'A B'"]),
    ],
)
def test_commands_are_proposed_for_the_jobs_that_it_is_about(answer: Answer, commands: list[str]) -> None:
    assert list(proposed(answer)) == [f"fanfold incident act {each} --justification 'why'" for each in commands]


def test_name_of_a_job_can_not_become_another_command() -> None:
    evil = replace(JOB, facts={"job": "X; rm -rf ~", "status": "ABEND"}, subject="X; rm -rf ~", id="E1")
    answer = replace(about("it failed"), evidence=(evil,))
    assert proposed(answer) == ("fanfold incident act rerun 'X; rm -rf ~' --justification 'why'",)
