from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.troubleshoot.route import INTENTS, Entities, route, route_of_trouble


@pytest.mark.parametrize(
    ("message", "intent", "jobs", "codes", "language"),
    [
        ("Job BATCH001 falhou com ABEND S0C7", "troubleshoot", ("BATCH001",), ("S0C7",), "pt"),
        ("Why did PAYROLL_EOD abend with S322 last night?", "troubleshoot", ("PAYROLL_EOD",), ("S322",), "en"),
        ("o job FATURA01 está travado desde as 3h", "troubleshoot", ("FATURA01",), (), "pt"),
        ("jobs BATCH001, BATCH002 e BATCH003 falharam", "troubleshoot", ("BATCH001", "BATCH002", "BATCH003"), (), "pt"),
        ("MASTER#NIGHT.LOAD_CUST ended with RC=127", "troubleshoot", ("LOAD_CUST",), ("RC=127",), "en"),
        ("O processo NOTURNO_CARGA caiu com ORA-01017", "troubleshoot", ("NOTURNO_CARGA",), ("ORA-01017",), "pt"),
        ("job daily_load failed", "troubleshoot", ("daily_load",), (), "en"),
        ("Troubleshoot job failure", "troubleshoot", (), (), "en"),
        ("What does S0C7 mean?", "how_to", (), ("S0C7",), "en"),
        ("como reexecutar o job X1?", "how_to", ("X1",), (), "pt"),
        ("status do job BATCH001", "status", ("BATCH001",), (), "en"),
        ("rerun job ABC123", "action", ("ABC123",), (), "en"),
        ("hello there", "other", (), (), "en"),
    ],
)
def test_what_is_wanted_and_what_is_named(
    message: str, intent: str, jobs: tuple[str, ...], codes: tuple[str, ...], language: str
) -> None:
    read = route(message)
    assert (read.intent, read.entities.jobs, read.entities.codes, read.language) == (intent, jobs, codes, language)


@pytest.mark.parametrize(
    "message",
    [
        "o fechamento parou",
        "por que o job ctb_fecha_dia ainda nao rodou?",
        "X0100 won't start, on HOLD since 2. What is it waiting for?",
        "X0100 não rodou às 4 como sempre",
        "our pods keep restarting",
    ],
)
def test_trouble_is_seen_whatever_other_words_stand_around_it(message: str) -> None:
    assert route(message).intent == "troubleshoot"


@pytest.mark.parametrize(
    ("message", "intent"),
    [
        ("What does S0C7 mean?", "how_to"),
        ("como reexecutar um job?", "how_to"),
        ("explain the runbook of a cold start", "how_to"),
        ("What does S0C7 mean for X1?", "troubleshoot"),
        ("checkout is throwing 502s since 19:05. What's behind it?", "troubleshoot"),
        ("status of X1", "status"),
        ("is X1 running?", "status"),
        ("Somebody says that the status of X1 is FENCE, which we have never seen", "troubleshoot"),
        ("rerun X1", "troubleshoot"),
        ("good morning", "troubleshoot"),
        ("", "troubleshoot"),
    ],
)
def test_who_is_in_trouble_is_asked_about_trouble_unless_they_plainly_ask_something_else(
    message: str, intent: str
) -> None:
    assert route_of_trouble(message).intent == intent


def test_the_instance_is_no_job() -> None:
    read = route("Job BATCH001 failed on TWS-PROD-01")
    assert read.entities == Entities(jobs=("BATCH001",), instance="TWS-PROD-01")


def test_a_job_alone_is_to_be_troubleshot_with_less_confidence() -> None:
    assert (route("BATCH001").intent, route("BATCH001").confidence) == ("troubleshoot", 0.5)
    assert route("BATCH001 failed").confidence == 1.0


def test_what_is_wanted_decides_which_sources_matter() -> None:
    assert route("Job BATCH001 failed").sources == ("tws_status", "rag_search", "log_cache", "metrics")
    assert route("What does S0C7 mean?").sources == ("rag_search",)
    assert route("hello there").sources == ()


def test_the_words_that_decided_are_told() -> None:
    assert route("Job BATCH001 falhou com ABEND S0C7").why == ("falhou", "abend", "S0C7")


@given(st.text(max_size=400))
def test_any_message_is_read(message: str) -> None:
    read = route(message)
    assert read.intent in (*INTENTS, "other")
    assert route_of_trouble(message).intent in INTENTS
    assert 0 <= read.confidence <= 1
    assert all(job in message for job in read.entities.jobs)
