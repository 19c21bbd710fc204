"""One job: its own words, its structure, its time, what stands around it; each mechanism by itself."""

from __future__ import annotations

from typing import Any

import pytest

FULL = "No space left on device"


def test_a_missing_dependency_is_the_cause_of_waiting(night: Any) -> None:
    night.job("PAY02", "HOLD", ran=None, substatus="HOLD_WAITING_FOR_PREDECESSOR")
    id_ = night.comes_after("PAY02", "/in/bank.ret", "NOT_SATISFIED", type="file")

    first = night.answer("PAY02").hypotheses[0]

    assert (first.cause, first.object) == ("missing_file", "/in/bank.ret")
    assert id_ in first.evidence


def test_the_failure_upstream_is_followed_to_the_first(night: Any) -> None:
    night.job("PAY03", "HOLD", ran=None)
    night.comes_after("PAY03", "PAY02", "HOLD", depth=1)
    night.comes_after("PAY03", "PAY01", "ABEND", depth=2)
    night.job("PAY01")
    night.joblog("PAY01", "ORA-01017: invalid username/password; logon denied")

    hypotheses = night.answer("PAY03").hypotheses

    assert (hypotheses[0].cause, hypotheses[0].object) == ("upstream_failed", "PAY01")
    assert hypotheses[1].cause == "credentials"


@pytest.mark.parametrize(("began", "expected"), [(300, "cause"), (20, "healthy")])
def test_a_predecessor_is_late_only_beyond_its_usual_time(night: Any, began: float, expected: str) -> None:
    night.job("PAY02", "HOLD", ran=None)
    night.comes_after("PAY02", "PAY01", "EXEC")
    night.job("PAY01", "EXEC", ran=(began, None), estimated_s=3600)

    answer = night.answer("PAY02")

    assert answer.status == expected
    assert [one.object for one in answer.hypotheses] == (["PAY01"] if expected == "cause" else [])


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        ({"linked": False, "running": True}, "agent_down"),
        ({"linked": True, "running": True, "limit": 0}, "scheduler_limit"),
        ({"linked": True, "running": True, "limit": 10, "fence": 50}, "scheduler_limit"),
    ],
)
def test_a_ready_job_waits_for_its_workstation(night: Any, facts: dict[str, object], cause: str) -> None:
    night.job("PAY01", "READY", ran=None)
    id_ = night.piece("workstation", "LX01", "Workstation LX01", workstation="LX01", **facts)

    first = night.answer("PAY01").hypotheses[0]

    assert (first.cause, first.object) == (cause, "LX01")
    assert id_ in first.evidence


def test_a_failure_that_explains_itself_is_not_put_down_to_an_agent_that_is_down_now(night: Any) -> None:
    night.job("PAY01")
    night.joblog("PAY01", "ORA-00942: table or view does not exist")
    night.piece("workstation", "LX01", "not linked", linked=False, running=True)

    assert night.answer("PAY01").hypotheses[0].cause == "database_error"


def test_a_failure_without_a_word_is_put_down_to_the_agent_that_is_down(night: Any) -> None:
    night.job("PAY01")
    night.piece("workstation", "LX01", "not linked", linked=False, running=True)

    assert night.answer("PAY01").hypotheses[0].cause == "agent_down"


def test_a_workstation_that_is_well_speaks_against_its_being_down(night: Any) -> None:
    night.job("PAY01", "READY", ran=None, substatus="READY_WAITING_FOR_AGENT")
    id_ = night.piece("workstation", "LX01", "linked", linked=True, running=True)

    first = night.answer("PAY01").hypotheses[0]

    assert first.cause == "agent_down"
    assert id_ in first.against


def test_a_cancelled_job_was_cancelled(night: Any) -> None:
    night.job("PAY01", "CANCL", ran=None)

    assert night.answer("PAY01").hypotheses[0].cause == "cancelled"


def test_an_error_of_long_ago_gives_way_to_the_one_of_tonight(night: Any) -> None:
    night.job("PAY01")
    night.log("PAY01", "IEF450I PAY01 STEP1 - ABEND=S0C7 U0000", ago=60 * 24 * 20)
    night.log("PAY01", "ORA-01555: snapshot too old")

    assert [one.cause for one in night.answer("PAY01").hypotheses] == ["database_error"]


