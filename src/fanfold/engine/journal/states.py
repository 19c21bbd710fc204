"""What branches are given, by what it says; a shared state is hashed and stored once, not once per branch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from operator import is_
from typing import Any, Final, NamedTuple

from fanfold.engine.content import ContentError, content_hash
from fanfold.engine.isolate import freeze
from fanfold.engine.isolate.records import RECORDS

# Fan-outs inside of branches have states of their own, and so many may take turns.
MOST_KNOWN: Final = 32
MOST_LEVELS: Final = 3


class State(NamedTuple):
    """A shared state: the hash that outcomes refer to, and its JSON, for people to read; None where it is stored."""

    hash: str
    text: str | None


class States:
    """Shared states by what they say.

    Branches of a fan-out come with views of one snapshot each. Recognised by it, a state isn't hashed again.

    Args:
        stored: hashes of those that the journal has.
    """

    def __init__(self, stored: set[str]) -> None:
        self._by_hash = {hash_: State(hash_, None) for hash_ in stored}
        self._known: list[tuple[object, State]] = []

    def of(self, state: object) -> State:
        """Which one it is.

        Raises:
            ContentError: it has no stable content.
        """
        snapshot = _snapshot(state)
        found = next((known for known in self._known if _is_same(known[0], snapshot)), None)
        if found is None:
            found = (snapshot, self._named(state, snapshot))
            del self._known[MOST_KNOWN - 1 :]
        elif found is self._known[0]:
            return found[1]
        else:
            self._known.remove(found)
        self._known.insert(0, found)
        return found[1]

    def _named(self, state: object, snapshot: object) -> State:
        hash_ = _hash(state, snapshot)
        known = self._by_hash.get(hash_)
        if known is None:
            known = self._by_hash[hash_] = State(hash_, _json(snapshot))
        return known


def item_hash(item: object) -> str:
    """The hash of what an item says, by its snapshot: the branch's view stays as untouched as it is.

    Raises:
        ContentError: it has no stable content.
    """
    return _hash(item, _snapshot(item))


def _snapshot(value: object) -> object:
    return freeze(value)._root


def _hash(value: object, snapshot: object) -> str:
    try:
        return content_hash(snapshot)
    except ContentError:
        # Parts that can't be frozen are held in the snapshot, where nobody is to look at them.
        return content_hash(value)


def _json(snapshot: object) -> str:
    # Imported when used.
    from pydantic_core import PydanticSerializationError, to_json  # noqa: PLC0415

    try:
        return to_json(snapshot, bytes_mode="base64", inf_nan_mode="strings", serialize_unknown=True).decode()
    except PydanticSerializationError:  # half of a surrogate pair, as the names of files have that are no text
        return json.dumps(snapshot, default=repr, skipkeys=True)


def _is_same(one: Any, two: Any, levels: int = MOST_LEVELS) -> bool:
    """Whether two snapshots are of the same objects, as far as a short look tells."""
    if one is two:
        return True
    if type(one) is not type(two) or not levels:
        return False
    if isinstance(one, dict):
        return len(one) == len(two) and all(map(is_, one, two)) and _are_same(one.values(), two.values(), levels)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and _are_same(one, two, levels)
    if isinstance(one, set):
        return set(map(id, one)) == set(map(id, two))
    if (record := RECORDS.get(type(one))) is not None:
        parts, others = dict(record.parts(one)), dict(record.parts(two))
        return parts.keys() == others.keys() and _are_same(parts.values(), others.values(), levels)
    return False


def _are_same(some: Iterable[Any], others: Iterable[Any], levels: int) -> bool:
    """Whether they are the same in the same order; there are as many."""
    some, others = list(some), list(others)
    return all(map(is_, some, others)) or all(
        one is two or _is_same(one, two, levels - 1) for one, two in zip(some, others, strict=True)
    )
