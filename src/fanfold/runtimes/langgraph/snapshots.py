"""What branches of one superstep share, frozen once for all of them."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any, Final

from fanfold.engine import Frozen, freeze

MOST_STEPS: Final = 8


class Snapshots:
    """Snapshots by superstep; those of the last few steps are kept.

    Sends that are made of one state (`{**state, ...}`) bring the same objects along. What comes a second time within
    a step is kept frozen; what only one branch has isn't kept.
    """

    __slots__ = ("_lock", "_steps")

    def __init__(self) -> None:
        self._steps: OrderedDict[str, _Step] = OrderedDict()
        self._lock = Lock()  # synchronous nodes run in threads

    def of(self, step: str | None, value: Any) -> Frozen[Any]:
        """The snapshot of a value in this step; None is a step of its own.

        Raises:
            IsolationError: part of the value can't be copied.
        """
        if step is None:
            return freeze(value)
        with self._lock:
            known = self._steps.setdefault(step, _Step())
            self._steps.move_to_end(step)
            while len(self._steps) > MOST_STEPS:
                self._steps.popitem(last=False)
            return known.of(value)


class _Step:
    """One superstep's snapshots, by the identity of what was frozen."""

    __slots__ = ("_kept", "_met")

    def __init__(self) -> None:
        self._met: set[int] = set()
        self._kept: dict[int, tuple[Any, Frozen[Any]]] = {}  # with the value, so that its id stays its own

    def of(self, value: Any) -> Frozen[Any]:
        known = self._kept.get(id(value))
        if known is not None:
            return known[1]
        snapshot: Frozen[Any] = freeze(value)
        if id(value) in self._met:
            self._kept[id(value)] = (value, snapshot)
        self._met.add(id(value))
        return snapshot
