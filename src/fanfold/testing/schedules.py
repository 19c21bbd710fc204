"""Run an async scenario many times, each time with its tasks in another order, and any of them again.

What runs next is up to the event loop wherever several tasks can go on: whose answer is first, who gets the lock,
whether a deadline comes before the result. A real loop decides alike nearly always. Here a seed decides, on virtual
time, so that rare orders come up within seconds, and come up again.

Of what is ready in one pass of the loop, only steps of tasks change places. They come in any order among themselves,
and later than callbacks that were ready after them, but not earlier than any that was ready before them, nor later
than one of the very future that they waited for. So callbacks keep the order that `call_soon` promises and on which
asyncio relies, and what is ready comes before all that gets ready meanwhile. A task that yields by `sleep(0)` goes on
after all that it made ready itself: tasks that it started have begun, those that it cancelled or woke know of it.
Timers for exactly the same time, whose order asyncio leaves open, come in any order.

How long things take isn't varied: a scenario draws that from `randomness()`. What else varies from run to run (hashes
of strings, addresses, clocks, files) is the scenario's own to keep out, or a replay is another run.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

from fanfold.testing.clock import _EventLoop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# What a task's own callbacks are called, in C and in Python; `task.cancel` may be scheduled too, and is none of them.
STEPS = (None, "task_wakeup", "__step", "__wakeup")


def explore(
    main: Callable[[], Coroutine[Any, Any, T]], *, schedules: int = 2_000, seed: int = 0, max_passes: int = 100_000
) -> list[T]:
    """Run `main()` under as many schedules, each on an event loop of its own; what each run returned.

    Args:
        main: a scenario of coroutines alone; it asserts what must hold in every order.
        schedules: number of runs; their seeds are `seed`, `seed` + 1, and so on.
        max_passes: passes of the event loop after which a run is taken for endless.
    Raises:
        BaseException: whatever the first failing run raised, with a note that says how to replay it.
        RuntimeError: all tasks of a run wait for ever; it has no end; it leaves a task behind; an error in it reaches
            nobody but the event loop's exception handler.
    """
    return [replay(main, seed=each, max_passes=max_passes) for each in range(seed, seed + schedules)]


def replay(main: Callable[[], Coroutine[Any, Any, T]], *, seed: int, max_passes: int = 100_000) -> T:
    """Run `main()` under the one schedule of this seed; what it returned.

    Raises:
        As `explore`.
    """
    try:
        with asyncio.Runner(loop_factory=lambda: _ShuffledLoop(seed, max_passes)) as runner:
            return runner.run(_watched(main))
    except BaseException as error:
        name = getattr(main, "__qualname__", repr(main))
        again = f"fanfold.testing.schedules.replay({name}, seed={seed})"
        error.add_note(f"schedule {seed} failed; to run it again: {again}")
        raise


def randomness() -> random.Random:
    """The random numbers of the running schedule: the same ones in each of its replays.

    Raises:
        RuntimeError: outside of `explore` and `replay`.
    """
    drawn: random.Random | None = getattr(asyncio.get_running_loop(), "drawn", None)
    if drawn is None:
        raise RuntimeError("only a schedule has random numbers of its own: use explore or replay")
    return drawn


async def _watched(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    value = await main()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        names = ", ".join(sorted(f"{task.get_name()} ({task.get_coro()})" for task in left))
        raise RuntimeError(f"tasks were left behind: {names}")
    if unhandled:
        raise RuntimeError(f"an error reached nobody: {unhandled[0]['message']}") from unhandled[0].get("exception")
    return value


class _ShuffledLoop(_EventLoop):
    """An event loop on virtual time whose ready tasks go on in an order that a seed decides."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float

    def __init__(self, seed: int, max_passes: int) -> None:
        self.drawn = random.Random(seed)  # noqa: S311  no secrets
        self.numbers = itertools.count()
        self._drawn = random.Random(seed)  # noqa: S311
        self._makers: dict[asyncio.Handle, asyncio.Task[Any] | None] = {}
        self._max_passes = self._passes_left = max_passes
        super().__init__()
        self.set_task_factory(_Task)  # type: ignore[arg-type]  # it is given this loop alone

    def create_future(self) -> asyncio.Future[Any]:
        """A future that belongs to this loop."""
        return _Future(loop=self)

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it in the next pass, remembering which task wanted that."""
        handle = super().call_soon(callback, *args, context=context)
        self._makers[handle] = asyncio.current_task(self)
        return handle

    def _process_events(self, event_list: Any) -> None:
        """Put in order what this pass is going to run; timers that are due come behind it, as they are sorted."""
        super()._process_events(event_list)  # type: ignore[misc]
        self._passes_left -= 1
        if self._passes_left < 0:
            self._passes_left = self._max_passes  # for the tasks that are cancelled now
            raise RuntimeError(f"no end after {self._max_passes} passes of the event loop: do tasks wake each other?")
        if len(self._ready) > 1:
            ready = _in_some_order(self._ready, self._makers, self._drawn)
            self._ready.clear()
            self._ready.extend(ready)
        self._makers.clear()
        if self._scheduled and self._scheduled[0].when() <= self.time() + self._clock_resolution:
            # A heap keeps equal timers in the order that it was given them, more or less.
            self._drawn.shuffle(self._scheduled)
            heapq.heapify(self._scheduled)


class _Task(asyncio.Task[Any]):
    """Hashed by when it was made: else by its address, which would decide the order of every set of tasks."""

    def __init__(self, loop: _ShuffledLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> None:
        self._number = next(loop.numbers)
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    """Hashed as a task is."""

    def __init__(self, *, loop: _ShuffledLoop) -> None:
        self._number = next(loop.numbers)
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


def _in_some_order(
    handles: Iterable[asyncio.Handle], makers: Mapping[asyncio.Handle, asyncio.Task[Any] | None], drawn: random.Random
) -> Iterable[asyncio.Handle]:
    """Callbacks as they are; steps of tasks anywhere after what they must be behind."""
    ordered: dict[asyncio.Handle, None] = {}
    steps: list[asyncio.Handle] = []
    made: dict[asyncio.Task[Any], list[asyncio.Handle]] = {}
    behind: dict[asyncio.Handle, list[asyncio.Handle]] = {}

    def put(going: Iterable[asyncio.Handle]) -> None:
        for step in going:
            ordered.update(dict.fromkeys(behind.get(step, ())))
            ordered[step] = None

    for handle in handles:
        task, maker = _stepping(handle), makers.get(handle)
        if task is None:
            drawn.shuffle(steps)
            put([step for step in steps if drawn.random() < 0.5 or _wait_for_the_same(step, handle)])
            ordered[handle] = None
            steps = [step for step in steps if step not in ordered]
        else:
            steps.append(handle)
            if maker is task:
                behind[handle] = made.get(task, [])
            elif maker is not None:
                made.setdefault(maker, []).append(handle)
    drawn.shuffle(steps)
    put(steps)
    return ordered


def _stepping(handle: asyncio.Handle) -> asyncio.Task[Any] | None:
    """The task that a handle lets go on; None for a callback."""
    callback = getattr(handle, "_callback", None)
    task = getattr(callback, "__self__", None)
    return task if isinstance(task, asyncio.Task) and getattr(callback, "__name__", None) in STEPS else None


def _wait_for_the_same(step: asyncio.Handle, callback: asyncio.Handle) -> bool:
    """Whether both are called with the same future, which was done."""
    return bool(step._args) and bool(callback._args) and step._args[0] is callback._args[0]
