"""Hold reducers to the laws that they declare."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Literal

from fanfold.engine.reducers import Reducer, as_reducer
from fanfold.errors import FanfoldError

Law = Literal["associative", "commutative", "idempotent"]
LAWS: tuple[Law, ...] = ("associative", "commutative", "idempotent")
SPEAKS_OF = {"associative": 3, "commutative": 2, "idempotent": 1}


class LawBroken(FanfoldError):
    """A reducer breaks a law that it declares; `samples` are the values that show it."""

    def __init__(self, message: str, *, samples: tuple[object, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.samples = samples


def find_counterexample(
    reducer: Callable[[Any, Any], Any], law: Law, samples: Iterable[object]
) -> tuple[object, ...] | None:
    """The first samples that break the law: one, two or three of them, as many as the law speaks of."""
    checked = as_reducer(reducer)
    candidates = itertools.product(list(samples), repeat=SPEAKS_OF[law])
    return next((picked for picked in candidates if not _holds(checked, law, picked)), None)


def _holds(reducer: Reducer[Any], law: Law, values: tuple[Any, ...]) -> bool:
    def reduced(left: Any, right: Any) -> Any:
        return reducer(deepcopy(left), deepcopy(right))

    if law == "associative":
        a, b, c = values
        return bool(reduced(reduced(a, b), c) == reduced(a, reduced(b, c)))
    if law == "commutative":
        a, b = values
        return bool(reduced(a, b) == reduced(b, a))
    (a,) = values
    return bool(reduced(a, a) == a)


def check_laws(reducer: Callable[[Any, Any], Any], samples: Iterable[object]) -> None:
    """Hold a reducer to what it declares, on all pairs and triples of the samples.

    Besides the declared laws: a pure reducer leaves its arguments as they were, and `many` does what `function` does.

    Args:
        samples: n values such as the field holds and takes; n**3 calls. Hypothesis is a good source of them.
    Raises:
        LawBroken: with the samples that break a law.
    """
    checked, values = as_reducer(reducer), list(samples)
    for law in LAWS:
        if getattr(checked, law) and (found := find_counterexample(checked, law, values)) is not None:
            raise _broken(checked, f"declares that it is {law}, and is not", found)
    for left, right in itertools.product(values, repeat=2):
        given = deepcopy((left, right))
        checked(*given)
        if checked.pure and given != (left, right):
            raise _broken(checked, "declares that it is pure, and changes its arguments", (left, right))
    if checked.many is not None:
        _check_many(checked, values)


def _check_many(reducer: Reducer[Any], values: list[object]) -> None:
    for left, *rights in itertools.product(values, repeat=3):
        together = reducer.of_all(deepcopy(left), deepcopy(rights))
        if together != functools.reduce(reducer.function, deepcopy(rights), deepcopy(left)):
            raise _broken(reducer, "does not do with `many` what it does one by one", (left, *rights))


def _broken(reducer: Reducer[Any], what: str, samples: tuple[object, ...]) -> LawBroken:
    shown = ", ".join(repr(sample) for sample in samples)
    return LawBroken(f"{reducer.name} {what}: see {shown}", samples=samples, hint="declare only laws that always hold")
