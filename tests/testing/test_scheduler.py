"""The fake scheduler behaves as the real one is known to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from fanfold.testing.scheduler import Dependency, FakeScheduler, Fault, Plan, PlanError, PlanJob, Run, Workstation

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
RUN = Run(status="ABEND", return_code=127, started=NOW - timedelta(hours=1), ended=NOW, log="x: command not found")
PLAN = Plan(
    jobs=(
        PlanJob(name="BATCH001", folder="/FIN/", script="/opt/x.sh", runs=(RUN,)),
        PlanJob(name="REPORT'S", after=("BATCH001", Dependency(on="/in/a.csv", type="file"))),
        PlanJob(name="MAIL", jobstream="NIGHT", after=("REPORT'S",), status="PEND"),
    ),
    now=NOW,
)
V1, V2 = "/twsd", "/twsd/api/v2"


@asynccontextmanager
async def served(plan: Plan = PLAN, **options: Any) -> AsyncIterator[tuple[FakeScheduler, httpx.AsyncClient]]:
    async with (
        FakeScheduler(plan, **options) as server,
        httpx.AsyncClient(base_url=server.url, auth=("operator", "operator"), trust_env=False) as client,
    ):
        yield server, client


async def names(client: httpx.AsyncClient, **params: str | int) -> list[str]:
    answer = await client.get(f"{V2}/plan/job", params=params)
    assert answer.status_code == 200, answer.text
    return [job["name"] for job in answer.json()["results"]]


async def the_job(client: httpx.AsyncClient, name: str = "BATCH001") -> dict[str, Any]:
    answer = await client.get(f"{V2}/plan/job", params={"oql": "name = '" + name.replace("'", "''") + "'"})
    return dict(answer.json()["results"][0])


async def test_a_job_has_the_fields_that_the_api_has() -> None:
    async with served() as (_, client):
        job = await the_job(client)
    assert job["lastRunCompositeStatus"] == {"status": "ABEND", "substatus": "ABEND", "error": ""}
    assert job["jobStreamName"] == "DAILY"
    assert job["key"] == "/AGENT01#/FIN/DAILY.BATCH001"
    assert job["jobDefinition"]["recoveryOption"] == "STOP"
    run = job["jobruns"][0]
    assert (run["returnCode"], run["runAttempt"], run["actualWorkstation"]) == (127, 1, "/AGENT01")
    assert run["timeInfo"]["actualStartTime"] == "2024-12-11T08:00:00Z"
    assert run["timeInfo"]["elapsedTime"] == 3_600_000


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["BATCH001", "REPORT'S", "MAIL"]),
        ("name = 'BATCH001'", ["BATCH001"]),
        ("name = 'REPORT''S'", ["REPORT'S"]),
        ("name = 'BATCH001' AND folder LIKE '/F@'", ["BATCH001"]),
        ("name LIKE '?A@' ORDER BY name DESC", ["MAIL", "BATCH001"]),
        ("lastRunCompositeStatus.status IN ('ABEND', 'PEND')", ["BATCH001", "MAIL"]),
        ("NOT (name = 'MAIL' OR jobStreamName = 'DAILY')", []),
        ("jobruns.returnCode >= 127", ["BATCH001"]),
        ("dependencies.jobName = 'BATCH001'", ["REPORT'S"]),
    ],
)
async def test_queries_select(query: str, found: list[str]) -> None:
    async with served() as (_, client):
        assert sorted(await names(client, oql=query)) == sorted(found)


@pytest.mark.parametrize(
    "query", ["key.name='X'", "name = ", "name 'x'", "name = 'a' OR", "'", "name = 'a'; x", "name = a"]
)
async def test_a_query_that_is_none_is_refused(query: str) -> None:
    async with served() as (_, client):
        answer = await client.get(f"{V2}/plan/job", params={"oql": query})
    assert answer.status_code == 400
    assert "OQL_FILTER_SYNTAX_ERROR" in answer.text


async def test_results_come_in_pages_and_are_counted_where_that_is_asked_for() -> None:
    async with served(max_page=2) as (_, client):
        first = (await client.get(f"{V2}/plan/job", headers={"Include-Count": "true"})).json()
        second = (await client.get(first["next"])).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (3, 2, None)
    assert (second["count"], len(second["results"]), second["next"]) == (None, 1, None)


async def test_a_plan_filter_selects_by_name_and_state() -> None:
    async with served() as (_, client):
        assert await names(client, plan_filter="@#@.BATCH@+state=abend") == ["BATCH001"]
        assert await names(client, plan_filter="@#NIGHT.@") == ["MAIL"]


async def test_jobs_before_and_after_are_followed_to_a_depth() -> None:
    async with served() as (_, client):
        first, last = (await the_job(client))["id"], (await the_job(client, "MAIL"))["id"]
        after = (await client.get(f"{V2}/plan/job/{first}/successors", params={"depth": 1})).json()["results"]
        before = (await client.get(f"{V2}/plan/job/{last}/predecessors", params={"depth": 5})).json()["results"]
    assert [job["name"] for job in after] == ["REPORT'S"]
    assert [job["name"] for job in before] == ["REPORT'S", "BATCH001"]
    kinds = {one["dependencyType"]: one["dependencyStatus"] for one in before[0]["dependencies"]}
    assert kinds == {"INTERNAL_JOB": "UNDECIDED", "FILE": "UNDECIDED"}


async def test_a_key_is_no_id() -> None:
    async with served() as (_, client):
        answer = await client.get(f"{V2}/plan/job/AGENT01%23DAILY.BATCH001")
    assert answer.status_code == 400
    assert "AWSBIO006E" in answer.text


async def test_a_log_has_header_and_footer_and_comes_in_pages() -> None:
    async with served() as (_, client):
        run = (await the_job(client))["jobruns"][0]["id"]
        whole = await client.get(f"{V2}/plan/job/run/{run}/joblog")
        page = await client.get(f"{V2}/plan/job/run/{run}/joblog", params={"from_line": 8, "to_line": 9})
        content = await client.get(f"{V2}/plan/job/run/{run}/joblog", params={"contentOnly": "true"})
    assert whole.headers["content-type"].startswith("text/plain")
    lines = whole.text.splitlines()
    assert lines[1].startswith("= JOB       : AGENT01#DAILY[(0800 12/11/24),(0ADAILY")
    assert lines[1].endswith(")].BATCH001")
    assert "= JCLFILE   : /opt/x.sh" in lines
    assert "= Exit Status           : 127" in lines
    assert page.text.splitlines() == ["AWSBIS307I Starting /opt/x.sh ", "x: command not found"]
    assert content.text == "x: command not found\n"


async def test_lines_of_a_huge_log_are_served_without_making_it() -> None:
    plan = Plan(jobs=(PlanJob(name="HUGE", runs=(Run(started=NOW, ended=NOW, log="a\nb", filler=10**12),)),))
    async with served(plan) as (_, client):
        run = (await the_job(client, "HUGE"))["jobruns"][0]["id"]
        page = await client.get(f"{V2}/plan/job/run/{run}/joblog", params={"from_line": 10**12, "to_line": 10**12 + 1})
    assert len(page.text.splitlines()) == 2


async def test_a_rerun_needs_a_content_type_and_starts_a_run() -> None:
    async with served() as (server, client):
        path = f"{V2}/plan/job/run/{(await the_job(client))['jobruns'][0]['id']}/action/rerun"
        assert (await client.put(path)).status_code == 415
        answer = await client.put(path, json={}, headers={"Justification-Description": "disk is free again"})
        assert answer.json()["lastRunCompositeStatus"]["status"] == "EXEC"
        assert [(done.action, done.job, done.justification) for done in server.performed] == [
            ("rerun", "DAILY.BATCH001", {"description": "disk is free again"})
        ]
        assert len(server.plan.jobs[0].runs) == 2
    assert len(PLAN.jobs[0].runs) == 1


async def test_a_rerun_by_query_affects_one_job_unless_more_are_allowed() -> None:
    jobs = tuple(PlanJob(name=f"J{number}", runs=(RUN,)) for number in range(2))
    async with served(Plan(jobs=jobs)) as (server, client):
        path, params = f"{V2}/plan/job/action/rerun", {"oql": "name LIKE 'J@'"}
        assert (await client.put(path, params=params, json={})).status_code == 400
        assert server.performed == []
        assert (await client.put(path, params={**params, "max_object_affected": 2}, json={})).status_code == 200
        assert len(server.performed) == 2


async def test_actions_change_the_plan_and_a_terminal_job_can_not_be_confirmed() -> None:
    async with served() as (server, client):
        mail, batch = (await the_job(client, "MAIL"))["id"], (await the_job(client))["id"]
        answer = await client.put(f"{V2}/plan/job/{batch}/action/confirm-succ")
        assert answer.status_code == 400
        assert "AWSBIN076E" in answer.text
        for action, status in (("confirm-succ", "SUCC"), ("hold", "HOLD"), ("release", "READY"), ("cancel", "CANCL")):
            done = (await client.put(f"{V2}/plan/job/{mail}/action/{action}")).json()
            assert done["lastRunCompositeStatus"]["status"] == status
        assert (await client.put(f"{V2}/plan/job/{mail}/action/explode")).status_code == 404
    assert server.plan.jobs[2].state == "CANCL"


async def test_who_does_not_say_who_they_are_gets_nothing_and_no_secret_is_recorded() -> None:
    async with served(token="tok-123", password="s3cret-pass") as (server, _):
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
            for header in ("", "Basic b3BlcmF0b3I6d3Jvbmc=", "Bearer nope"):
                answer = await client.get(f"{V2}/engine/info", headers={"Authorization": header})
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"].startswith("Basic")
            answer = await client.get(f"{V2}/engine/info", headers={"Authorization": "Bearer tok-123"})
            assert answer.json()["engineName"] == "TWS-PROD-01"
        assert len(server.requests) == 4
        assert "tok-123" not in repr(server.requests)
        assert "authorization" not in server.requests[0].headers


async def test_workstations_and_their_health() -> None:
    plan = Plan(jobs=PLAN.jobs, workstations=(Workstation(name="AGENT02", linked=False, message="no route"),))
    async with served(plan) as (_, client):
        found = (await client.get(f"{V2}/plan/workstation", params={"oql": "name = 'AGENT02'"})).json()["results"]
        health = (await client.get(f"{V2}/plan/workstation/{found[0]['id']}/action/health-status")).json()
        everywhere = (await client.get(f"{V2}/plan/workstation")).json()["results"]
    assert (found[0]["linked"], health) == (False, {"status": "UNHEALTHY", "message": "no route"})
    assert [one["name"] for one in everywhere] == ["AGENT02", "AGENT01"]


async def test_v1_answers_with_bare_arrays_and_errors_as_messages() -> None:
    async with served() as (_, client):
        body = {
            "filters": {"jobInPlanFilter": {"jobName": "BATCH*", "jobStreamName": "DAILY", "lastInRerunChain": True}}
        }
        answer = await client.post(
            f"{V1}/plan/current/job/query", json=body, headers={"How-Many": "5", "Request-Id": "7"}
        )
        job = answer.json()[0]
        assert (job["status"]["commonStatus"], job["jobStreamInPlan"]["name"]) == ("ABEND", "DAILY")
        assert answer.headers["request-id"] == "7"
        assert "command not found" in (await client.get(f"{V1}/plan/current/job/{job['id']}/joblog")).text
        wrong = await client.get(f"{V1}/plan/current/job/none")
        assert wrong.json() == {"messages": ["AWSBIO006E The identifier none is not valid."]}
        assert (await client.post(f"{V1}/plan/current/job/query", content="{}")).status_code == 415


async def test_faults_hit_the_requests_that_they_are_for_and_the_same_ones_each_time() -> None:
    faults = [Fault(on="engine", status=500, share=0.5), Fault(on="count", status=503, times=2, retry_after_s=7)]

    async def statuses(seed: int) -> list[int]:
        async with served(faults=faults, seed=seed) as (_, client):
            return [(await client.get(f"{V2}/engine/info")).status_code for _ in range(20)]

    assert set(await statuses(1)) == {200, 500}
    assert await statuses(1) == await statuses(1)
    async with served(faults=faults) as (_, client):
        answers = [await client.get(f"{V2}/plan/job/count") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "7"


async def test_a_reset_breaks_the_connection_in_the_middle_of_the_body() -> None:
    async with served(faults=[Fault(on="plan/job", reset=True)]) as (_, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"{V2}/plan/job")


async def test_leaving_ends_what_still_runs() -> None:
    async with served(faults=[Fault(latency_s=3600)]) as (server, client):
        asking = asyncio.create_task(client.get(f"{V2}/engine/info"))
        while not server.requests:
            await asyncio.sleep(0.01)
    with pytest.raises((httpx.HTTPError, asyncio.CancelledError)):
        await asking


def test_a_plan_is_read_from_files(tmp_path: Path) -> None:
    data = {
        "jobs": [
            {"name": "A", "runs": [{"status": "ABEND", "started": "2024-12-11T06:00:00Z"}]},
            {"name": "B", "after": ["A"]},
        ]
    }
    (tmp_path / "plan.json").write_text(json.dumps(data))
    (tmp_path / "plan.toml").write_text('[[jobs]]\nname = "A"\nstatus = "SUCC"\nchanged = 2024-12-11T06:00:00Z\n')
    plan = Plan.from_file(tmp_path / "plan.json")
    assert [job.state for job in plan.jobs] == ["ABEND", "HOLD"]
    assert plan.successors_of(plan.jobs[0]) == [plan.jobs[1]]
    assert Plan.from_file(tmp_path / "plan.toml").jobs[0].changed == datetime(2024, 12, 11, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "data",
    [
        {"jobs": [{"name": "A", "rums": []}]},
        {"jobs": [{"name": "A", "status": "BROKEN"}]},
        {"jobs": [{"name": "A"}, {"name": "A"}]},
        {"jobs": [{"name": "A", "after": ["B"]}]},
        {"jobs": [{"name": "A", "changed": "2024-12-11T06:00:00"}]},
        {"job": []},
    ],
)
def test_a_plan_that_can_not_be_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(PlanError) as caught:
        Plan.from_data(data)
    assert caught.value.message


def test_a_plan_can_be_moved_to_another_time() -> None:
    later = PLAN.moved_to(NOW + timedelta(days=30))
    assert later.jobs[0].runs[0].ended == NOW + timedelta(days=30)
    assert later.jobs[0].changed is None


def test_instances_of_one_job_depend_on_those_of_their_own_day() -> None:
    days = [NOW - timedelta(days=day) for day in range(2)]
    jobs = tuple(
        job
        for day in days
        for job in (PlanJob(name="A", scheduled=day), PlanJob(name="B", after=("A",), scheduled=day))
    )
    plan = Plan(jobs=jobs)
    assert plan.predecessors_of(plan.jobs[3]) == [plan.jobs[2]]
