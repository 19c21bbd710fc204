"""Tell an update from a state: what a branch returns is what it adds, never the whole."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fanfold.engine.isolate.views import OwnDict
from fanfold.engine.schema import Field, fields_of, schema_of
from fanfold.errors import FanfoldError

I = TypeVar("I")  # noqa: E741 an item
S = TypeVar("S")
T = TypeVar("T")

UPDATES_ONLY = "return a mapping with what the branch adds to each field, and nothing else"


class UpdateError(FanfoldError):
    """A branch returned the state that it was given, or a part of it, where what it adds was to come.

    Folded, what was in the state before would be in there twice.
    """


def updates_only(
    branch: Callable[[I, S], Awaitable[T]], *, schema: type | None = None
) -> Callable[[I, S], Awaitable[T]]:
    """Make a branch fail that returns its state instead of an update, as `return {**state}` or `return state` does.

    Refused is what a fold would add to itself, told by whose object it is and never by its value, for an equal one
    may well be what the branch found for itself:

    - the state itself, and another dataclass or model of its type;
    - a list, dict or set of the state's own in a field whose reducer isn't idempotent, unless it is empty;
    - what such a field holds otherwise, a number say, in a dict made of a dict state's entries, unless it is 0 or
      empty: `{**state, "done": [...]}` with the state's counter in it.

    It can't tell a number that was taken over by itself (`{"n": state["n"]}`) or from a dataclass or model, nor a
    copy of a dict all of whose keys are single letters. A reducer of unknown laws counts as not idempotent.

    Put it next to the branch: inside `Journal.wrap`, which would keep what is refused here for the next run, and
    inside `retry`, which doesn't try again what returns its state.

    Args:
        branch: called with an item and the state; returns an update.
        schema: as for `fold`; without it, a dict has no reducers.
    Raises:
        UpdateError: from the branch, so that its outcome is Failed.
    """

    @functools.wraps(branch)
    async def checked(item: I, state: S) -> T:
        declared = schema or schema_of(state)
        fields = fields_of(declared) if declared else {}
        names = _told_apart(state) if declared else {}
        update = await branch(item, state)
        if is_whole(update, state):
            raise UpdateError("the branch returned the whole state", hint=UPDATES_ONLY)
        if isinstance(update, Mapping):
            _check(update, state, fields, is_copy=any(key is names.get(key, names) for key in update))
        return update

    return checked


def is_whole(update: object, state: object) -> bool:
    """Whether this is the state itself, or, where states are no mappings as updates are, another one of its type."""
    return update is state or (not isinstance(state, Mapping) and isinstance(update, type(state)))


def would_double(field: Field, value: object, held: object) -> bool:
    """Whether a list or the like comes back that the state holds already, and that its reducer would add to itself.

    Told by identity, for an equal value may well be one that the branch found for itself.
    """
    return isinstance(value, (list, dict, set)) and _comes_back(field, value, held)


def _check(update: Mapping[Any, Any], state: object, fields: Mapping[str, Field], *, is_copy: bool) -> None:
    for name, value in update.items():
        if name not in fields:
            continue
        held = state.get(name) if isinstance(state, Mapping) else getattr(state, name, None)
        if would_double(fields[name], value, held):
            raise UpdateError(f"the branch returned the state's own {name!r}", hint=UPDATES_ONLY)
        if is_copy and _comes_back(fields[name], value, held):
            raise UpdateError(f"the branch returned a copy of the state with {name!r} as it was", hint=UPDATES_ONLY)


def _comes_back(field: Field, value: object, held: object) -> bool:
    """Whether this is what the state holds, and its reducer would add it to itself."""
    accumulates = field.reducer is not None and not field.reducer.idempotent
    return accumulates and value is held and not _is_nothing(value)


def _is_nothing(value: object) -> bool:
    try:
        return not value
    except ValueError:  # an array of several numbers doesn't say
        return False


def _told_apart(state: object) -> dict[str, str]:
    """Give a dict keys of its own, equal to those that it had: its copies have them too, and other dicts don't.

    Values don't tell: a small int is one object however it was found. Returns the new keys.
    """
    if type(state) is not dict and not isinstance(state, OwnDict):
        return {}
    # The storage is moved as it is: by the view's own methods, all parts would be the branch's from here on.
    for key in list(dict.keys(state)):
        value = dict.pop(state, key)
        dict.__setitem__(state, _again(key) if type(key) is str else key, value)
    # Python has but one object for each string of a single letter.
    return {key: key for key in dict.keys(state) if type(key) is str and len(key) > 1}


def _again(text: str) -> str:
    """The same string as another object."""
    return f"{text} "[:-1]
