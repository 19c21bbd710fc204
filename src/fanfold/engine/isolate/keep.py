"""What a read-only field holds: the frozen base itself, of a type that isn't thawed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanfold.engine.isolate.frozen import (
    FrozenDict,
    FrozenList,
    FrozenSet,
    FrozenTuple,
    Held,
    KeptDict,
    KeptList,
    KeptSet,
    KeptTuple,
    LeafDict,
    LeafList,
)

KEEP: dict[type, Callable[[Any], Any]] = {
    FrozenDict: KeptDict,
    FrozenList: KeptList,
    FrozenSet: KeptSet,
    FrozenTuple: KeptTuple,
    LeafDict: KeptDict,
    LeafList: KeptList,
}


def keep(frozen: Any) -> Any:
    """The form of a frozen value that branches are handed as it is.

    What holds something that had to be copied stays as it was, to be copied for each branch: it can't be read
    without being open to change.
    """
    kept = KEEP.get(type(frozen))
    return kept(frozen) if kept and not _holds_copies(frozen, set()) else frozen


def _holds_copies(frozen: Any, met: set[int]) -> bool:
    if isinstance(frozen, Held):
        return True
    if type(frozen) not in KEEP or id(frozen) in met:
        return False
    met.add(id(frozen))
    if isinstance(frozen, dict):
        parts = list(frozen.values())
    else:
        parts = list(frozen) if isinstance(frozen, list | set | tuple) else list(vars(frozen).values())
    return any(_holds_copies(part, met) for part in parts)
