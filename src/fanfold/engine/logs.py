"""Log what a fan-out tells, with the standard library or structlog."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from fanfold.engine.events import BranchFinished, BranchQueued, BranchRetried, BranchStarted, Event, Folded
from fanfold.engine.outcome import Failed
from fanfold.engine.wrapper import text_of

Fields: TypeAlias = dict[str, str | int | float]


class StructuredLogger(Protocol):
    """A logger of structlog."""

    def bind(self, **fields: Any) -> Any:
        """What tells it from one of the standard library."""

    def log(self, level: int, event: str, **fields: Any) -> Any:
        """Log an event with its fields."""


def log_events(logger: logging.Logger | StructuredLogger | None = None) -> Callable[[Event], None]:
    """Log each event under its name, with its fields: `fan_out(..., on_event=log_events())`.

    Retries and failures are warnings, ends and folds are infos, the rest is for debugging. An error is logged as its
    type and message, as they are: what an error says, the log says. Items, values and tracebacks are not logged.

    Args:
        logger: structlog's or the standard library's; None = the standard library's "fanfold.engine", which is
            silent until the program configures logging.
    """
    target = _silent() if logger is None else logger
    if isinstance(target, logging.Logger):
        plain = target
        return lambda event: _log(plain, *_read(event))
    structured = target

    def read(event: Event) -> None:
        level, name, fields = _read(event)
        structured.log(level, name, **fields)

    return read


def _read(event: Event) -> tuple[int, str, Fields]:
    match event:
        case BranchQueued():
            return logging.DEBUG, "branch_queued", _place(event)
        case BranchStarted():
            return logging.DEBUG, "branch_started", {**_place(event), "at_s": _rounded(event.at_s)}
        case BranchRetried():
            what: Fields = {"attempt": event.attempt, "wait_s": _rounded(event.wait_s), "error": text_of(event.error)}
            return logging.WARNING, "branch_retried", {**_place(event), **what}
        case BranchFinished():
            return _finished(event)
        case Folded():
            return logging.INFO, "folded", {"fields": ",".join(event.fields), "branches": event.branches}


def _finished(event: BranchFinished) -> tuple[int, str, Fields]:
    outcome = event.outcome
    fields: Fields = {
        **_place(event),
        "outcome": "failed" if isinstance(outcome, Failed) else "done",
        "elapsed_s": _rounded(outcome.elapsed_s),
        "attempts": outcome.attempts,
    }
    if isinstance(outcome, Failed):
        return logging.WARNING, "branch_finished", {**fields, "error": text_of(outcome.error)}
    return logging.INFO, "branch_finished", fields


def _place(event: BranchQueued | BranchStarted | BranchRetried | BranchFinished) -> Fields:
    return {"key": event.key, "path": "/".join(event.path)}


def _rounded(seconds: float) -> float:
    return round(seconds, 6)


def _log(logger: logging.Logger, level: int, name: str, fields: Fields) -> None:
    if logger.isEnabledFor(level):
        logger.log(level, "%s %s", name, " ".join(f"{field}={_quoted(value)}" for field, value in fields.items()))


def _quoted(value: str | float) -> str:
    """A value as one word: what has blanks, quotes or line ends in it is quoted, so that no value looks like two."""
    text = str(value)
    plain = text and text.isprintable() and not set(text) & set(' "=\\')
    return text if plain else json.dumps(text)


def _silent() -> logging.Logger:
    logger = logging.getLogger("fanfold.engine")
    if not logger.handlers:
        # Without a handler anywhere, the standard library prints warnings to stderr.
        logger.addHandler(logging.NullHandler())
    return logger
