"""Objects made of fields: dataclasses and pydantic models. There is one plan for each type, made once."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from functools import partial
from sys import getrefcount
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, TypeAlias

from fanfold.engine.isolate.errors import Refused
from fanfold.engine.isolate.frozen import FrozenDict, Kept, Shared, refuse
from fanfold.engine.isolate.keep import KEEP, keep
from fanfold.engine.isolate.kinds import ATOMS
from fanfold.engine.isolate.later import is_immutable_class
from fanfold.engine.isolate.read_only import declared
from fanfold.engine.isolate.thaw import THAW, THAW_KEPT, Memo, thaw
from fanfold.engine.isolate.walk import ALONE_IN_DICT, FREEZE, Freeze, Seen

Slot: TypeAlias = tuple[str, Callable[[Any], Any], Callable[[Any, Any], None]]

RECORDS: dict[type, Record] = {}
"""The plan for each type that has one, and for its frozen forms."""

_new = object.__new__
_CLASS_STATEMENT = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_COPYING = (
    *("__copy__", "__deepcopy__", "__getattribute__", "__getnewargs__", "__getnewargs_ex__", "__getstate__"),
    *("__new__", "__reduce__", "__reduce_ex__", "__setstate__"),
)


def record_freezer(cls: type) -> Freeze | None:
    """How objects of a type are frozen field by field.

    None where they hold more than fields, or where the type says itself how they are copied.
    """
    model = getattr(sys.modules.get("pydantic.main"), "BaseModel", None)
    plain: type | None = model if model and issubclass(cls, model) else object
    if plain is object and not dataclasses.is_dataclass(cls):
        return None
    if not all(base is object or base.__flags__ & _CLASS_STATEMENT for base in cls.__mro__):
        return None
    if any(not _is_common(getattr(cls, name, None), getattr(plain, name, None)) for name in _COPYING):
        return None
    try:
        return Record(cls).freeze
    except TypeError:  # a metaclass that can't do without its own way to make classes
        return None


def _is_common(method: Any, common: Any) -> bool:
    return method is common or str(getattr(method, "__module__", "")).startswith(("dataclasses", "pydantic."))


class Record:
    """How objects of one type are frozen and thawed, field by field.

    Attributes:
        state: getter and setter of the `__dict__` of an object; None where the type has slots only.
        slots: name, getter and setter of each slot.
        immutable: nobody changes an object of this type, unless by way of a field.
        read_only, typed: see `Declared`.
    """

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.state = _state(cls)
        self.slots = tuple(_slots(cls))
        self.immutable = is_immutable_class(cls)
        said = declared(cls)
        self.read_only, self.typed = said.read_only, said.typed
        self.frozen, self.kept = (self._frozen_type(mixin) for mixin in (Shared, Kept))
        THAW[self.frozen] = THAW_KEPT[self.kept] = self.thaw
        KEEP[self.frozen] = self._keep
        RECORDS.update(dict.fromkeys((cls, self.frozen, self.kept), self))

    def _frozen_type(self, mixin: type) -> type:
        """A subclass whose objects refuse to change, and otherwise pass for objects of the type itself."""
        cls, state = self.cls, self.state
        body: dict[str, Any] = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
        body |= {"__setattr__": refuse, "__delattr__": refuse, "__class__": property(lambda _: cls)}
        if state is not None:
            body["__dict__"] = property(lambda self: FrozenDict(state[0](self)))
        # Not the metaclass's own __new__: it would build a validator, or enter the class in a registry.
        return type.__new__(type(cls), cls.__name__, (mixin, cls), body)

    def freeze(self, value: Any, seen: Seen, alone: bool = False) -> Any:
        """The frozen form of an object; the object itself where nobody can change it."""
        if self.immutable and self._holds_atoms(value):
            return value
        shell: Any = _new(self.frozen)
        if not alone and seen.met(value, shell):
            return seen[id(value)]
        changed = not self.immutable
        if self.state is not None:
            get, put = self.state
            state = get(value).copy()
            changed = self._freeze_state(state, seen) or changed
            put(shell, state)
        if self.slots:
            changed = self._freeze_slots(value, shell, seen) or changed
        if not changed:
            seen[id(value)] = value
            return value
        if self.read_only:
            seen.later.append(partial(self._keep_fields, shell))
        return shell

    def _freeze_state(self, state: dict[str, Any], seen: Seen) -> bool:
        changed, name, typed = False, "", self.typed
        try:
            for name, part in state.items():
                kind = type(part)
                if kind not in ATOMS:
                    only = getrefcount(part) <= ALONE_IN_DICT
                    frozen = FREEZE[typed.get(name, kind) if typed else kind](part, seen, only)
                    if frozen is not part:
                        state[name] = frozen
                        changed = True
        except Refused as refused:
            raise refused.below(f".{name}") from refused
        return changed

    def _freeze_slots(self, value: Any, shell: Any, seen: Seen) -> bool:
        changed, name, typed = False, "", self.typed
        try:
            for name, get, put in self.slots:
                try:
                    part = frozen = get(value)
                except AttributeError:
                    continue
                kind = type(part)
                if kind not in ATOMS:
                    frozen = FREEZE[typed.get(name, kind) if typed else kind](part, seen)
                    changed = changed or frozen is not part
                put(shell, frozen)
        except Refused as refused:
            raise refused.below(f".{name}") from refused
        return changed

    def _keep_fields(self, shell: Any) -> None:
        self.fill(shell, {name: keep(part) for name, part in self.parts(shell) if name in self.read_only})

    def _holds_atoms(self, value: Any) -> bool:
        if self.state is None:
            return ATOMS.issuperset(type(part) for _, part in self.parts(value))
        return not self.slots and ATOMS.issuperset(map(type, self.state[0](value).values()))

    def thaw(self, frozen: Any, memo: Memo | None) -> Any:
        """A branch's own object."""
        made: Any = _new(self.cls)
        if memo is not None:
            memo[id(frozen)] = frozen, made
        if self.state is not None:
            get, put = self.state
            state = get(frozen).copy()
            for name, part in state.items():
                if type(part) in THAW:
                    state[name] = thaw(part, memo) if memo is not None else THAW[type(part)](part, None)
            put(made, state)
        for _, get, put in self.slots:
            try:
                part = get(frozen)
            except AttributeError:
                continue
            put(made, thaw(part, memo) if type(part) in THAW else part)
        return made

    def parts(self, value: Any) -> Iterator[tuple[str, Any]]:
        """What an object holds, by name; unlike `getattr`, this runs none of its code."""
        if self.state is not None:
            yield from self.state[0](value).items()
        for name, get, _ in self.slots:
            try:
                part = get(value)
            except AttributeError:
                continue
            yield name, part

    def fill(self, made: Any, parts: dict[str, Any]) -> Any:
        """Give an object made without its `__init__` what it holds."""
        if self.state is not None:
            slots = {name for name, _, _ in self.slots}
            self.state[0](made).update({name: part for name, part in parts.items() if name not in slots})
        for name, _, put in self.slots:
            if name in parts:
                put(made, parts[name])
        return made

    def _keep(self, frozen: Any) -> Any:
        return self.fill(_new(self.kept), dict(self.parts(frozen)))


def _state(cls: type) -> tuple[Callable[[Any], dict[str, Any]], Callable[[Any, dict[str, Any]], None]] | None:
    for base in cls.__mro__:
        found = vars(base).get("__dict__")
        if isinstance(found, GetSetDescriptorType):
            return found.__get__, found.__set__
    return None


def _slots(cls: type) -> Iterator[Slot]:
    for base in cls.__mro__:
        for name, found in vars(base).items():
            if isinstance(found, MemberDescriptorType):
                yield name, found.__get__, found.__set__
