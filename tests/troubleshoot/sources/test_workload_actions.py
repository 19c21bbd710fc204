"""Actions on one job: shown first, performed once, with who wants them and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fanfold.testing.scheduler import FakeScheduler, Plan, PlanJob, Run
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.workload import Action, Justification, Workload

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
FAILED = Run(status="ABEND", return_code=8, started=NOW - timedelta(hours=1), ended=NOW)
PLAN = Plan(
    jobs=(
        PlanJob(name="BATCH001", runs=(FAILED,)),
        PlanJob(name="PENDENTE", status="PEND"),
        PlanJob(name="NOVO"),
        PlanJob(name="TWIN", jobstream="A"),
        PlanJob(name="TWIN", jobstream="B"),
    )
)
WHY = Justification(
    description="disco liberado\r\nX-Evil: 1, é só rodar de novo", category="Incidente", ticket="INC0042"
)


@asynccontextmanager
async def at_work(plan: Plan = PLAN, api: int = 2, **options: Any) -> AsyncIterator[tuple[FakeScheduler, Workload]]:
    async with FakeScheduler(plan, **options) as server:
        table = {"url": server.url, "user": "operator", "password": {"env": "WA_PASSWORD"}, "api": api}
        source = Workload.make(table, Path.cwd())
        async with source.open():
            yield server, source


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_PASSWORD", "operator")


async def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing() -> None:
    async with at_work() as (server, source):
        shown = await source.act("rerun", "BATCH001", justification=WHY)
        assert server.performed == []
        assert {request.method for request in server.requests} == {"GET"}
        done = await source.act("rerun", "BATCH001", justification=WHY, dry_run=False)
    assert not shown.performed
    assert (shown.method, shown.status, shown.job) == ("PUT", "ABEND", "DAILY.BATCH001")
    assert shown.url.endswith("/action/rerun")
    assert (done.url, done.headers) == (shown.url, shown.headers)
    assert "operator" not in repr(shown)


@pytest.mark.parametrize("api", [1, 2])
async def test_an_action_is_performed_with_its_justification(api: int) -> None:
    async with at_work(api=api) as (server, source):
        done = await source.act("rerun", "BATCH001", justification=WHY, dry_run=False)
        [performed] = server.performed
    assert (done.performed, done.status, done.status_after) == (True, "ABEND", "EXEC")
    assert (performed.action, performed.job) == ("rerun", "DAILY.BATCH001")
    if api == 2:
        # On one line: what was said must not become a header of its own.
        assert performed.justification == {
            "category": "Incidente",
            "description": "disco liberado X-Evil: 1, é só rodar de novo",
            "ticket-num": "INC0042",
        }


@pytest.mark.parametrize(
    ("action", "after"), [("hold", "HOLD"), ("release", "READY"), ("cancel", "CANCL"), ("confirm-succ", "SUCC")]
)
async def test_each_action_does_what_it_says(action: Action, after: str) -> None:
    async with at_work() as (_, source):
        assert (await source.act(action, "PENDENTE", dry_run=False)).status_after == after


async def test_one_object_at_a_time() -> None:
    async with at_work() as (server, source):
        with pytest.raises(SourceError, match="2 jobs in the plan are called 'TWIN'") as caught:
            await source.act("hold", "TWIN", dry_run=False)
        assert PLAN.id_of(PLAN.jobs[4]) in str(caught.value.hint)
        await source.act("hold", "B.TWIN", dry_run=False)
        await source.act("release", PLAN.id_of(PLAN.jobs[4]), dry_run=False)
        assert [(done.action, done.job) for done in server.performed] == [("hold", "B.TWIN"), ("release", "B.TWIN")]


async def test_nothing_is_done_to_a_job_that_has_changed_since() -> None:
    async with at_work() as (server, source):
        with pytest.raises(SourceError, match="is in ABEND by now, not in STUCK: nothing was done"):
            await source.act("rerun", "BATCH001", dry_run=False, expected_status="STUCK")
        assert server.performed == []


async def test_refusals_say_what_to_do_instead() -> None:
    async with at_work() as (_, source):
        with pytest.raises(SourceError, match="AWSBIN076E") as caught:
            await source.act("confirm-succ", "BATCH001", dry_run=False)
        assert "rerun it" in str(caught.value.hint)
        with pytest.raises(SourceError, match="has not run yet"):
            await source.act("rerun", "NOVO")
        with pytest.raises(SourceError, match="there is no job 'NADA'"):
            await source.act("hold", "NADA")
        with pytest.raises(SourceError, match="there is no action 'delete'"):
            await source.act("delete", "NOVO")  # type: ignore[arg-type]


async def test_a_scheduler_that_wants_a_justification_says_so() -> None:
    async with at_work(needs_justification=True) as (server, source):
        with pytest.raises(SourceError, match="justification is required"):
            await source.act("hold", "PENDENTE", dry_run=False)
        await source.act("hold", "PENDENTE", dry_run=False, justification=WHY)
        assert len(server.performed) == 1
