"""A job that can't read its input, and who writes that: a change there is told, and cited."""

from __future__ import annotations

from typing import Any

import pytest


def cannot_read(night: Any, *, changed_ago: float | None, **facts: str) -> str:
    """A job that meets bad data after another one; the id of what says that it comes after that."""
    night.job("LOADCUST", status="ABEND")
    night.joblog("LOADCUST", "CEE3207S The system detected a data exception (System Completion Code=0C7).")
    changed = {} if changed_ago is None else {"changed": night.at(changed_ago).isoformat()}
    id_: str = night.comes_after("LOADCUST", "UNLOAD1", "SUCC", **changed, **facts)
    return id_


def test_change_of_what_comes_before_is_told_and_cited_as_the_likely_reason(night: Any) -> None:
    id_ = cannot_read(night, changed_ago=60 * 9)
    answer = night.answer("LOADCUST")
    first, other = answer.hypotheses
    assert (first.cause, other.cause, other.object) == ("bad_data", "change", "UNLOAD1")
    assert id_ in first.evidence
    assert other.evidence == (id_,)
    assert f"UNLOAD1, which comes before LOADCUST, was changed 8.5 h before that [{id_}]." in answer.summary
    assert answer.next_steps[0].text.startswith("Compare what UNLOAD1 writes with what LOADCUST expects")
    assert answer.next_steps[0].evidence[0] == id_


def test_it_counts_as_well_where_the_scheduler_tells_it_of_the_job_itself(night: Any) -> None:
    cannot_read(night, changed_ago=None)
    id_ = night.job("UNLOAD1", status="SUCC", changed=night.at(300).isoformat())
    assert id_ in night.answer("LOADCUST").hypotheses[0].evidence


@pytest.mark.parametrize("ago", [5.0, 60.0 * 24 * 30])
def test_change_after_the_failure_or_long_before_it_is_none(ago: float, night: Any) -> None:
    id_ = cannot_read(night, changed_ago=ago)
    answer = night.answer("LOADCUST")
    assert id_ not in answer.hypotheses[0].evidence
    assert "UNLOAD1" not in answer.summary


def test_trouble_that_is_not_in_the_input_is_not_blamed_on_who_writes_it(night: Any) -> None:
    night.job("LOADCUST", status="ABEND")
    night.joblog("LOADCUST", "ORA-01017: invalid username/password; logon denied")
    night.comes_after("LOADCUST", "UNLOAD1", "SUCC", changed=night.at(120).isoformat())
    answer = night.answer("LOADCUST")
    assert answer.hypotheses[0].cause == "credentials"
    assert "UNLOAD1" not in answer.summary


def test_it_is_told_in_portuguese_too(night: Any) -> None:
    id_ = cannot_read(night, changed_ago=60 * 9)
    answer = night.answer("LOADCUST", language="pt")
    assert f"UNLOAD1, que vem antes de LOADCUST, foi alterado 8.5 h antes disso [{id_}]." in answer.summary


def test_job_that_waits_did_not_meet_what_befell_the_one_before_it(night: Any) -> None:
    cannot_read(night, changed_ago=None)
    night.log("LOADCUST", "CEE3207S data exception: ABEND=S0C7")
    night.job("REPORT", status="HOLD", ran=None)
    waits = night.comes_after("REPORT", "LOADCUST", "ABEND")
    changed = night.comes_after("REPORT", "UNLOAD1", "SUCC", depth=2, changed=night.at(60 * 9).isoformat())
    answer = night.answer("REPORT")
    assert answer.hypotheses[0].text.startswith("LOADCUST met data that it can't process")
    assert f"REPORT waits for LOADCUST [{waits}]." in answer.summary
    assert f"UNLOAD1, which comes before LOADCUST, was changed 8.5 h before that [{changed}]." in answer.summary
    assert not any("REPORT" in hypothesis.text for hypothesis in answer.hypotheses if hypothesis.cause == "change")


def test_what_several_jobs_have_from_one_producer_is_told_once(night: Any) -> None:
    cannot_read(night, changed_ago=60 * 9)
    night.job("REPORT", status="HOLD", ran=None)
    night.comes_after("REPORT", "LOADCUST", "ABEND")
    night.comes_after("REPORT", "UNLOAD1", "SUCC", depth=2, changed=night.at(60 * 9).isoformat())
    answer = night.answer("LOADCUST", "REPORT")
    assert answer.summary.count("UNLOAD1") == 1
    assert answer.hypotheses[0].text.startswith("LOADCUST met data")
