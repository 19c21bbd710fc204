"""Run one function over many items at once, isolated, and collect what each came to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from traceback import format_exception
from typing import Generic, TypeVar

from fanfold.engine.events import BranchFinished, BranchQueued, BranchStarted, Event
from fanfold.engine.isolate import Keyed, isolated
from fanfold.engine.outcome import BranchCancelled, DeadlineExceeded, Done, Failed, Outcome
from fanfold.engine.supervise import cancel, first_end, is_stopping, last_end, raise_first, start

I = TypeVar("I", bound=Keyed)  # noqa: E741 an item
T = TypeVar("T")


async def fan_out(
    branch: Callable[[I], Awaitable[T]],
    items: Iterable[I],
    *,
    limit: int,
    deadline_s: float | None = None,
    on_outcome: Callable[[Outcome[T]], Awaitable[None]] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> list[Outcome[T]]:
    """Run `branch` once per item, isolated; outcomes come back in item order.

    A branch gets a deep copy of its item and context variables of its own: siblings and the caller see nothing
    of what it does to them. Branches start in item order.

    Args:
        branch: called with a copy of one item; whatever it raises is its outcome.
        items: n values, each with a unique `.key`; never mutated.
        limit: branches running together, >= 1.
        deadline_s: seconds until a branch is cancelled, counted from its own start; None = no deadline. The slot
            is free when the branch has ended, and a value that it returns after its deadline doesn't count.
        on_outcome: awaited with each outcome, one after another in the order in which they arrive, while other
            branches run; a slow one holds up no branch.
        on_event: called with each event; must return at once.
    Returns:
        n outcomes; outcomes[i] belongs to items[i]. All have been through `on_outcome`.
    Raises:
        DuplicateKeyError, IsolationError, ValueError: before anything starts.
        A failing branch does not raise: it is a Failed outcome. What `on_outcome` or `on_event` raise, and what
        is no Exception (KeyboardInterrupt, SystemExit), cancels the branches and is raised when they have ended.
    When the caller is cancelled, the branches are cancelled and awaited; outcomes that are finished by then still
    go through `on_outcome` before the cancellation goes on, unless the caller is cancelled a second time.
    Source:
        Worker-per-slot scheduling, as aiometer's `_impl/run_on_each.py`.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    if deadline_s is not None and not deadline_s > 0:
        raise ValueError(f"deadline_s must be more than 0, not {deadline_s}")
    slots = _Slots(branch, isolated(items), deadline_s, on_outcome, on_event or _ignore)
    return await slots.run(limit)


class _Slots(Generic[I, T]):
    """Workers that take items from one queue, and a courier who brings what came of them to the caller."""

    def __init__(
        self,
        branch: Callable[[I], Awaitable[T]],
        items: list[tuple[str, I]],
        deadline_s: float | None,
        on_outcome: Callable[[Outcome[T]], Awaitable[None]] | None,
        on_event: Callable[[Event], None],
    ) -> None:
        self._branch = branch
        self._keys = [key for key, _ in items]
        self._waiting = deque(items)
        self._deadline_s = deadline_s
        self._on_outcome = on_outcome
        self._on_event = on_event
        self._outcomes: dict[str, Outcome[T]] = {}
        self._arrived: asyncio.Queue[Outcome[T] | None] = asyncio.Queue()
        self._time = asyncio.get_running_loop().time
        self._began_s = self._time()

    async def run(self, limit: int) -> list[Outcome[T]]:
        """All outcomes in item order; no task is left, however this ends."""
        for key in self._keys:
            self._on_event(BranchQueued(key))
        workers = [start(self._work) for _ in range(min(limit, len(self._keys)))]
        couriers = [start(self._deliver, self._on_outcome)] if self._on_outcome else []
        cancelled = await first_end(workers + couriers)
        cancel(workers)
        cancelled = await last_end(workers) or cancelled
        self._arrived.put_nowait(None)
        cancelled = await last_end(couriers) or cancelled
        raise_first(workers + couriers, cancelled)
        return [self._outcomes[key] for key in self._keys]

    async def _work(self) -> None:
        while self._waiting and not is_stopping():
            outcome = await self._attempt(*self._waiting.popleft())
            if isinstance(outcome, Done) or not is_stopping():
                self._arrive(outcome)

    async def _attempt(self, key: str, item: I) -> Outcome[T]:
        started_s = self._now_s()
        self._on_event(BranchStarted(key, started_s))
        scope = asyncio.timeout(self._deadline_s)
        # In a task of its own, so that context variables and cancellations stay within the branch.
        task = start(_within, scope, self._branch, item)
        try:
            value = await task
        except asyncio.CancelledError as error:
            if is_stopping():
                raise
            return self._failed(key, started_s, scope, error)
        except Exception as error:  # noqa: BLE001 the branch boundary: whatever a branch raises is its outcome
            return self._failed(key, started_s, scope, error)
        if scope.expired():
            return self._failed(key, started_s, scope, None)
        return Done(key, value, started_s, self._now_s() - started_s)

    def _failed(self, key: str, started_s: float, scope: asyncio.Timeout, cause: BaseException | None) -> Failed:
        error: Exception
        if scope.expired():
            error = DeadlineExceeded(f"{key} was cancelled after {self._deadline_s:g} s, its deadline")
            error.__cause__ = cause
        elif isinstance(cause, Exception):
            error = cause
        else:
            error = BranchCancelled(f"{key} was cancelled from within")
            error.__cause__ = cause
        return Failed(key, error, "".join(format_exception(error)), started_s, self._now_s() - started_s)

    def _arrive(self, outcome: Outcome[T]) -> None:
        self._outcomes[outcome.key] = outcome
        self._arrived.put_nowait(outcome)
        self._on_event(BranchFinished(outcome.key, outcome, self._now_s()))

    async def _deliver(self, on_outcome: Callable[[Outcome[T]], Awaitable[None]]) -> None:
        for _ in self._keys:
            outcome = await self._arrived.get()
            if outcome is None:
                return
            await on_outcome(outcome)

    def _now_s(self) -> float:
        return self._time() - self._began_s


async def _within(scope: asyncio.Timeout, branch: Callable[[I], Awaitable[T]], item: I) -> T:
    async with scope:
        return await branch(item)


def _ignore(event: Event) -> None:
    """Tell nobody."""
