"""Call again what failed, later and later, from untouched arguments."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from fanfold.engine.branch import current_branch, yield_slot
from fanfold.engine.isolate import IsolationError, freeze
from fanfold.engine.outcome import BranchCancelled
from fanfold.engine.pushback import retry_after_s
from fanfold.engine.rate_limiter import RequestTooLarge
from fanfold.engine.updates import UpdateError
from fanfold.engine.wrapper import Errors, Wrapper, matcher, name_of, refuse_function, text_of, time_s

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

P = ParamSpec("P")
T = TypeVar("T")

# No second try makes a request smaller, an argument copyable, a state an update, or a cancelled branch wanted again.
FINAL = (BranchCancelled, IsolationError, RequestTooLarge, UpdateError)


def retry(
    attempts: int = 3,
    *,
    on: Errors = Exception,
    wait_initial_s: float = 0.5,
    wait_max_s: float = 30.0,
    budget_s: float | None = None,
    retry_after_max_s: float = 300.0,
    isolate: bool = True,
    random: Random | None = None,
) -> Wrapper:
    """Call an async function again when it fails, after waits that double, until it returns or has failed for good.

    The n-th wait is chosen evenly between 0 and `wait_initial_s` * 2**(n-1), at most `wait_max_s`. Where the error
    says how long to wait (`.retry_after_s`, or Retry-After in an HTTP response), that time comes before it. The
    branch's slot is free for others meanwhile. Each attempt gets its own copy-on-write view of the arguments as they
    were at the call, except for the `self` of a method. A cancelled call is not tried again.

    Args:
        attempts: calls in all, >= 1.
        on: the errors after which to try again: types, or a function that says so.
        wait_initial_s: the longest first wait.
        wait_max_s: the longest wait that no error asked for.
        budget_s: no attempt begins later than this after the first one; None = whenever. It cuts off no attempt:
            that is what `deadline` is for.
        retry_after_max_s: give up at once where an error asks for a longer wait.
        isolate: False hands the very arguments to all attempts, for those that aren't data: clients, queues.
        random: a `random.Random` that waits are chosen with: a seeded one gives the same waits each time.
    Raises:
        ValueError, TypeError: here, for a number out of range, or what is none.
        The error of the last attempt, as it was; `earlier_errors` and its notes tell of those before.
    Source:
        Marc Brooker, "Exponential Backoff And Jitter" (full jitter). Attempts after the first run on tenacity.
    """
    refuse_function(attempts, "@retry()")
    if isinstance(attempts, bool) or not isinstance(attempts, int):
        raise TypeError(f"attempts is a whole number, not {attempts!r}")
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, not {attempts}")
    _refuse_strange_times(
        wait_initial_s=wait_initial_s, wait_max_s=wait_max_s, retry_after_max_s=retry_after_max_s,
        **({} if budget_s is None else {"budget_s": budget_s}),
    )  # fmt: skip
    chosen = random or Random()  # noqa: S311 spreads load, hides nothing
    policy = _Policy(attempts, matcher(on), wait_initial_s, wait_max_s, budget_s, retry_after_max_s, chosen)

    def wrap(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        shared = 1 if _is_method(function) else 0

        @functools.wraps(function)
        async def retrying(*args: P.args, **kwargs: P.kwargs) -> T:
            began_s = time_s()
            attempt: Callable[[], Awaitable[T]] = functools.partial(function, *args, **kwargs)
            if isolate and attempts > 1:
                attempt = _isolated(function, args, kwargs, shared)
            try:
                return await attempt()
            except Exception as error:
                if attempts == 1:
                    raise
                first = error
            return await _again(attempt, first, policy, began_s)

        return retrying

    return wrap


def _refuse_strange_times(**times_s: float) -> None:
    for name, seconds in times_s.items():
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise TypeError(f"{name} is a number of seconds, not {seconds!r}")
        if seconds < 0:
            raise ValueError(f"{name} must be at least 0 s, not {seconds}")


class _Earlier(tuple[Exception, ...]):
    """Errors that the last one carries along in this process; in a pickle or a copy its notes have to do."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[_Earlier], tuple[()]]:
        return _Earlier, ()


def earlier_errors(error: BaseException) -> tuple[Exception, ...]:
    """What the attempts before raised, first to last, for an error that comes out of `retry`."""
    return getattr(error, "_fanfold_earlier", _Earlier())


