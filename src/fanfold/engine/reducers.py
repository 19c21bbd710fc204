"""How a state field takes updates: reducers that say which laws they obey, and are held to them.

A reducer is a function of two values, what the field holds and what a branch adds, that returns what the field
holds next. It is declared as LangGraph has it: `Annotated[list[str], concat]`. Fold applies it in item order, so
that the result is the same for every order in which branches finish, whatever laws a reducer obeys.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Reducer(Generic[T]):
    """A function of two values, `(held, added) -> held next`, with the laws that it obeys.

    Laws speak of values that are equal (`==`), all of the type that the field is of.

    Args:
        function: what the reducer does. A fold calls it with a value of its own as `held`.
        associative: f(f(a, b), c) == f(a, f(b, c)); None = not known.
        commutative: f(a, b) == f(b, a); None = not known.
        idempotent: f(a, a) == a, so that an update which comes twice does no harm; None = not known.
        pure: never changes its arguments; a fold then needn't copy the field for it.
        start: what a field holds that the state lacks. "empty" = an empty list, dict, set, ... of the field's type,
            as in LangGraph, or, for other types, the first update as it is; None = the first update as it is.
        many: `many(held, [a, b, c])`, a faster f(f(f(held, a), b), c).
        since: `since(base, value)`, the update that takes `base` to `value`; ValueError where there is none.
        name: for errors; the function's own name by default.
    """

    function: Callable[[T, Any], T]
    _: KW_ONLY
    associative: bool | None = None
    commutative: bool | None = None
    idempotent: bool | None = None
    pure: bool = False
    start: Callable[[], T] | Literal["empty"] | None = "empty"
    many: Callable[[T, Sequence[Any]], T] | None = None
    since: Callable[[T, T], Any] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def __name__(self) -> str:
        """Its name, as a function has it: LangGraph asks for it where two schemas share a field."""
        return self.name

    def __call__(self, left: T, right: Any) -> T:
        """What the field holds after `right` is added to `left`."""
        return self.function(left, right)

    def __repr__(self) -> str:
        return f"<reducer {self.name}>"

    def of_all(self, left: T, rights: Sequence[Any]) -> T:
        """What the field holds after all `rights`, one after another."""
        if self.many is not None:
            return self.many(left, rights)
        return functools.reduce(self.function, rights, left)


def as_reducer(function: Callable[[Any, Any], Any]) -> Reducer[Any]:
    """The reducer that this is, or a reducer of unknown laws around this function."""
    if isinstance(function, Reducer):
        return function
    try:
        return _KNOWN.get(function) or Reducer(function)
    except TypeError:  # a callable that can't be hashed
        return Reducer(function)


def _concat(left: Any, right: Any) -> Any:
    return _concat_many(left, [right])


def _concat_many(left: Any, rights: Sequence[Any]) -> Any:
    kind = next((kind for kind in (list, tuple, str) if isinstance(left, kind)), None)
    if kind is None:
        raise TypeError(f"concat takes lists, tuples or strings, not {type(left).__name__}")
    for right in rights:
        _demand(right, kind, "concat")
    if kind is str:
        return "".join([left, *rights])
    return kind(itertools.chain(left, *rights))


def _tail(base: Any, value: Any) -> Any:
    """What was put behind `base` to make `value`."""
    if value[: len(base)] != base:
        raise ValueError("it no longer begins with what was there")
    return value[len(base) :]


def _less(base: Any, value: Any) -> Any:
    return value - base


def _new_members(base: Any, value: Any) -> Any:
    if not value >= base:
        raise ValueError("it lacks members that were there")
    return value - base


def _changed_keys(base: Any, value: Any) -> Any:
    if not value.keys() >= base.keys():
        raise ValueError("it lacks keys that were there")
    return {key: held for key, held in value.items() if key not in base or base[key] != held}


def _total(left: Any, right: Any) -> Any:
    for value in (left, right):
        if isinstance(value, (str, bytes, list, tuple)):
            raise TypeError(f"total takes numbers, not {type(value).__name__}: concat joins sequences")
    return left + right


def _union(left: Any, right: Any) -> Any:
    return _union_many(left, [right])


def _union_many(left: Any, rights: Sequence[Any]) -> Any:
    for value in (left, *rights):
        _demand(value, Set, "union")
    if isinstance(left, (set, frozenset)):
        return left.union(*rights)
    return functools.reduce(operator.or_, rights, left)


def _merge_dicts(left: Any, right: Any) -> Any:
    return _merge_dicts_many(left, [right])


def _merge_dicts_many(left: Any, rights: Sequence[Any]) -> Any:
    merged: dict[Any, Any] = {}
    for value in (left, *rights):
        _demand(value, Mapping, "merge_dicts")
        merged.update(value)
    return merged


def _last(_left: object, right: V) -> V:
    return right


def _largest(left: Any, right: Any) -> Any:
    return _first_by(operator.gt, left, right)


def _smallest(left: Any, right: Any) -> Any:
    return _first_by(operator.lt, left, right)


def _first_by(comes_before: Callable[[Any, Any], bool], left: Any, right: Any) -> Any:
    _demand_order(left)
    _demand_order(right)
    if left is None or right is None:
        return right if left is None else left
    return right if comes_before(right, left) else left


def _append_unique(left: Any, right: Any) -> Any:
    return _append_unique_many(left, [right])


def _append_unique_many(left: Any, rights: Sequence[Any]) -> Any:
    return _unique(left, rights, "append_unique", None)


def _unique(left: Any, rights: Sequence[Any], name: str, key: Callable[[Any], Hashable] | None) -> list[Any]:
    for value in (left, *rights):
        _demand(value, list, name)
    result = list(left)
    seen = _Seen(map(key, left) if key else left)
    result += (value for value in itertools.chain(*rights) if seen.is_new(key(value) if key else value))
    return result


class _Seen:
    """Values that were there before; what has no hash is compared one by one."""

    def __init__(self, values: Iterable[object]) -> None:
        self._hashed: set[object] = set()
        self._others: list[object] = []
        for value in values:
            self.is_new(value)

    def is_new(self, value: object) -> bool:
        """Whether no value before this one was equal to it."""
        try:
            hash(value)
        except TypeError:
            found = value in self._others or value in self._hashed_equal(value)
            if not found:
                self._others.append(value)
        else:
            found = value in self._hashed or (bool(self._others) and value in self._others)
            if not found:
                self._hashed.add(value)
        return not found

    def _hashed_equal(self, value: object) -> Iterable[object]:
        # Only sets equal something that has a hash (a frozenset) without having one: {1} == frozenset({1}).
        return list(self._hashed) if isinstance(value, Set) else ()


concat: Reducer[Any] = Reducer(
    _concat,
    associative=True,
    commutative=False,
    idempotent=False,
    pure=True,
    many=_concat_many,
    since=_tail,
    name="concat",
)
"""Join lists, tuples or strings end to end."""

total: Reducer[Any] = Reducer(
    _total,
    associative=True,
    commutative=True,
    idempotent=False,
    pure=True,
    start=None,
    since=_less,
    name="total",
)
"""Add numbers up, in item order. The laws hold for int, Fraction and timedelta; floats round, so these associate
only nearly, and have the same sum each time all the same."""

union: Reducer[Any] = Reducer(
    _union,
    associative=True,
    commutative=True,
    idempotent=True,
    pure=True,
    many=_union_many,
    since=_new_members,
    name="union",
)
"""All members of the sets."""

merge_dicts: Reducer[Any] = Reducer(
    _merge_dicts,
    associative=True,
    commutative=False,
    idempotent=True,
    pure=True,
    many=_merge_dicts_many,
    since=_changed_keys,
    name="merge_dicts",
)
"""All keys of the mappings; the later item's value counts. Not recursive: to merge recursively is not associative."""

