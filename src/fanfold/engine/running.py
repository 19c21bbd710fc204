"""One fan-out while it runs: which branch starts when, what each comes to, and how all of it ends."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args

from fanfold.engine.branch import Branch, BranchTask, Place, current, current_branch
from fanfold.engine.events import BranchFinished, BranchQueued, BranchStarted, Event
from fanfold.engine.isolate import detach
from fanfold.engine.items import Items
from fanfold.engine.limit import Limit, give, may_pass_on, take
from fanfold.engine.outcome import (
    BranchCancelled,
    BranchError,
    BranchNotStarted,
    DeadlineExceeded,
    Done,
    Failed,
    FanOutError,
    Outcome,
    done,
)
from fanfold.engine.wrapper import text_of

T = TypeVar("T")

Mode: TypeAlias = Literal["collect", "fail_fast"]
"""What a failure does: it is an outcome like another, or it ends the fan-out."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a fan-out runs: see `fan_out`.

    Attributes:
        is_fetched: outcomes are fetched one by one as they arrive.
        is_stream: nobody will ask for outcomes that were fetched, and no further branch starts while as many as the
            limit wait for that.
    Raises:
        TypeError, ValueError: they make no sense.
    """

    limit: int | Limit | None
    deadline_s: float | None
    total_deadline_s: float | None
    mode: Mode
    on_event: Callable[[Event], None] | None
    is_fetched: bool
    is_stream: bool = False

    def __post_init__(self) -> None:
        for name in ("deadline_s", "total_deadline_s"):
            seconds = getattr(self, name)
            if not isinstance(seconds, int | float | None):
                raise TypeError(f"{name} is a number of seconds or None, not {seconds!r}")
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} must be more than 0, not {seconds}")
        if self.mode not in get_args(Mode):
            raise ValueError(f'mode must be "collect" or "fail_fast", not {self.mode!r}')


class Running(Generic[T]):
    """The branches of one fan-out: those that wait, those that run, and the outcomes of the others.

    Args:
        call: runs the branch function over the item at a position.
        items: all that are there; those that come later are added.
        options: see `fan_out`.
        coming: items still to come; each is pulled when the one before it has started.
        contexts: by position, the context variables that a branch runs in; None = a copy of those here.
    """

    # So many attributes would make each of them slow to reach in an instance's dict.
    # fmt: off
    __slots__ = (
        "_abandoned", "_arrival", "_arrived", "_backlog", "_began_s", "_branches", "_call", "_chain", "_coming",
        "_context", "_contexts", "_deadline_s", "_error", "_fail_fast", "_filling", "_first_failed", "_full",
        "_is_fetched", "_is_quiet", "_is_stream", "_items", "_loop", "_outcomes", "_outer", "_over", "_place",
        "_puller", "_room", "_source_error", "_stopping", "_tell", "_time", "_timed_out", "_timer",
        "_total_deadline_s", "_waiting",
    )
    # fmt: on

    def __init__(
        self,
        call: Callable[[int], Awaitable[T]],
        items: Items[Any],
        options: Options,
        coming: AsyncIterable[Any] | None = None,
        contexts: dict[int, Context] | None = None,
    ) -> None:
        limit = options.limit if isinstance(options.limit, Limit | None) else Limit(options.limit)
        self._call = call
        self._items = items
        self._coming = coming
        self._deadline_s = options.deadline_s
        self._total_deadline_s = options.total_deadline_s
        self._fail_fast = options.mode == "fail_fast"
        self._is_fetched = options.is_fetched
        self._is_stream = options.is_stream
        self._backlog = limit.most if options.is_stream and limit else None
        self._waiting: deque[int] = deque()
        self._branches: dict[int, Branch] = {}
        self._outcomes: dict[int, Outcome[T]] = {}
        self._arrived: deque[Outcome[T]] = deque()
        self._puller: asyncio.Task[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._full: Limit | None = None
        self._filling = self._stopping = self._abandoned = self._timed_out = False
        self._error: BaseException | None = None
        self._first_failed: Failed | None = None
        self._source_error: Exception | None = None
        self._arrival = asyncio.Event()
        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._time = _clock(self._loop)
        self._context = copy_context()
        self._contexts = contexts
        self._began_s = self._time()
        self._outer = current_branch()
        self._place = self._placed(limit, options.on_event)
        self._tell = self._place.tell
        self._chain = self._place.chain
        self._is_quiet = self._tell is None and not options.is_fetched

    def _placed(self, limit: Limit | None, on_event: Callable[[Event], None] | None) -> Place:
        path = self._outer.path if self._outer else ()
        chain = self._outer._place.chain if self._outer else ()
        if limit is not None and limit not in chain:
            chain = (limit, *chain)
        return Place(path, chain, self._loop, self._began_s, self._teller(on_event), self._lost)

    def _teller(self, on_event: Callable[[Event], None] | None) -> Callable[[Event], None] | None:
        """Tells this fan-out's listener, and then those of the fan-outs around it; None where there are none."""
        tell_outer = self._outer._place.tell if self._outer else None
        if on_event is None:
            return tell_outer

        def tell(event: Event) -> None:
            try:
                on_event(event)
            except BaseException as error:  # noqa: BLE001 the caller's own: it ends the fan-out and is raised there
                self.abandon(error)
            if tell_outer is not None:
                tell_outer(event)

        return tell

    def begin(self) -> None:
        """Start as many branches as there are slots; each that ends makes room for the next one."""
        if self._total_deadline_s is not None:
            self._timer = self._loop.call_later(self._total_deadline_s, self._expire)
        for key in self._items.keys if self._tell else ():
            self._told_queued(key)
        self._waiting.extend(self._items.in_order())
        if self._coming is not None and not self._stopping:
            self._puller = self._loop.create_task(self._pull(self._coming))
            self._puller.add_done_callback(self._pulled)
        self._fill()
        self._check_over()

    def next_at_once(self) -> Outcome[T] | None:
        """The next outcome in order of arrival; None where none has arrived."""
        if not self._arrived:
            return None
        outcome = self._arrived.popleft()
        self._fill()
        return outcome

    async def next(self) -> Outcome[T] | None:
        """The next outcome in order of arrival; None when there will be no more."""
        while not self._arrived and not self._over.is_set():
            self._arrival.clear()
            await self._arrival.wait()
        return self.next_at_once()

    @property
    def error(self) -> BaseException | None:
        """What made the fan-out end early, where that is no branch's outcome."""
        return self._error

    def abandon(self, error: BaseException | None = None) -> None:
        """Cancel all branches, for the caller wants no more of them; called again, it cancels them again."""
        self._abandoned = True
        self._error = self._error or error
        self._stop()

    async def end(self) -> list[asyncio.CancelledError]:
        """Wait until nothing runs any more; the caller's cancellations meanwhile, the first of which cut it short."""
        cancelled: list[asyncio.CancelledError] = []
        while not self._over.is_set():
            try:
                await self._over.wait()
            except asyncio.CancelledError as error:
                cancelled.append(error)
                self.abandon()
        return cancelled

    def result(self, cancelled: Sequence[asyncio.CancelledError] = ()) -> list[Outcome[T]]:
        """All outcomes in item order.

        Raises:
            FanOutError: a branch failed where that ends the fan-out, or the items ended with an error.
            BaseException: what ended the fan-out otherwise, as it was.
        """
        self.raise_error(cancelled)
        # Taken out: this object is part of cycles, and would keep all values until they are collected.
        kept, self._outcomes = self._outcomes, {}
        outcomes = [kept[index] for index in sorted(kept)]
        if (first := self._first_failed) is not None:
            raise FanOutError(f"{first.key} failed: {text_of(first.error)}", outcomes=outcomes) from first.error
        if (broken := self._source_error) is not None:
            raise FanOutError(f"the items ended with an error: {text_of(broken)}", outcomes=outcomes) from broken
        return outcomes

    def raise_error(self, cancelled: Sequence[asyncio.CancelledError]) -> None:
        """Raise the caller's cancellation, else what made the fan-out end early, if there is any of these."""
        if cancelled:
            raise cancelled[-1] from self._error
        if self._error is not None:
            raise self._error

    def _fill(self) -> None:
        """Start what waits, until a limit is full; whoever gives a slot of it back wakes this fan-out."""
        if self._filling or self._full is not None:
            return
        self._filling = True
        while self._may_start():
            self._full = take(self._chain)
            if self._full is not None:
                self._full._wait((1, -len(self._place.outer), -self._items.priority(self._waiting[0])), self._wake)
                break
            self._start_next()
        self._filling = False

    def _wake(self) -> None:
        self._full = None
        self._fill()

    def _may_start(self) -> bool:
        if not self._waiting or self._stopping:
            return False
        return self._backlog is None or len(self._arrived) < self._backlog

    def _start_next(self) -> None:
        position = self._waiting.popleft()
        if self._room is not None and not self._waiting and not self._room.done():
            self._room.set_result(None)
        key = self._items.keys[position]
        branch = Branch(self._place, key, position)
        context = self._context.copy() if self._contexts is None else self._contexts.pop(position)
        task = BranchTask(self._run(branch), loop=self._loop, name=key, context=context)
        task.branch = branch
        branch._task = task
        self._branches[position] = branch

    async def _run(self, branch: Branch) -> None:
        current.set(branch)
        # Called by a name of their own, for a call through an attribute costs as much as what it calls.
        now_s, call, began_s = self._time, self._call, self._began_s
        branch._started_s = started_s = now_s() - began_s
        if self._tell is not None:
            self._tell(BranchStarted(branch.key, branch.path, started_s))
        timer = None
        if self._deadline_s is not None:
            timer = self._loop.call_later(self._deadline_s, branch._expire)
        try:
            awaitable = call(branch._index)
            if type(awaitable) is not CoroutineType and not isinstance(awaitable, Awaitable):
                self.abandon(_not_async(awaitable))
            value = detach(await awaitable)
        except BaseException as error:
            if self._loop.is_closed():
                raise  # nobody waits for it any more
            outcome: Outcome[T] = self._failed(branch, error)
        else:
            if branch._expired or self._timed_out:
                outcome = self._failed(branch, None)
            else:
                elapsed_s = now_s() - began_s - started_s
                outcome = done(branch.key, value, started_s, elapsed_s, branch.attempt, branch._index)
        if timer is not None:
            timer.cancel()
        if self._is_quiet and type(outcome) is Done:
            self._outcomes[outcome.index] = outcome  # as `_settle` would: it is what nearly all branches come to
        else:
            self._settle(outcome)
        del outcome  # from Python 3.12 on, the frames of an error's traceback know this one
        self._end(branch)

    def _lost(self, branch: Branch) -> None:
        if not branch._ended:
            self._settle(self._failed(branch, None))
            self._end(branch)

    def _end(self, branch: Branch) -> None:
        """Pass the branch's slot on: to this fan-out's next branch, unless others wait for it too."""
        del self._branches[branch._index]
        if self._outer is not None and not self._branches and not self._waiting and self._puller is None:
            self._outer._goes_on()  # only the event loop hasn't come to that yet
        held = branch._holds
        branch._ended = branch._holds = True
        branch._task = None  # which has this branch: the two would be left to the garbage collector
        if branch._wanted is not None:
            branch._want_no_more()
        if held:
            self._pass_on()
        if not self._branches:
            self._check_over()

    def _pass_on(self) -> None:
        """Have this fan-out's next branch take the slot over; give it back where others wait for it too."""
        full, chain = self._full, self._chain
        if full is not None and self._may_start() and may_pass_on(chain, full):
            self._start_next()
        else:
            give(chain)

    def _failed(self, branch: Branch, cause: BaseException | None) -> Failed:
        """What a branch came to that has no value, or one that doesn't count any more."""
        if cause is not None and cause.__traceback__ is not None:
            # Without the engine's own frame: the outcome would stand in it, and so hold on to itself. Not by setting
            # the attribute: an error that is a frozen dataclass refuses that.
            BaseException.with_traceback(cause, cause.__traceback__.tb_next)
        if not isinstance(cause, Exception | asyncio.CancelledError | None):
            # In a task, KeyboardInterrupt stops the event loop at once; the caller gets it when all tasks have ended.
            self.abandon(cause)
        if isinstance(cause, Exception) and not branch._expired and not self._timed_out:
            error = cause
        else:
            error = self._why_no_value(branch)
            error.__cause__ = cause
        started_s = branch._started_s
        if started_s is None:
            started_s = self._time() - self._began_s
        elapsed_s = self._time() - self._began_s - started_s
        return Failed(branch.key, error, started_s, elapsed_s, branch.attempt, branch._index)

    def _why_no_value(self, branch: Branch) -> BranchError:
        if branch._started_s is None and self._stopping:
            return self._not_started(branch.key)
        if branch._expired:
            deadline_s = self._deadline_s
            return DeadlineExceeded(f"{branch.key} was cancelled after {deadline_s:g} s, its deadline")
        if self._timed_out:
            total_s = self._total_deadline_s
            return DeadlineExceeded(f"{branch.key} was cancelled when the {total_s:g} s for all branches were up")
        if self._stopping:
            return BranchCancelled(f"{branch.key} was cancelled when its fan-out ended")
        return BranchCancelled(f"{branch.key} was cancelled from within")

    def _not_started(self, key: str) -> BranchNotStarted:
        why = "the fan-out ended"
        if self._timed_out:
            why = f"the {self._total_deadline_s:g} s for all branches were up"
        return BranchNotStarted(f"{key} was not started: {why} before its turn came")

    def _settle(self, outcome: Outcome[T]) -> None:
        if isinstance(outcome, Failed):
            if self._abandoned:
                return
            if self._fail_fast and not self._stopping:
                self._first_failed = outcome
                self._stop()
        if not self._is_stream or self._stopping:
            self._outcomes[outcome.index] = outcome
        if self._is_fetched:
            self._arrived.append(outcome)
            self._arrival.set()
        if self._tell is not None:
            at_s = self._time() - self._began_s
            self._tell(BranchFinished(outcome.key, (*self._place.outer, outcome.key), outcome, at_s))

    def _told_queued(self, key: str) -> None:
        if self._tell is not None:
            self._tell(BranchQueued(key, (*self._place.outer, key)))

    def _expire(self) -> None:
        self._timed_out = True
        self._stop()

    def _stop(self) -> None:
        self._stopping = True
        for branch in self._branches.values():
            branch._ending = True
            if branch._task is not None:
                branch._task.cancel()
        if self._puller is not None:
            self._puller.cancel()
        self._check_over()

    def _check_over(self) -> None:
        if self._branches or self._puller is not None or (self._waiting and not self._stopping) or self._over.is_set():
            return
        if self._timer is not None:
            self._timer.cancel()
        now_s = self._time() - self._began_s
        while self._waiting:
            position = self._waiting.popleft()
            key = self._items.keys[position]
            self._settle(Failed(key, self._not_started(key), now_s, 0.0, 0, position))
        self._over.set()
        self._arrival.set()

    async def _pull(self, coming: AsyncIterable[Any]) -> None:
        try:
            async for item in coming:
                position = self._items.add(item)
                self._told_queued(self._items.keys[position])
                self._waiting.append(position)
                self._fill()
                if self._waiting:
                    self._room = self._loop.create_future()
                    await self._room
        except Exception as error:  # noqa: BLE001 the caller's own error: it is raised there when the branches have ended
            self._source_error = error
        except (KeyboardInterrupt, SystemExit) as error:
            self.abandon(error)
        finally:
            if isinstance(coming, AsyncGenerator):
                await coming.aclose()

    def _pulled(self, puller: asyncio.Task[None]) -> None:
        self._puller = None
        if puller.cancelled() and not self._stopping:
            self._source_error = BranchCancelled("the wait for the next item was cancelled")
        elif not puller.cancelled() and (error := puller.exception()) is not None:
            self.abandon(error)
        self._check_over()


def _clock(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """The loop's clock: what it calls itself, unless it has another one, as in tests."""
    return time.monotonic if getattr(type(loop), "time", None) is asyncio.BaseEventLoop.time else loop.time


def _not_async(returned: object) -> TypeError:
    return TypeError(f"a branch is an async function, and this one returned {type(returned).__name__} to be awaited")
