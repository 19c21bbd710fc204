"""Have outcomes come in a known order, whichever comes first: for a run that is to go as another one went."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanfold.engine import Outcome
from fanfold.fix.attempts.attempt import Attempted


@dataclass(frozen=True)
class Order:
    """In which order a run decided on its changes, by their tasks' keys: on the first ones, and on second attempts."""

    first: tuple[str, ...] = ()
    second: tuple[str, ...] = ()

    @classmethod
    def of(cls, notes: Iterable[Mapping[str, Any]]) -> Order:
        """As the run noted it while it landed."""
        rounds: tuple[dict[str, None], dict[str, None]] = {}, {}
        again = False
        for note in notes:
            again = again or note["step"] == "second attempts"
            keys = [key for key, _ in note["landed"]] if note["step"] == "intend" else [note.get("key")]
            rounds[again].update((key, None) for key in keys if key is not None)
        return cls(*(tuple(keys) for keys in rounds))


class Turns:
    """Holds each outcome until all that are to come before it have come.

    Args:
        order: keys; those of which no outcome will come are passed over.
        expected: keys of all outcomes that will come; others than in the order come last,
            and nobody waits for what isn't expected.
    """

    def __init__(self, order: Sequence[str], expected: Collection[str]) -> None:
        named = dict.fromkeys(key for key in order if key in expected)
        self._left = deque((*named, *(key for key in expected if key not in named)))
        self._awaited = frozenset(self._left)
        self._held: dict[str, Outcome[Attempted]] = {}

    def take(self, outcome: Outcome[Attempted]) -> Iterator[Outcome[Attempted]]:
        """Those whose turn it is, now that this one has come."""
        if outcome.key not in self._awaited:
            yield outcome
            return
        self._held[outcome.key] = outcome
        while self._left and self._left[0] in self._held:
            yield self._held.pop(self._left.popleft())

    def rest(self) -> Iterator[Outcome[Attempted]]:
        """Those that wait for some that don't come any more."""
        while self._left:
            if (key := self._left.popleft()) in self._held:
                yield self._held.pop(key)