def test_a_warning_of_every_day_is_no_cause(night: Any) -> None:
    night.job("PAY01")
    night.log("PAY01", "connection timed out, trying again", level="warning", usual=True)

    assert night.answer("PAY01").status == "unknown"


def test_a_line_of_another_job_is_no_sign(night: Any) -> None:
    night.job("PAY01")
    night.log("BACKUP", f"tar: /backup: {FULL}")

    assert night.answer("PAY01").status == "unknown"


def test_the_machine_tells_of_a_killed_process_what_the_job_could_not(night: Any) -> None:
    night.job("PAY01")
    id_ = night.piece(
        "log", "lx01", "kernel: Out of memory: Killed process 77 (java)", ago=30, host="lx01", level="error"
    )

    first = night.answer("PAY01").hypotheses[0]

    assert (first.cause, first.evidence) == ("memory_exhausted", (id_,))


def test_a_metric_alone_is_weaker_than_the_log(night: Any) -> None:
    night.job("PAY01")
    night.joblog("PAY01", "ORA-00942: table or view does not exist")
    night.piece(
        "metric",
        "fs",
        "fell",
        name="node_filesystem_avail_bytes",
        labels=["instance=lx01:9100", "mountpoint=/u"],
        value=0,
        before=9,
        anomaly="down",
        first=night.at(40).isoformat(),
    )

    hypotheses = night.answer("PAY01").hypotheses

    assert [one.cause for one in hypotheses] == ["database_error", "disk_full"]


def test_a_spike_that_was_over_before_the_job_began_is_no_cause(night: Any) -> None:
    night.job("PAY01")
    night.piece(
        "metric",
        "fs",
        "fell",
        name="node_filesystem_avail_bytes",
        labels=["instance=lx01:9100", "mountpoint=/u"],
        value=0,
        before=9,
        anomaly="down",
        first=night.at(190).isoformat(),
        last=night.at(180).isoformat(),
    )

    assert night.answer("PAY01").status == "unknown"


def test_a_program_that_fails_since_it_was_changed_fails_for_the_change(night: Any) -> None:
    night.job("PAY01")
    night.joblog("PAY01", "CEE3204S The system detected a protection exception", "From compile unit PAYP01")
    id_ = night.change("deployment", "PAYP01", "PAYP01 recompiled", ago=240)

    hypotheses = night.answer("PAY01").hypotheses

    assert [one.cause for one in hypotheses] == ["change", "application_error"]
    assert id_ in hypotheses[0].evidence
    assert id_ in hypotheses[1].against


def test_a_change_after_the_failure_did_not_cause_it(night: Any) -> None:
    night.job("PAY01")
    night.change("deployment", "PAY01", "PAY01 corrected", ago=5)

    assert night.answer("PAY01").status == "unknown"


def test_a_change_of_something_else_is_no_cause(night: Any) -> None:
    night.job("PAY01")
    night.change("configuration", "cdn-images", "Lifetime of images raised", ago=90)

    assert night.answer("PAY01").status == "unknown"


def test_a_runbook_supports_and_never_decides(night: Any) -> None:
    night.job("PAY01")
    night.piece("runbook", "Certificate", "Certificate expired", cause="certificate_expired", exact=False)

    assert night.answer("PAY01").status == "unknown"


def test_a_runbook_about_the_very_code_says_what_a_house_means_by_it(night: Any) -> None:
    night.job("PAY01")
    night.joblog("PAY01", "house code U1234 reason 7 was issued by user abend U1234")
    id_ = night.piece("runbook", "U1234", "U1234: input is empty", cause="bad_data", exact=True)

    assert any(one.cause == "bad_data" and id_ in one.evidence for one in night.answer("PAY01").hypotheses)


def test_the_log_of_an_earlier_run_is_not_that_of_the_last(night: Any) -> None:
    night.job("PAY01")
    night.joblog("PAY01", f"cp: {FULL}", run="an-earlier-run")

    assert night.answer("PAY01").status == "unknown"


def test_what_the_program_calls_an_error_is_told_where_nothing_better_is_known(night: Any) -> None:
    night.job("PAY01")
    night.joblog("PAY01", "PAY0999E PROCESSING ABORTED, RC=12")
    night.joblog("PAY01", "PAY0457E BATCH 231 OUT OF BALANCE")

    first = night.answer("PAY01").hypotheses[0]

    assert first.cause == "application_error"
    assert first.object.startswith("PAY0457E")
