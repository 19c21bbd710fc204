"""What is said of an error that ended a branch, wherever the branch ran."""

from __future__ import annotations

from fanfold.engine import DeadlineExceeded
from fanfold.errors import FanfoldError


def timed_out(error: Exception) -> bool:
    """Whether the time was up."""
    return isinstance(error, DeadlineExceeded) or _kind(error) == _kind(DeadlineExceeded(""))


def words_of(error: Exception, *, hint: bool = True) -> str:
    """What happened: of Fanfold's own errors the message, of all others the type's name before it."""
    if not isinstance(error, FanfoldError):
        return f"{type(error).__name__}: {error}"
    said = str(error) if hint else error.message
    # One that was raised on another machine is of a type of ours here, whatever it was there.
    return said if getattr(error, "type_name", "fanfold.").startswith("fanfold.") else f"{type(error).__name__}: {said}"


def _kind(error: Exception) -> str:
    """The full name of an error's type; of one that was raised on another machine, that of its type there."""
    kind = type(error)
    return str(getattr(error, "type_name", f"{kind.__module__}.{kind.__qualname__}"))