keep_last: Reducer[Any] = Reducer(
    _last, associative=True, commutative=False, idempotent=True, pure=True, start=None, since=_last, name="keep_last"
)
"""The value of the last item that has one, in item order."""

largest: Reducer[Any] = Reducer(
    _largest, associative=True, commutative=True, idempotent=True, pure=True, start=None, since=_last, name="largest"
)
"""The largest value; None is no value yet, NaN is refused. Values must be totally ordered (sets are not)."""

smallest: Reducer[Any] = Reducer(
    _smallest, associative=True, commutative=True, idempotent=True, pure=True, start=None, since=_last, name="smallest"
)
"""The smallest value; None is no value yet, NaN is refused. Values must be totally ordered (sets are not)."""

append_unique: Reducer[Any] = Reducer(
    _append_unique,
    associative=True,
    commutative=False,
    idempotent=True,
    pure=True,
    many=_append_unique_many,
    since=_tail,
    name="append_unique",
)
"""Append to a list what no element of it equals. Elements without a hash (dicts) are compared one by one, which is
quadratic: for many of these, `append_unique_by` a key."""


def append_unique_by(key: Callable[[Any], Hashable]) -> Reducer[Any]:
    """Append to a list the elements whose key no element of it has."""

    def many(left: Any, rights: Sequence[Any]) -> Any:
        return _unique(left, rights, "append_unique_by", key)

    return Reducer(
        lambda left, right: many(left, [right]),
        associative=True,
        commutative=False,
        idempotent=True,
        pure=True,
        many=many,
        since=_tail,
        name="append_unique_by",
    )


