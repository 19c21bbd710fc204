"""A system behind a job: what it reports of itself is the reason, what the job saw of it a symptom."""

from __future__ import annotations

from typing import Any

import pytest

POOL = "LEDGERDB-pool - Connection is not available, request timed out after 30000ms (active=9, idle=0)"
FULL = 'postgres LEDGERDB: could not write to file "/pgwal/771": No space left on device'


def starved(night: Any, line: str = POOL) -> None:
    """A job that got nothing from what it calls."""
    night.job("LEDGER01")
    night.joblog("LEDGER01", f"ERROR {line}", "exit 1")


def machine(night: Any, text: str = FULL, *, host: str = "pgled02", ago: float = 45) -> str:
    """A line of another machine; its id."""
    last = night.at(ago).isoformat()
    id_: str = night.piece("log", host, text, {"host": host, "level": "error", "last": last, "first": last}, ago=ago)
    return id_


@pytest.mark.parametrize(
    ("seen", "symptom", "said"),
    [
        (POOL, "quota_exhausted", FULL),
        ("connection to LEDGERDB lost: Connection reset by peer", "network", FULL),
        ("QMPAY01: Connection reset by peer", "network", "QMPAY01: /var/mqm/log: No space left on device"),
        ("canceling statement due to lock timeout in database LEDGERDB", "lock_contention", FULL),
    ],
)
def test_reason_of_a_system_that_the_error_names_comes_before_what_the_job_saw(
    seen: str, symptom: str, said: str, night: Any
) -> None:
    starved(night, seen)
    id_ = machine(night, said)
    first, *others = night.answer("LEDGER01").hypotheses
    assert first.cause == "disk_full"
    assert id_ in first.evidence
    assert all(one.confidence < first.confidence for one in others)
    assert not others or others[0].cause == symptom


@pytest.mark.parametrize(
    ("text", "host", "ago"),
    [
        ("backup: /archive: No space left on device", "lxarch9", 45),
        (FULL, "pgled02", 5),
        ("postgres LEDGERDB: checkpoint complete", "pgled02", 45),
    ],
    ids=["of another system", "after the failure", "not in trouble"],
)
def test_anything_else_leaves_it_at_what_the_job_saw(text: str, host: str, ago: float, night: Any) -> None:
    starved(night)
    machine(night, text, host=host, ago=ago)
    assert night.answer("LEDGER01").hypotheses[0].cause == "quota_exhausted"


def test_what_a_machine_says_is_about_itself_and_not_about_where_the_job_runs(night: Any) -> None:
    starved(night, "https://scoring02.acme.example/score: Read timed out")
    machine(night, "kernel: Out of memory: Killed process 991 (java)", host="scoring02")
    first = night.answer("LEDGER01").hypotheses[0]
    assert (first.cause, first.object) == ("memory_exhausted", "scoring02 (java)")


@pytest.mark.parametrize(
    ("lines", "table"),
    [
        (("SQLCODE=-911 em UPDATE ESTQ.SALDO_LOJA SET QTD = QTD - ?",), "ESTQ.SALDO_LOJA"),
        (("update `shop`.`stock_level` set qty = 1", "Lock wait timeout exceeded"), "shop.stock_level"),
        (("DELETE FROM [sales].[OrderLine]", "was deadlocked on lock resources"), "sales.OrderLine"),
        (('while updating tuple (1,7) in relation "policy_rate"', "due to lock timeout: deadlock"), "policy_rate"),
        (("deadlock detected", "blocked by process 7544", "INSERT INTO FIN.BALANCE"), "FIN.BALANCE"),
        (("ORA-00060: deadlock detected", "UPDATE BALANCES SET X = 1"), "BALANCES"),
    ],
)
def test_a_lock_is_about_the_table_whole(lines: tuple[str, ...], table: str, night: Any) -> None:
    night.job("PAY01")
    night.joblog("PAY01", *lines)
    first = night.answer("PAY01").hypotheses[0]
    assert (first.cause, first.object) == ("lock_contention", table)


def test_who_holds_a_lock_is_named_before_the_table(night: Any) -> None:
    night.job("PAY01")
    night.joblog("PAY01", "lock timeout on FIN.BALANCE, held by job NIGHT_REORG", "UPDATE FIN.BALANCE")
    assert night.answer("PAY01").hypotheses[0].object == "NIGHT_REORG (FIN.BALANCE)"