@dataclass(frozen=True, slots=True)
class _Policy:
    """When to try again."""

    attempts: int
    wanted: Callable[[Exception], bool]
    wait_initial_s: float
    wait_max_s: float
    budget_s: float | None
    retry_after_max_s: float
    random: Random

    def is_for(self, error: BaseException | None) -> bool:
        return isinstance(error, Exception) and not isinstance(error, FINAL) and self.wanted(error)

    def wait_s(self, attempt: int, error: Exception) -> float:
        # Beyond 2**1000 floats overflow.
        longest_s = min(self.wait_max_s, self.wait_initial_s * 2.0 ** min(attempt - 1, 1000))
        return (retry_after_s(error) or 0.0) + self.random.uniform(0.0, longest_s)

    def is_over(self, attempt: int, error: Exception, begins_s: float) -> bool:
        if attempt >= self.attempts or (retry_after_s(error) or 0.0) > self.retry_after_max_s:
            return True
        return self.budget_s is not None and begins_s > self.budget_s


async def _again(attempt: Callable[[], Awaitable[T]], first: Exception, policy: _Policy, began_s: float) -> T:
    """The attempts after the first, whose error tenacity is told."""
    failed: list[Exception] = []
    untold = [first]
    as_raised: TracebackType | None = None

    async def told() -> T:
        nonlocal as_raised
        try:
            if untold:
                raise untold.pop()
            return await attempt()
        except Exception as error:
            as_raised = error.__traceback__
            raise

    try:
        return await _retrying(policy, began_s, failed)(told)
    except Exception as error:
        _remember(error, failed)
        # Without tenacity's own frames, which say nothing of what failed.
        error.with_traceback(as_raised)
        raise


def _retrying(policy: _Policy, began_s: float, failed: list[Exception]) -> AsyncRetrying:
    """The policy as tenacity has it; the errors before each wait go to `failed`."""
    from tenacity import AsyncRetrying  # noqa: PLC0415 a call that succeeds neither imports it nor pays for it

    def before_sleep(state: RetryCallState) -> None:
        error = _error(state)
        failed.append(error)
        branch = current_branch()
        if branch:
            branch.retried(error, state.upcoming_sleep)

    def is_over(state: RetryCallState) -> bool:
        return policy.is_over(state.attempt_number, _error(state), time_s() - began_s + state.upcoming_sleep)

    return AsyncRetrying(
        retry=lambda state: policy.is_for(_raised(state)),
        wait=lambda state: policy.wait_s(state.attempt_number, _error(state)),
        stop=is_over,
        before_sleep=before_sleep,
        sleep=_sleep,
        reraise=True,
    )


async def _sleep(seconds: float) -> None:
    async with yield_slot():
        await asyncio.sleep(seconds)


def _raised(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _error(state: RetryCallState) -> Exception:
    return cast("Exception", _raised(state))  # after nothing else does it wait or stop


def _remember(last: Exception, failed: list[Exception]) -> None:
    """Set by hand: an error may be a frozen dataclass, which refuses `add_note` and plain assignment."""
    before = [error for error in failed if error is not last]
    notes = [f"attempt {number} failed before: {text_of(error)}" for number, error in enumerate(before, start=1)]
    if notes:
        BaseException.__setattr__(last, "__notes__", [*getattr(last, "__notes__", []), *notes])
        # After these came those of a retry inside of this one.
        BaseException.__setattr__(last, "_fanfold_earlier", _Earlier([*before, *earlier_errors(last)]))


def _isolated(
    function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any], shared: int
) -> Callable[[], Awaitable[T]]:
    """Calls the function with fresh views of these arguments, except the first `shared`, which are passed on."""
    given = (*args[shared:], *kwargs.values())
    try:
        frozen = freeze(given, name=f"the arguments of {name_of(function)}")
    except IsolationError as error:
        hint = "pass data, for each attempt gets a copy of its own; or say retry(isolate=False), and all get the same"
        raise IsolationError(error.message, hint=hint) from error

    def call() -> Awaitable[T]:
        fresh = frozen.view()
        by_place = len(fresh) - len(kwargs)
        return function(*args[:shared], *fresh[:by_place], **dict(zip(kwargs, fresh[by_place:], strict=True)))

    return call


def _is_method(function: Callable[..., object]) -> bool:
    """Whether the first argument is the object that a method belongs to: shared by its nature, and seldom data."""
    if inspect.ismethod(function):
        return False
    try:
        return next(iter(inspect.signature(function).parameters), "") in ("self", "cls")
    except (TypeError, ValueError):
        return False
