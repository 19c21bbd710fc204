"""Errors as data, on their way from a worker to the coordinator."""

from __future__ import annotations

from traceback import format_exception
from typing import Any

from fanfold.engine.wrapper import message_of
from fanfold.errors import FanfoldError
from fanfold.runtimes.cluster.errors import RemoteError, remote_error

_ENDING = {"builtins.KeyboardInterrupt": KeyboardInterrupt, "builtins.SystemExit": SystemExit}


def told(error: BaseException) -> dict[str, str | None]:
    """What is sent of an error."""
    kind = type(error)
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "message": error.message if isinstance(error, FanfoldError) else message_of(error),
        "hint": error.hint if isinstance(error, FanfoldError) else None,
        "traceback": _traceback(error),
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


def _traceback(error: BaseException) -> str:
    try:
        return "".join(format_exception(error))
    except Exception:  # noqa: BLE001 rendering runs the error's own code, which may raise anything
        return f"{type(error).__qualname__} (its traceback can't be rendered)\n"
