"""What the scheduler's source finds out, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fanfold.testing.scheduler import Dependency, FakeScheduler, Fault, Plan, PlanJob, Run, Workstation
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.workload import Workload

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
PASSWORD = "s3cret-of-the-night-shift"


def run(status: str, hours_ago: float, *, minutes: float = 5, **more: Any) -> Run:
    began = NOW - timedelta(hours=hours_ago)
    ended = None if status == "EXEC" else began + timedelta(minutes=minutes)
    return Run(status=status, started=began, ended=ended, estimated_s=300, **more)


EXTRACT = PlanJob(
    name="EXTRACT01",
    script="/opt/extract.sh",
    runs=(run("ABEND", 2, return_code=8, log="opening\nERROR: cannot open /in/VENDAS.csv: No such file or directory"),),
)
BATCH = PlanJob(
    name="BATCH001",
    jobstream="FECHAMENTO",
    folder="/FIN/",
    after=("EXTRACT01", Dependency(on="/in/VENDAS.csv", type="file")),
    runs=(
        run("SUCC", 26),
        run("ABEND", 1, return_code=12, log="início\nIGZ0035S campo VALOR inválido: ABEND S0C7\nfim"),
    ),
)
REPORT = PlanJob(name="RELATORIO", jobstream="FECHAMENTO", after=("BATCH001",))
MAIL = PlanJob(name="CORREIO", jobstream="FECHAMENTO", after=("RELATORIO",))
PLAN = Plan(jobs=(EXTRACT, BATCH, REPORT, MAIL), now=NOW)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_PASSWORD", PASSWORD)


def source_for(*urls: str, **settings: Any) -> Workload:
    given = {"urls": list(urls), "user": "operator", "password": {"env": "WA_PASSWORD"}, "timeout_s": 30.0}
    return Workload.make({**given, **settings}, Path.cwd())


def incident(*jobs: str, **more: Any) -> Incident:
    return Incident(message="por que falhou?", now=NOW, jobs=jobs, **more)


async def asked(
    plan: Plan,
    *jobs: str,
    faults: Sequence[Fault] = (),
    seed: int = 0,
    server: dict[str, Any] | None = None,
    **settings: Any,
) -> list[Evidence]:
    async with FakeScheduler(plan, password=PASSWORD, faults=faults, seed=seed, **(server or {})) as scheduler:
        source = source_for(scheduler.url, **settings)
        async with source.open():
            return list(await source.ask(incident(*jobs)))


def of_kind(
    evidence: Sequence[Evidence], kind: str, where: Callable[[Evidence], bool] = lambda _: True
) -> list[Evidence]:
    return [piece for piece in evidence if piece.kind == kind and where(piece)]


def notes(evidence: Sequence[Evidence]) -> str:
    return "\n".join(piece.text for piece in of_kind(evidence, "note"))


async def test_the_job_comes_first_with_its_facts() -> None:
    first = (await asked(PLAN, "BATCH001"))[0]
    assert (first.kind, first.subject, first.codes) == ("job", "BATCH001", ("RC=12",))
    wanted = {
        "job": "BATCH001",
        "jobstream": "FECHAMENTO",
        "workstation": "AGENT01",
        "folder": "/FIN/",
        "status": "ABEND",
        "return_code": 12,
        "started": "2024-12-11T08:00:00+00:00",
        "ended": "2024-12-11T08:05:00+00:00",
        "elapsed_s": 300.0,
        "estimated_s": 300.0,
        "attempt": 2,
        "recovery": "STOP",
    }
    assert {name: first.facts[name] for name in wanted} == wanted
    assert first.at == datetime(2024, 12, 11, 8, 5, tzinfo=UTC)
    assert first.source == "tws_status"


async def test_the_log_gives_its_telling_lines_and_codes_in_any_language() -> None:
    [log] = of_kind(await asked(PLAN, "BATCH001"), "joblog", lambda piece: piece.subject == "BATCH001")
    assert log.codes == ("IGZ0035S", "S0C7", "RC=12")
    assert "campo VALOR inválido" in log.text
    assert log.facts["exit_status"] == 12
    assert log.facts["cut"] is False


async def test_the_upstream_failure_is_found_with_its_log() -> None:
    evidence = await asked(PLAN, "BATCH001")
    before = of_kind(evidence, "dependency", lambda piece: piece.facts["relation"] == "predecessor")
    assert {(piece.facts["other"], piece.facts["type"], piece.facts["status"]) for piece in before} == {
        ("EXTRACT01", "job", "ABEND"),
        ("/in/VENDAS.csv", "file", "UNDECIDED"),
    }
    [log] = of_kind(evidence, "joblog", lambda piece: piece.subject == "EXTRACT01")
    assert "No such file or directory" in log.text
    assert of_kind(evidence, "job", lambda piece: piece.subject == "EXTRACT01")


async def test_what_the_failure_blocks_is_found_to_a_depth() -> None:
    after = of_kind(await asked(PLAN, "BATCH001"), "dependency", lambda piece: piece.facts["relation"] == "successor")
    assert [(piece.facts["other"], piece.facts["depth"]) for piece in after] == [("RELATORIO", 1), ("CORREIO", 2)]
    nearest = await asked(PLAN, "BATCH001", depth=1)
    assert len(of_kind(nearest, "dependency", lambda piece: piece.facts["relation"] == "successor")) == 1


async def test_a_root_cause_several_steps_upstream_has_its_depth() -> None:
    chain = (EXTRACT, PlanJob(name="LOAD", after=("EXTRACT01",)), PlanJob(name="SUM", after=("LOAD",)))
    evidence = await asked(Plan(jobs=chain), "SUM")
    before = of_kind(evidence, "dependency", lambda piece: piece.facts["relation"] == "predecessor")
    assert [(piece.facts["other"], piece.facts["depth"]) for piece in before] == [("EXTRACT01", 2), ("LOAD", 1)]


async def test_earlier_runs_say_whether_it_always_fails_and_how_long_it_takes() -> None:
    evidence = await asked(PLAN, "BATCH001")
    [history] = of_kind(evidence, "history")
    assert (history.facts["failures"], history.facts["successes"]) == (1, 1)
    assert history.facts["usual_elapsed_s"] == 300.0
    assert [piece.facts["status"] for piece in of_kind(evidence, "run")] == ["SUCC"]


async def test_without_a_name_all_that_fails_is_looked_into_the_newest_first() -> None:
    evidence = await asked(PLAN)
    assert [piece.subject for piece in of_kind(evidence, "job")] == ["BATCH001", "EXTRACT01"]
    [plan] = of_kind(evidence, "plan")
    assert (plan.facts["status"], plan.facts["count"], plan.facts["jobs"]) == ("ABEND", 2, ["BATCH001", "EXTRACT01"])


async def test_a_plan_in_which_nothing_fails_says_so() -> None:
    evidence = await asked(Plan(jobs=(PlanJob(name="A", runs=(run("SUCC", 1),)),)))
    [plan] = of_kind(evidence, "plan")
    assert (plan.facts["count"], plan.facts["jobs"]) == (0, [])
    assert not of_kind(evidence, "job")


async def test_more_failing_jobs_than_are_looked_into_are_counted() -> None:
    jobs = tuple(
        PlanJob(name=f"J{number:03d}", runs=(run("ABEND", 1 + number, return_code=1),)) for number in range(150)
    )
    evidence = await asked(Plan(jobs=jobs), max_jobs=3, server={"max_page": 40})
    assert of_kind(evidence, "plan")[0].facts["count"] == 150
    assert "the first 3 were looked into" in notes(evidence)
    assert {piece.subject for piece in of_kind(evidence, "job")} == {"J000", "J001", "J002"}


async def test_a_server_that_can_not_be_queried_for_a_status_is_asked_in_another_way() -> None:
    evidence = await asked(PLAN, server={"selects_status": False})
    assert {piece.subject for piece in of_kind(evidence, "job")} == {"BATCH001", "EXTRACT01"}


async def test_a_name_that_is_not_in_the_plan_gets_a_note_with_names_like_it() -> None:
    evidence = await asked(PLAN, "BATCH01")
    assert "There is no job of the name BATCH01 in the plan. Names like it: BATCH001" in notes(evidence)
    assert "has a plan from 2024-12-11" in notes(evidence)
    assert not of_kind(evidence, "job")


async def test_names_are_found_in_small_letters_and_with_stream_and_workstation() -> None:
    twins = Plan(
        jobs=(
            PlanJob(name="LOAD", jobstream="NORTE", workstation="AG1", status="ABEND"),
            PlanJob(name="LOAD", jobstream="SUL", workstation="AG2", status="SUCC"),
        )
    )
    for name, streams in (("load", {"NORTE", "SUL"}), ("SUL.LOAD", {"SUL"}), ("/AG1#NORTE.LOAD", {"NORTE"})):
        found = of_kind(await asked(twins, name), "job")
        assert {piece.facts["jobstream"] for piece in found} == streams


async def test_folders_tell_jobs_of_one_name_apart() -> None:
    jobs = tuple(PlanJob(name="LOAD", folder=folder, status="ABEND") for folder in ("/FIN/", "/RH/"))
    found = of_kind(await asked(Plan(jobs=jobs), "/RH/DAILY.LOAD"), "job")
    assert [piece.facts["folder"] for piece in found] == ["/RH/"]


async def test_of_several_instances_the_failing_one_is_meant_and_the_others_are_its_history() -> None:
    days = [
        PlanJob(name="DIA", scheduled=NOW - timedelta(days=day), runs=(run(status, 24 * day + 1, return_code=code),))
        for day, status, code in ((0, "ABEND", 3), (1, "SUCC", 0), (2, "SUCC", 0))
    ]
    evidence = await asked(Plan(jobs=tuple(days)), "DIA")
    assert [piece.facts["status"] for piece in of_kind(evidence, "job")] == ["ABEND"]
    [history] = of_kind(evidence, "history")
    assert (history.facts["failures"], history.facts["successes"]) == (1, 2)
    assert "3 instances of DIA" in notes(evidence)


@pytest.mark.parametrize("name", ["O'HARA", "X' OR name LIKE '@", "PREÇO_ÇÃO", 'A"B', "A\\'B"])
async def test_no_name_breaks_out_of_its_quotes(name: str) -> None:
    plan = Plan(jobs=(PlanJob(name="SECRET_JOB", status="ABEND"), PlanJob(name=name.upper(), status="SUCC")))
    evidence = await asked(plan, name)
    assert [piece.subject for piece in of_kind(evidence, "job")] == [name.upper()]


async def test_an_injected_name_that_is_not_there_finds_nothing_else() -> None:
    evidence = await asked(PLAN, "NADA' OR 'A' = 'A")
    assert not of_kind(evidence, "job")
    assert "There is no job" in notes(evidence)


async def test_a_job_that_was_run_again_and_succeeded_shows_the_log_of_the_failure() -> None:
    runs = (run("ABEND", 2, return_code=4, log="ORA-01017: invalid username"), run("SUCC", 1, log="all is well"))
    evidence = await asked(Plan(jobs=(PlanJob(name="A", runs=runs),)), "A")
    [log] = of_kind(evidence, "joblog")
    assert log.codes == ("ORA-01017", "RC=4")
    assert of_kind(evidence, "job")[0].facts["status"] == "SUCC"


async def test_what_runs_late_upstream_is_shown_with_its_times() -> None:
    late = PlanJob(name="CARGA", runs=(run("EXEC", 3),))
    evidence = await asked(Plan(jobs=(late, PlanJob(name="SOMA", after=("CARGA",))), now=NOW), "SOMA")
    [found] = of_kind(evidence, "job", lambda piece: piece.subject == "CARGA")
    assert (found.facts["status"], found.facts["elapsed_s"], found.facts["estimated_s"]) == ("EXEC", 10_800.0, 300.0)


async def test_a_workstation_that_is_down_is_told() -> None:
    plan = Plan(
        jobs=PLAN.jobs, workstations=(Workstation(name="AGENT01", linked=False, limit=0, message="AWSITA245E"),)
    )
    [found] = of_kind(await asked(plan, "BATCH001"), "workstation")
    facts = {name: found.facts[name] for name in ("workstation", "status", "linked", "limit", "healthy")}
    assert facts == {"workstation": "AGENT01", "status": "UNLINKED", "linked": False, "limit": 0, "healthy": False}
    assert found.codes == ("AWSITA245E",)


async def test_secrets_and_control_characters_in_a_log_do_not_become_evidence() -> None:
    log = "\x1b[31mERROR\x00 login failed: password=hunter2hunter2 for svc\x07"
    evidence = await asked(Plan(jobs=(PlanJob(name="A", runs=(run("ABEND", 1, log=log),)),)), "A")
    [found] = of_kind(evidence, "joblog")
    assert "login failed" in found.text
    assert "hunter2" not in repr(evidence)
    assert all(letter.isprintable() or letter == "\n" for letter in found.text)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(on="joblog", status=500), "the job log of FECHAMENTO.BATCH001"),
        (Fault(on="plan/workstation", status=403), "workstation AGENT01"),
        (Fault(on="successors", status=404), "the successors of FECHAMENTO.BATCH001"),
        (Fault(on="predecessors", reset=True), "the predecessors of FECHAMENTO.BATCH001"),
    ],
)
async def test_a_part_that_fails_leaves_a_note_and_the_rest_stands(fault: Fault, words: str) -> None:
    evidence = await asked(PLAN, "BATCH001", faults=[fault], attempts=1)
    assert f"Could not be had: {words}" in notes(evidence)
    assert evidence[0].facts["return_code"] == 12
    assert len({piece.kind for piece in evidence}) >= 5


async def test_a_run_without_a_log_leaves_a_note() -> None:
    evidence = await asked(Plan(jobs=(PlanJob(name="A", runs=(run("ABEND", 1, log=None),)),)), "A")
    assert "The job log is not available" in notes(evidence)


async def test_a_part_that_hangs_costs_only_itself() -> None:
    evidence = await asked(PLAN, "BATCH001", faults=[Fault(on="joblog", latency_s=3600)], timeout_s=1.5)
    assert "there was no time left" in notes(evidence)
    assert of_kind(evidence, "job")
    assert of_kind(evidence, "dependency", lambda piece: piece.facts["relation"] == "successor")


async def test_wrong_credentials_say_what_to_check_and_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_PASSWORD", "wrong-but-still-a-secret")
    async with FakeScheduler(PLAN, password=PASSWORD) as scheduler:
        source = source_for(scheduler.url)
        async with source.open():
            with pytest.raises(SourceError, match="answered 401") as caught:
                await source.ask(incident("BATCH001"))
            with pytest.raises(SourceError, match="was not asked"):
                await source.ask(incident("BATCH001"))
        sent = len(scheduler.requests)
    assert caught.value.hint is not None
    assert "user and password" in caught.value.hint
    assert "still-a-secret" not in f"{caught.value!r} {caught.value.hint} {source!r}"
    # More wrong tries than this would lock the account.
    assert sent == 2


async def test_a_scheduler_that_is_not_there_is_an_error_that_says_so() -> None:
    async with FakeScheduler(PLAN) as scheduler:
        url = scheduler.url
    source = source_for(url)
    async with source.open():
        with pytest.raises(SourceError, match="can't be reached"):
            await source.ask(incident("BATCH001"))


async def test_several_incidents_are_answered_at_once() -> None:
    async with FakeScheduler(PLAN, password=PASSWORD) as scheduler:
        source = source_for(scheduler.url, limit=3)
        async with source.open():
            answers = await asyncio.gather(*(source.ask(incident(name)) for name in ("BATCH001", "EXTRACT01") * 4))
    assert [answer[0].subject for answer in answers] == ["BATCH001", "EXTRACT01"] * 4


async def test_asking_changes_nothing() -> None:
    async with FakeScheduler(PLAN, password=PASSWORD) as scheduler:
        source = source_for(scheduler.url)
        async with source.open():
            await source.ask(incident("BATCH001"))
        assert scheduler.performed == []
        assert {request.method for request in scheduler.requests} == {"GET"}


async def test_the_old_api_gives_what_it_has_and_notes_what_it_does_not() -> None:
    evidence = await asked(PLAN, "BATCH001", api=1)
    assert evidence[0].facts["return_code"] == 12
    assert of_kind(evidence, "joblog", lambda piece: "S0C7" in piece.codes)
    before = of_kind(evidence, "dependency", lambda piece: piece.facts["relation"] == "predecessor")
    assert {piece.facts["other"] for piece in before} == {"EXTRACT01", "/in/VENDAS.csv"}
    assert of_kind(evidence, "workstation")
    assert "doesn't tell successors" in notes(evidence)


async def test_the_old_api_lists_what_fails_and_knows_names_like_one() -> None:
    assert {piece.subject for piece in of_kind(await asked(PLAN, api=1), "job")} == {"BATCH001", "EXTRACT01"}
    assert "BATCH001" in notes(await asked(PLAN, "BATCH002", api=1))
    wild = await asked(PLAN, "*", api=1)
    assert not of_kind(wild, "job")


async def test_the_instance_of_the_incident_chooses_the_scheduler() -> None:
    other = Plan(jobs=(PlanJob(name="BATCH001", status="SUCC"),))
    async with FakeScheduler(PLAN, password=PASSWORD) as one, FakeScheduler(other, password=PASSWORD) as two:
        table = {"user": "operator", "password": {"env": "WA_PASSWORD"}}
        instances = {"TWS-PROD-01": {"url": one.url, **table}, "TWS-TEST": {"urls": [two.url], **table}}
        source = Workload.make({"instances": instances}, Path.cwd())
        async with source.open():
            for name, status in (("TWS-PROD-01", "ABEND"), ("tws-test", "SUCC")):
                assert (await source.ask(incident("BATCH001", instance=name)))[0].facts["status"] == status
            with pytest.raises(SourceError, match="no scheduler 'TWS-QA'"):
                await source.ask(incident("BATCH001", instance="TWS-QA"))
            with pytest.raises(SourceError, match="isn't said which scheduler"):
                await source.ask(incident("BATCH001"))


@pytest.mark.parametrize(("instance", "is_told"), [("TWS-QA", True), ("tws-prod-01", False), (None, False)])
async def test_only_scheduler_that_calls_itself_otherwise_says_so(instance: str | None, is_told: bool) -> None:
    async with FakeScheduler(PLAN, password=PASSWORD) as server:
        source = Workload.make({"url": server.url, "user": "operator", "password": {"env": "WA_PASSWORD"}}, Path.cwd())
        async with source.open():
            evidence = await source.ask(incident("BATCH001", instance=instance))
    assert ("No scheduler is configured by the name of TWS-QA." in notes(evidence)) is is_told


@pytest.mark.parametrize("dry_run", [True, False])
async def test_nothing_is_done_at_a_scheduler_that_calls_itself_otherwise(dry_run: bool) -> None:
    async with FakeScheduler(PLAN, password=PASSWORD) as server:
        source = Workload.make({"url": server.url, "user": "operator", "password": {"env": "WA_PASSWORD"}}, Path.cwd())
        async with source.open():
            with pytest.raises(SourceError, match="calls itself 'TWS-PROD-01', not 'TWS-QA': nothing was done"):
                await source.act("rerun", "BATCH001", instance="TWS-QA", dry_run=dry_run)
            assert server.performed == []
            assert (await source.act("rerun", "BATCH001", instance="tws-prod-01", dry_run=False)).performed
        assert len(server.performed) == 1


async def test_random_faults_lose_no_part_that_was_had_and_raise_nothing_else() -> None:
    faults = [
        Fault(status=500, share=0.1),
        Fault(reset=True, share=0.1),
        Fault(status=429, retry_after_s=0, share=0.1),
        Fault(latency_s=(0.0, 0.02)),
    ]
    answered = 0
    for seed in range(4):
        with contextlib.suppress(SourceError):
            evidence = await asked(PLAN, "BATCH001", faults=faults, seed=seed)
            answered += 1
            # Whatever is missing is said to be.
            for kind, what in (("joblog", "job log"), ("workstation", "workstation AGENT01"), ("plan", "that fail")):
                assert of_kind(evidence, kind) or what in notes(evidence)
    assert answered >= 3


async def test_parts_are_asked_for_at_once_and_never_more_than_the_limit() -> None:
    for limit in (2, 6):
        async with FakeScheduler(PLAN, password=PASSWORD, faults=[Fault(latency_s=0.05)]) as scheduler:
            source = source_for(scheduler.url, limit=limit)
            async with source.open():
                await source.ask(incident("BATCH001"))
            assert 1 < scheduler.peak <= limit
            assert limit == 2 or scheduler.peak > 2


async def test_of_a_huge_log_only_pages_are_asked_for_and_the_error_at_its_end_is_found() -> None:
    text = "begin\nORA-01555: snapshot too old"
    job = PlanJob(name="HUGE", runs=(run("ABEND", 1, return_code=1, log=text, filler=50_000_000),))
    async with FakeScheduler(Plan(jobs=(job,)), password=PASSWORD) as scheduler:
        source = source_for(scheduler.url)
        async with source.open():
            evidence = await source.ask(incident("HUGE"))
        pages = [request.query for request in scheduler.requests if request.path.endswith("joblog")]
    [log] = of_kind(evidence, "joblog")
    assert "ORA-01555" in log.codes
    assert (log.facts["lines"], log.facts["cut"]) == (50_000_016, True)
    assert "in the middle, were not read" in log.text
    assert all(int(page["to_line"]) - int(page["from_line"]) < 500 for page in pages)
    assert len(pages) < 60


async def test_a_log_that_ends_too_early_is_read_as_far_as_it_goes() -> None:
    evidence = await asked(PLAN, "BATCH001", faults=[Fault(on="joblog", cut_bytes=420)])
    [log] = of_kind(evidence, "joblog", lambda piece: piece.subject == "BATCH001")
    assert log.facts["exit_status"] == 12


async def test_a_server_that_does_not_page_logs_is_read_to_the_cap() -> None:
    job = PlanJob(name="BIG", runs=(run("ABEND", 1, return_code=1, log="ERROR first\nlast", filler=100_000),))
    evidence = await asked(Plan(jobs=(job,)), "BIG", server={"pages_logs": False}, max_log_bytes=100_000)
    [log] = of_kind(evidence, "joblog")
    assert log.facts["bytes"] == 50_000
    assert "only its first" in log.text
