"""Show branches as OpenTelemetry spans."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast

from fanfold.engine.branch import Branch, current_branch
from fanfold.engine.events import BranchFinished, BranchPath, BranchQueued, BranchRetried, BranchStarted, Event, Folded
from fanfold.engine.outcome import Done
from fanfold.engine.wrapper import Wrapper, name_of, refuse_function, text_of
from fanfold.errors import FanfoldError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

P = ParamSpec("P")
T = TypeVar("T")

Attributes: TypeAlias = dict[str, "str | int | float | BranchPath"]


class TracingUnavailable(FanfoldError):
    """OpenTelemetry is not installed."""


def traced(tracer: Tracer | None = None, *, name: str | None = None) -> Wrapper:
    """Make each call of an async function a span; spans that the function opens nest beneath it.

    Its attributes are `fanfold.key`, `fanfold.path` (both in a branch only), `fanfold.attempt` and `fanfold.outcome`:
    done, failed or cancelled. An error is recorded as the exception's type, message and traceback; arguments and
    results are not recorded. Inside `retry` each attempt is a span; around it, all attempts are one.

    Args:
        tracer: what makes the spans; None = the global tracer provider's.
        name: the spans' name; the function's own by default.
    Raises:
        TracingUnavailable: here, without OpenTelemetry.
        TypeError: here, for a tracer that is none.
    """
    refuse_function(tracer, "@traced()")
    chosen = tracer or _tracer()

    def wrap(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        named = name or name_of(function)

        @functools.wraps(function)
        async def in_span(*args: P.args, **kwargs: P.kwargs) -> T:
            branch = current_branch()
            with chosen.start_as_current_span(
                named, attributes=_place(branch), record_exception=False, set_status_on_exception=False
            ) as span:
                outcome = "failed"
                try:
                    value = await function(*args, **kwargs)
                    outcome = "done"
                except asyncio.CancelledError:
                    outcome = "cancelled"
                    raise
                except Exception as error:
                    _record(span, error)
                    raise
                finally:
                    span.set_attribute("fanfold.outcome", outcome)
                    span.set_attribute("fanfold.attempt", branch.attempt if branch else 1)
                return value

        return in_span

    return wrap


def spans(tracer: Tracer | None = None) -> Callable[[Event], None]:
    """Make a span of each branch and each fold, from events: `fan_out(..., on_event=spans())`.

    A branch's span reaches from its start to its outcome, has an event for each retry, and lies beneath that of the
    branch which it is nested in, else beneath the span that is current here. Spans that the branch function opens
    don't nest beneath it: that needs `traced`. Fan-outs may share a reader unless branches of the same path run
    together.

    Raises:
        TracingUnavailable: here, without OpenTelemetry.
    """
    return _Spans(tracer or _tracer()).read


class _Spans:
    """The spans of branches that run."""

    def __init__(self, tracer: Tracer) -> None:
        self._api = _trace()
        self._tracer = tracer
        self._around = self._api.set_span_in_context(self._api.get_current_span())
        self._open: dict[BranchPath, Span] = {}

    def read(self, event: Event) -> None:
        match event:
            case BranchStarted():
                self._open[event.path] = self._begin(event.key, event.path)
            case BranchRetried():
                self._retry(event)
            case BranchFinished():
                self._finish(event)
            case Folded():
                what: Attributes = {"fanfold.fields": event.fields, "fanfold.branches": event.branches}
                self._tracer.start_span("fold", context=self._around, attributes=what).end()
            case BranchQueued():
                pass

    def _begin(self, key: str, path: BranchPath) -> Span:
        outer = next((self._open[path[:n]] for n in range(len(path) - 1, 0, -1) if path[:n] in self._open), None)
        around = self._api.set_span_in_context(outer, self._around) if outer else self._around
        place: Attributes = {"fanfold.key": key, "fanfold.path": path}
        return self._tracer.start_span(f"branch {key}", context=around, attributes=place)

    def _retry(self, event: BranchRetried) -> None:
        span = self._open.get(event.path)
        if span:
            attempt: Attributes = {"fanfold.attempt": event.attempt, "fanfold.wait_s": event.wait_s}
            span.add_event("retry", attempt | _exception(event.error))

    def _finish(self, event: BranchFinished) -> None:
        outcome = event.outcome
        # One that never started has no span yet.
        span = self._open.pop(event.path, None) or self._begin(event.key, event.path)
        span.set_attribute("fanfold.attempt", outcome.attempts)
        span.set_attribute("fanfold.outcome", "done" if isinstance(outcome, Done) else "failed")
        if not isinstance(outcome, Done):
            _record(span, outcome.error)
        span.end()


def _place(branch: Branch | None) -> Attributes:
    return {"fanfold.key": branch.key, "fanfold.path": branch.path} if branch else {}


def _record(span: Span, error: BaseException) -> None:
    """Say what a span failed with; an error whose own code can't render it is recorded without its traceback."""
    try:
        span.record_exception(error)
    except Exception:  # noqa: BLE001 OpenTelemetry renders the message by the error's own code: anything
        span.add_event("exception", _exception(error))
    api = _trace()
    span.set_status(api.Status(api.StatusCode.ERROR, text_of(error)))


def _exception(error: BaseException) -> Attributes:
    return {"exception.type": type(error).__qualname__, "exception.message": _message(error)}


def _message(error: BaseException) -> str:
    return text_of(error).partition(": ")[2]


def _trace() -> ModuleType:
    try:
        from opentelemetry import trace  # noqa: PLC0415 an extra, imported when used
    except ImportError as error:
        raise TracingUnavailable(
            "tracing needs OpenTelemetry, which is not installed", hint="run: pip install 'fanfold[otel]'"
        ) from error
    return trace


def _tracer() -> Tracer:
    return cast("Tracer", _trace().get_tracer("fanfold"))
