"""What branches of one superstep share, frozen once for all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
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
            return self._at(step).of(value)

    def of_state(self, step: str | None, schema: type, read: Callable[[], dict[str, Any]]) -> Frozen[dict[str, Any]]:
        """The snapshot of the graph's state in this step, of the fields that a schema has; it is read once."""
        if step is None:
            return freeze(read(), name="the state", as_type=schema)
        with self._lock:
            states = self._at(step).states
            if schema not in states:
                states[schema] = freeze(read(), name="the state", as_type=schema)
            return states[schema]

    def _at(self, step: str) -> _Step:
        known = self._steps.setdefault(step, _Step())
        self._steps.move_to_end(step)
        while len(self._steps) > MOST_STEPS:
            self._steps.popitem(last=False)
        return known


class _Step:
    """One superstep's snapshots: of states by schema, of other values by identity."""

    __slots__ = ("_kept", "_met", "states")

    def __init__(self) -> None:
        self.states: dict[type, Frozen[dict[str, Any]]] = {}
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
