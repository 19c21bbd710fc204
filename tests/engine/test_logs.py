from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest
import structlog
from structlog.testing import CapturingLogger, capture_logs

from fanfold.engine import BranchFinished, BranchStarted, Failed, Folded, fan_out
from fanfold.engine.logs import log_events
from fanfold.engine.retry import retry
from fanfold.testing.clock import run


async def branch(item: str) -> str:
    await asyncio.sleep(1)
    if item == "bad":
        raise ValueError('no such\nfile ="a"')
    return item


async def fan(on_event: object) -> None:
    wrapped = retry(2, wait_initial_s=0)(branch)
    await fan_out(wrapped, ["good", "bad"], limit=1, on_event=on_event)  # type: ignore[call-overload]


def test_the_standard_library_gets_a_line_of_words_for_each_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "fanfold.engine")
    run(fan(log_events()))
    error = r'"ValueError: no such\nfile =\"a\""'
    assert caplog.record_tuples == [
        ("fanfold.engine", logging.DEBUG, "branch_queued key=good path=good"),
        ("fanfold.engine", logging.DEBUG, "branch_queued key=bad path=bad"),
        ("fanfold.engine", logging.DEBUG, "branch_started key=good path=good at_s=0.0"),
        ("fanfold.engine", logging.INFO, "branch_finished key=good path=good outcome=done elapsed_s=1.0 attempts=1"),
        ("fanfold.engine", logging.DEBUG, "branch_started key=bad path=bad at_s=1.0"),
        ("fanfold.engine", logging.WARNING, f"branch_retried key=bad path=bad attempt=1 wait_s=0.0 error={error}"),
        (
            "fanfold.engine",
            logging.WARNING,
            f"branch_finished key=bad path=bad outcome=failed elapsed_s=2.0 attempts=2 error={error}",
        ),
    ]


def test_structlog_gets_the_fields_as_they_are() -> None:
    with capture_logs() as entries:
        run(fan(log_events(structlog.get_logger())))
    assert [entry["event"] for entry in entries] == [
        "branch_queued", "branch_queued", "branch_started", "branch_finished",
        "branch_started", "branch_retried", "branch_finished",
    ]  # fmt: skip
    assert entries[-1] == {
        "event": "branch_finished",
        "log_level": "warning",
        "key": "bad",
        "path": "bad",
        "outcome": "failed",
        "elapsed_s": 2.0,
        "attempts": 2,
        "error": 'ValueError: no such\nfile ="a"',
    }


def test_structlog_may_filter_and_keep_fields_of_its_own() -> None:
    output = CapturingLogger()
    logger = structlog.wrap_logger(
        output,
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        processors=[structlog.stdlib.add_log_level],
    )
    run(fan(log_events(logger.bind(run="r1"))))
    assert [(call.kwargs["event"], call.kwargs["run"]) for call in output.calls] == [
        ("branch_retried", "r1"),
        ("branch_finished", "r1"),
    ]


def test_folds_are_logged_with_their_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mine")
    log_events(logging.getLogger("mine"))(Folded(("findings", "cost"), 3))
    assert caplog.messages == ["folded fields=findings,cost branches=3"]


def test_an_error_is_logged_as_type_and_message_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mine")

    class Refused(Exception):
        def __str__(self) -> str:
            return "refused"

    error = Refused("password")
    log_events(logging.getLogger("mine"))(BranchFinished("a", ("o", "a"), Failed("a", error, 0.0, 1.0), 1.0))
    assert caplog.messages == [
        'branch_finished key=a path=o/a outcome=failed elapsed_s=1.0 attempts=1 error="Refused: refused"'
    ]


@pytest.mark.parametrize(
    ("key", "word"),
    [("plain-key.py", "plain-key.py"), ("", '""'), ("a b", '"a b"'), ("x=1", '"x=1"'), ("\x1b[2J", '"\\u001b[2J"')],
)
def test_no_key_can_pass_for_two_fields_or_a_control_sequence(
    caplog: pytest.LogCaptureFixture, key: str, word: str
) -> None:
    caplog.set_level(logging.DEBUG, "mine")
    log_events(logging.getLogger("mine"))(BranchStarted(key, (key,), 0.0))
    assert caplog.messages == [f"branch_started key={word} path={word} at_s=0.0"]


def test_it_is_silent_until_logging_is_configured() -> None:
    code = """
from fanfold.engine import BranchFinished, Failed
from fanfold.engine.logs import log_events
log_events()(BranchFinished("a", ("a",), Failed("a", ValueError("loud"), 0.0, 0.0), 0.0))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")
