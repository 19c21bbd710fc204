"""Take a snapshot of a value that all branches can share, and hand out views of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from fanfold.engine.isolate.containers import (
    freeze_dict,
    freeze_frozenset,
    freeze_list,
    freeze_proxy,
    freeze_set,
    typed_dict_freezer,
)
from fanfold.engine.isolate.errors import IsolationError, Refused
from fanfold.engine.isolate.forms import FORMS, KEPT_FORMS
from fanfold.engine.isolate.frozen import FrozenTuple, Shared
from fanfold.engine.isolate.kinds import ATOMS, is_atom, is_live
from fanfold.engine.isolate.opaque import hold, refuse_live
from fanfold.engine.isolate.read_only import is_typed_dict
from fanfold.engine.isolate.records import record_freezer
from fanfold.engine.isolate.refreeze import freeze_dict_view, freeze_list_view, reuse
from fanfold.engine.isolate.thaw import THAW, THAW_KEPT, thaw
from fanfold.engine.isolate.tuples import is_named_tuple, named_tuple_freezer, tuple_freezer
from fanfold.engine.isolate.views import LazyDict, LazyList, OwnDict, OwnList
from fanfold.engine.isolate.walk import FREEZE, Freeze, Seen

S = TypeVar("S")


class Frozen(Generic[S]):
    """A snapshot of a value; nobody can change it."""

    __slots__ = ("_aliased", "_root")

    def __init__(self, root: Any, aliased: bool | None) -> None:
        self._root = root
        self._aliased = aliased

    def view(self) -> S:
        """A form of the value to read and change at will, isolated from the base, its maker and all other views.

        What nobody can change is returned as it is. Otherwise the cost follows what is read of the view: each
        container is copied when it is first reached, but not what is in it.
        """
        if self._aliased is None:
            return self._root  # type: ignore[no-any-return]
        if self._aliased:
            return thaw(self._root, {})  # type: ignore[no-any-return]
        return THAW[type(self._root)](self._root, None)  # type: ignore[no-any-return]

    def viewer(self) -> Callable[[], S]:
        """What makes views, faster where many are made of one snapshot."""
        if self._aliased is None or self._aliased:
            return self.view
        return partial(THAW[type(self._root)], self._root, None)


def freeze(value: S, *, name: str = "the value", key: str | None = None, as_type: type | None = None) -> Frozen[S]:
    """Take a snapshot of a value; what happens to the value later doesn't change it.

    Dicts, lists, sets, tuples, dataclasses and pydantic models are frozen, other objects are copied (by
    `copy.deepcopy`), and what never changes is taken as it is. Of a view that is as it was, the snapshot is its
    base: that is found out without a look at what is inside its parts.

    Args:
        name: what errors call the value.
        key: what errors call the value where it is an item; name doesn't count then.
        as_type: what the value is, where that isn't its own class: a TypedDict with read-only fields.
    Raises:
        IsolationError: part of the value can't be copied; the message has the path to it.
    """
    if as_type is None and type(value) in ATOMS:
        return Frozen(value, None)
    return _frozen(value, name, key, as_type, Seen())


class Freezer:
    """Freezes several values of one moment; what they share is frozen once.

    It remembers every object that it has met, as it was then. For values that come one after another, with other
    code running in between, use `freeze` for each.
    """

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._seen = Seen()
        self._seen.alive = []

    def freeze(
        self, value: S, *, name: str = "the value", key: str | None = None, as_type: type | None = None
    ) -> Frozen[S]:
        """Take a snapshot of a value, as `freeze` does."""
        if as_type is None and type(value) in ATOMS:
            return Frozen(value, None)
        self._seen.begin()
        try:
            return _frozen(value, name, key, as_type, self._seen)
        except IsolationError:
            self._forget()  # what was met on the way isn't complete
            raise


def _frozen(value: S, name: str, key: str | None, as_type: type | None, seen: Seen) -> Frozen[S]:
    before = len(seen)
    try:
        root = FREEZE[as_type if as_type and is_typed_dict(as_type) else type(value)](value, seen)
        seen.finish()
        if seen.inside and seen.is_tangled(before):
            root = hold(value, Seen())
        elif seen.aliased and seen.reused > 1:
            # Two views of one base hold the same frozen parts, which are different objects all the same.
            return _frozen(copy.deepcopy(value), name, key, as_type, Seen())
    except (Refused, RecursionError) as error:
        raise _refusal(error, name if key is None else f"item {key!r}") from error.__cause__
    return Frozen(root, seen.aliased if type(root) in THAW else None)


def _refusal(error: Refused | RecursionError, name: str) -> IsolationError:
    if isinstance(error, RecursionError):
        return IsolationError(f"{name} can't be copied: it is nested too deeply", hint="use a flatter structure")
    return IsolationError(
        f"{name}: {error.path} can't be copied: {error.why}" if error.path else f"{name} can't be copied: {error.why}",
        hint="keep live objects (locks, files, connections) out of items and state: they are data",
    )


def _plan(kind: type) -> Freeze:
    if is_typed_dict(kind):
        return typed_dict_freezer(kind)
    if is_atom(kind):
        return _itself
    if is_live(kind):
        return refuse_live
    if issubclass(kind, Shared):
        return reuse
    if is_named_tuple(kind):
        return named_tuple_freezer(kind)
    return record_freezer(kind) or hold


def _itself(value: Any, _: Seen, __: bool = False) -> Any:
    return value


THAW.update(FORMS)
THAW_KEPT.update(KEPT_FORMS)
FREEZE.plan = _plan
FREEZE.update(
    {
        dict: freeze_dict,
        list: freeze_list,
        set: freeze_set,
        frozenset: freeze_frozenset,
        tuple: tuple_freezer(FrozenTuple),
        MappingProxyType: freeze_proxy,
        LazyDict: freeze_dict_view,
        OwnDict: freeze_dict_view,
        LazyList: freeze_list_view,
        OwnList: freeze_list_view,
    }
)
