"""Errors as data, on their way from a worker to the coordinator."""

from __future__ import annotations

from traceback import format_exception
from typing import Any

from fanfold.engine.wrapper import message_of
from fanfold.errors import FanfoldError
from fanfold.runtimes.cluster.errors import RemoteError, remote_error

MOST_CHARS = 20_000

_ENDING = {"builtins.KeyboardInterrupt": KeyboardInterrupt, "builtins.SystemExit": SystemExit}


def told(error: BaseException) -> dict[str, str | None]:
    """What is sent of an error."""
    kind = type(error)
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "message": sendable(error.message if isinstance(error, FanfoldError) else message_of(error)),
        "hint": sendable(error.hint) if isinstance(error, FanfoldError) and error.hint is not None else None,
        "traceback": sendable(_traceback(error)),
    }


def raised(data: dict[str, Any], worker: str) -> BaseException:
    """What to raise of it: what ends a program there ends it here; all else is a RemoteError."""
    type_name = str(data["type"])
    return _ENDING[type_name](str(data["message"])) if type_name in _ENDING else remote(data, worker)


def remote(data: dict[str, Any], worker: str) -> RemoteError:
    """The error of a worker, as it is told here."""
    hint = None if data["hint"] is None else str(data["hint"])
    type_name, text, traceback = (str(data[part]) for part in ("type", "message", "traceback"))
    return remote_error(type_name, text, hint, traceback, worker)


def sendable(text: str) -> str:
    """A text without halves of surrogate pairs, which can't be sent, and without the middle where it is very long."""
    text = text.encode("utf-8", "backslashreplace").decode()
    half = MOST_CHARS // 2
    return text if len(text) <= MOST_CHARS else f"{text[:half]}\n...\n{text[-half:]}"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(format_exception(error))
    except Exception:  # noqa: BLE001 rendering runs the error's own code, which may raise anything
        return f"{type(error).__qualname__} (its traceback can't be rendered)\n"
