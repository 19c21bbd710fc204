"""What can't be frozen: it is copied, and what can't be copied is refused with the path to it."""

from __future__ import annotations

import copy
import gc
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

from fanfold.engine.isolate.errors import Refused
from fanfold.engine.isolate.frozen import Held
from fanfold.engine.isolate.kinds import REFERENCES, WEAK, is_live
from fanfold.engine.isolate.walk import Seen


def hold(value: Any, seen: Seen, _: bool = False) -> Any:
    """A copy to copy from; the value itself where it says that it is its own copy."""
    known = seen.get(id(value))
    if known is not None:
        seen.aliased = True
        return known
    memo: dict[int, Any] = {}
    try:
        copied = copy.deepcopy(value, memo)
    except Exception as error:
        path, reason = _culprit(value, error, set())
        raise Refused(path, f"{type(reason).__name__}: {reason}") from error
    if copied is value:
        return value
    if (live := _live_inside(memo)) is not None:
        raise Refused(_path_to(live, value, set()) or "", _why_live(live))
    if seen.alive is not None:
        seen.alive.append(value)
    _note(memo, value, seen)
    held = seen[id(value)] = Held(copied)
    return held


def _note(memo: dict[int, Any], value: Any, seen: Seen) -> None:
    ids = memo.keys() - {id(value), id(memo)}
    if seen.inside is None or seen.memos is None:
        seen.inside, seen.memos = set(), []
    seen.tangled = seen.tangled or not seen.inside.isdisjoint(ids) or not ids.isdisjoint(seen)
    seen.inside |= ids
    seen.memos.append(memo)


def refuse_live(value: Any, _: Seen, __: bool = False) -> Any:
    """Refuse what leads out of the data."""
    raise Refused("", _why_live(value))


def _why_live(value: Any) -> str:
    """What errors say of a value that leads out of the data."""
    name = type(value).__name__
    named = f"an {name}" if name[0] in "AEIOU" else f"a {name}"
    if issubclass(type(value), WEAK):
        return f"{named} leads to an object that stays shared"
    return f"{named} is no data: a copy would be another one"


def _live_inside(memo: dict[int, Any]) -> Any:
    """What leads out of a copy that was just made; None where nothing does.

    Originals are looked at by their type: the memo of `copy.deepcopy` keeps them. Weak references aren't among them,
    for they are taken over as they are, so what the copies hold is searched for those. What a class that says itself
    how it is copied leaves out or makes anew isn't met.
    """
    originals = memo.get(id(memo), ())
    kinds: set[type] = set(map(type, originals))
    if live := {kind for kind in kinds if is_live(kind)}:
        return next(each for each in reversed(originals) if type(each) in live)  # what is inside comes first
    parts = _parts_of_copies(memo)
    references = {kind for kind in set(map(type, parts)) if issubclass(kind, REFERENCES)}
    if not references:
        return None
    between_copies = {id(each) for made in memo.values() for each in weakref.getweakrefs(made)}
    return next((each for each in parts if type(each) in references and id(each) not in between_copies), None)


def _parts_of_copies(memo: dict[int, Any]) -> list[Any]:
    """What the copies hold, and what tuples in them hold: a tuple of nothing that is copied is no copy itself."""
    found: list[Any] = []
    known = set(map(id, memo.values()))
    parts = list(memo.values())
    while parts:
        held = gc.get_referents(*parts)
        found += held
        parts = list({id(each): each for each in held if type(each) is tuple and id(each) not in known}.values())
        known.update(map(id, parts))
    return found


def _path_to(live: Any, value: Any, met: set[int]) -> str | None:
    """The path to where something live is in a value; None where it isn't reached by way of attributes and parts."""
    if value is live:
        return ""
    met.add(id(value))
    for step, part in _parts(value):
        if id(part) not in met and (path := _path_to(live, part, met)) is not None:
            return step + path
    return None


def _culprit(value: Any, error: Exception, met: set[int]) -> tuple[str, Exception]:
    """The path to the innermost part that can't be copied, and what copying it raises."""
    met.add(id(value))
    for step, part in _parts(value):
        if id(part) not in met:
            try:
                copy.deepcopy(part)
            except Exception as inner:  # noqa: BLE001 whatever a user's class raises when it is copied
                path, reason = _culprit(part, inner, met)
                return step + path, reason
    return "", error


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if issubclass(type(value), WEAK):  # reading a dead one is an error
        return
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", part) for key, part in dict.items(value))
    elif isinstance(value, list | tuple | deque):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))
    yield from ((f".{name}", part) for name, part in getattr(value, "__dict__", {}).items())
    names = [name for base in type(value).__mro__ for name in _slot_names(base)]
    yield from ((f".{name}", getattr(value, name)) for name in names if hasattr(value, name))


def _slot_names(base: type) -> list[str]:
    slots = vars(base).get("__slots__", ())
    return [name for name in ([slots] if isinstance(slots, str) else slots) if not name.startswith("__")]
