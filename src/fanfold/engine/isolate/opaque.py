"""What can't be frozen: it is copied, and what can't be copied is refused with the path to it."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from typing import Any

from fanfold.engine.isolate.errors import Refused
from fanfold.engine.isolate.frozen import Held
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
    """Refuse what leads out of the data, to an object that all copies would share."""
    raise Refused("", f"a {type(value).__name__} leads to an object that stays shared")


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