def top_k(k: int, key: Callable[[Any], Any] | None = None) -> Reducer[Any]:
    """Keep a list of the k largest elements, largest first; of equal ones those of earlier items.

    Args:
        k: how many to keep, >= 1.
        key: what to compare instead of the element. Commutative only without: elements with equal keys differ.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")

    def many(left: Any, rights: Sequence[Any]) -> Any:
        for value in (left, *rights):
            _demand(value, list, f"top_k({k})")
        values = [*left, *itertools.chain(*rights)]
        for value in values:
            _demand_order(key(value) if key else value)
        return sorted(values, key=key, reverse=True)[:k]

    return Reducer(
        lambda left, right: many(left, [right]),
        associative=True,
        commutative=key is None,
        idempotent=False,
        pure=True,
        start=list,
        many=many,
        since=_without,
        name=f"top_k({k})",
    )


def _without(base: Any, value: Any) -> Any:
    """The elements of `value` beyond those of `base`, each counted as often as it occurs."""
    left = list(base)
    added = []
    for element in value:
        if element in left:
            left.remove(element)
        else:
            added.append(element)
    return added


def _demand(value: object, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} can't add a {type(value).__name__} where a {kind.__name__.lower()} is")


def _demand_order(value: Any) -> None:
    """Refuse NaN, alone or in a tuple: what is compared with it depends on who comes first."""
    if isinstance(value, tuple):
        for part in value:
            _demand_order(part)
    elif value != value:
        raise ValueError("NaN is neither larger nor smaller than other numbers")


def _add_many(left: Any, rights: Sequence[Any]) -> Any:
    if type(left) in (list, tuple, str) and all(type(right) is type(left) for right in rights):
        return _concat_many(left, rights)
    return functools.reduce(operator.add, rights, left)


def _or_many(left: Any, rights: Sequence[Any]) -> Any:
    if type(left) in (set, dict) and all(type(right) is type(left) for right in rights):
        return _union_many(left, rights) if type(left) is set else _merge_dicts_many(left, rights)
    return functools.reduce(operator.or_, rights, left)


def _since_add(base: Any, value: Any) -> Any:
    return _tail(base, value) if isinstance(base, (list, tuple, str, bytes)) else _less(base, value)


def _since_or(base: Any, value: Any) -> Any:
    if isinstance(base, Set):
        return _new_members(base, value)
    return _changed_keys(base, value) if isinstance(base, Mapping) else value


# What people write where they have no library of reducers. Laws depend on the operands, so none is stated.
_KNOWN: dict[object, Reducer[Any]] = {
    operator.add: Reducer(operator.add, pure=True, many=_add_many, since=_since_add),
    operator.or_: Reducer(operator.or_, pure=True, many=_or_many, since=_since_or),
    max: replace(largest, name="max"),
    min: replace(smallest, name="min"),
}
