"""Fan-in: apply the updates of all branches to the state, in item order, whatever order they finished in.

An update is what a branch returns: a mapping of some of the state's fields to what it adds to them, or None.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from fanfold.engine.events import Folded
from fanfold.engine.isolate import detach
from fanfold.engine.outcome import Done, Outcome
from fanfold.engine.reducers import Reducer
from fanfold.engine.schema import NOTHING, Field, complaint, fields_of, replaced, schema_of, values_of
from fanfold.engine.updates import UPDATES_ONLY, is_whole, would_double
from fanfold.engine.wrapper import text_of
from fanfold.errors import FanfoldError

S = TypeVar("S")
Place: TypeAlias = tuple[int, str]
"""A branch's index and key."""

SHOWN_BRANCHES = 3
MOST_CHECKPOINTS = 8


class FoldError(FanfoldError):
    """An update that can't be folded into the state; nothing is lost by it.

    Attributes:
        field: the field at fault, or None.
        branches: keys of the branches at fault, in item order.
        outcomes: all outcomes, in item order.
        state: the state with what was folded before this, not validated.
    The cause is what a reducer or the state's own validation raised.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        branches: Iterable[str] = (),
        outcomes: Iterable[Outcome[Any]] = (),
        state: object = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.field = field
        self.branches = tuple(branches)
        self.outcomes = tuple(outcomes)
        self.state = state


def fold(
    state: S,
    outcomes: Iterable[Outcome[Any]],
    *,
    schema: type | None = None,
    on_event: Callable[[Folded], None] | None = None,
) -> S:
    """Apply the updates of all branches that are done to the state, in item order.

    Args:
        state: a dict, dataclass or pydantic model; never changed. What no branch writes is shared with the result.
        outcomes: of one fan-out, in any order. A Done value is a mapping of fields to updates, or None; failed
            branches are passed over.
        schema: a TypedDict, dataclass or model that declares the fields and their reducers; default: the type of
            the state. A dict without a schema takes any field, each from one branch.
        on_event: called with a Folded event at the end.
    Returns:
        The new state: a dict for a dict, else of the state's type. A dataclass is made through its constructor, a
        pydantic model is validated whole: that costs as much as validating the state, and finds wrong types.
    Raises:
        SchemaError: the schema is none.
        FoldError: an update that is no mapping, or is the state itself; a field that isn't in the schema, that is
            read-only, or that two branches write though it has no reducer; a reducer that raised; a folded state
            that its type refuses. It names the branches and the field, and carries all outcomes.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome.index)
    folding = Folding(state, schema=schema)
    try:
        for outcome in ordered:
            folding.add(outcome)
        result = folding.result()
    except FoldError as error:
        error.outcomes = tuple(ordered)
        raise
    if on_event is not None:
        on_event(folding.folded())
    return result


class _Entry(NamedTuple):
    """What one branch adds to one field."""

    place: Place
    value: Any


class _Update(NamedTuple):
    """What one branch returned: its entries by field, none for a branch that failed."""

    place: Place
    entries: Mapping[str, _Entry]


class _Failure(NamedTuple):
    """The entry on which a field's reducer raised."""

    field: Field
    entry: _Entry
    error: Exception


class _Checkpoint(NamedTuple):
    """What the first `size` updates make of the fields that they write, up to an entry that failed."""

    size: int
    values: Mapping[str, Any]
    failures: Mapping[str, _Failure]


class Folding(Generic[S]):
    """A fold that goes on while outcomes arrive; the state is as if they had arrived in item order.

        folding = Folding(state)
        async with stream(branch, items, limit=8) as outcomes:
            async for outcome in outcomes:
                folding.add(outcome)
                show(folding.partial())

    Adding costs as much as the update is large. For a partial state, what stands before the first gaps is not folded
    again: only what arrived since the last one, and what stands behind it in item order.

    Args:
        state, schema: as for `fold`.
    """

    def __init__(self, state: S, *, schema: type | None = None) -> None:
        schema = schema or schema_of(state)
        self._state = state
        self._base = values_of(state)
        self._fields = fields_of(schema) if schema else None
        self._updates: list[_Update] = []
        self._checkpoints = [_Checkpoint(0, {}, {})]
        self._outcomes: dict[Place, Outcome[Any]] = {}
        self._writers: dict[str, list[Place]] = {}
        self._branches: set[Place] = set()

    def add(self, outcome: Outcome[Any]) -> None:
        """Take an outcome; whatever is wrong with its update shows here, but for what a reducer raises.

        An outcome that is refused takes no part, and the folding can go on without it.

        Raises:
            FoldError: as `fold`; the outcome, or another one of its index and key, was added before.
        """
        place = (outcome.index, outcome.key)
        if place in self._outcomes:
            message = f"the outcome of {outcome.key!r} was added twice"
            raise self._error(message, "fold the outcomes of each fan-out once, by themselves", None, [place])
        self._outcomes[place] = outcome
        entries: dict[str, _Entry] = {}
        try:
            if isinstance(outcome, Done) and outcome.value is not None:
                update = detach(dict(self._checked(place, outcome.value)))
                entries = {name: _Entry(place, value) for name, value in update.items()}
        finally:
            # Even without entries: its place is no gap.
            self._insert(_Update(place, entries))
        for name in entries:
            self._writers.setdefault(name, []).append(place)
            self._branches.add(place)

    def _insert(self, update: _Update) -> None:
        position = len(self._updates)
        if position and update.place[0] < self._updates[-1].place[0]:
            position = bisect_right(self._updates, update.place[0], key=lambda other: other.place[0])
        self._updates.insert(position, update)
        while self._checkpoints[-1].size > position:
            self._checkpoints.pop()

    def partial(self) -> S:
        """The state with all updates that are there, in item order, not validated. Read it, don't change it.

        Raises:
            FoldError: a reducer raised, or a dataclass refused its values.
        """
        return self._built(validate=False)

    def result(self) -> S:
        """As `partial`, validated."""
        return self._built(validate=True)

    def folded(self) -> Folded:
        """The event that tells of the updates so far."""
        return Folded(tuple(self._in_order(self._writers)), len(self._branches))

    def _checked(self, place: Place, value: Any) -> Mapping[str, Any]:
        """The update, if the branch may make it."""
        key = place[1]
        if is_whole(value, self._state):
            raise self._error(f"the branch {key!r} returned the whole state", UPDATES_ONLY, None, [place])
        if not isinstance(value, Mapping):
            kind = type(value).__name__
            raise self._error(f"the branch {key!r} returned a {kind} as its update", UPDATES_ONLY, None, [place])
        for name in value:
            self._check_field(place, name, value[name])
        return value

    def _check_field(self, place: Place, name: str, value: object) -> None:
        key, field = place[1], self._field(name)
        if field is None:
            near = get_close_matches(str(name), self._fields or (), n=1)
            hint = f"is it {near[0]!r}?" if near else f"the state has {', '.join(self._fields or ())}"
            raise self._error(f"the branch {key!r} wrote {name!r}, which the state lacks", hint, name, [place])
        if field.read_only:
            hint = f"declare {name!r} without read_only, or leave it out of the update"
            raise self._error(f"the branch {key!r} wrote {name!r}, which is read-only", hint, name, [place])
        if field.reducer is None and name in self._writers:
            places = sorted([*self._writers[name], place])
            both = " and ".join(repr(key) for _, key in places)
            hint = f"declare how to combine what they write, as in {name}: Annotated[..., keep_last]"
            raise self._error(f"the branches {both} wrote {name!r}, which has no reducer", hint, name, places)
        if would_double(field, value, self._base.get(name)):
            message = f"the branch {key!r} returned the state's own {name!r}, which would double it"
            raise self._error(message, UPDATES_ONLY, name, [place])

    def _field(self, name: str) -> Field | None:
        return Field(name, object) if self._fields is None else self._fields.get(name)

    def _built(self, validate: bool) -> S:
        values, failure = self._folded()
        if failure is not None:
            field, entry, error = failure
            named = field.reducer.name if field.reducer else ""
            raise self._error(
                f"the reducer of {field.name!r}, {named}, raised on the update of the branch {entry.place[1]!r}: "
                f"{text_of(error)}",
                None,
                field.name,
                [entry.place],
            ) from error
        try:
            return replaced(self._state, values, validate=validate)
        except Exception as error:  # the state's own validation: anything
            name, why = complaint(error, values)
            places = sorted(self._writers[name]) if name else []
            message = f"the folded state is no {type(self._state).__name__}: {why}"
            raise self._error(message, _written_by(places), name, places) from error

    def _folded(self) -> tuple[dict[str, Any], _Failure | None]:
        """All values that branches wrote, each up to the first update that failed, and the first of these."""
        latest = self._latest()
        first = min(latest.failures.values(), key=lambda failure: failure.entry.place, default=None)
        return {name: latest.values[name] for name in self._in_order(latest.values)}, first

    def _latest(self) -> _Checkpoint:
        """The checkpoint with all updates, folded from the last one that holds; there is one at each early gap."""
        while (begin := self._checkpoints[-1]).size < len(self._updates):
            if begin.size and (self._is_next(begin.size) or len(self._checkpoints) > MOST_CHECKPOINTS):
                self._checkpoints.pop()
            end = begin.size + 1
            while end < len(self._updates) and (len(self._checkpoints) == MOST_CHECKPOINTS or self._is_next(end)):
                end += 1
            self._checkpoints.append(self._folded_on(begin, end))
        return self._checkpoints[-1]

    def _is_next(self, position: int) -> bool:
        """Whether no branch is missing before this position."""
        return self._updates[position].place[0] <= self._updates[position - 1].place[0] + 1

    def _folded_on(self, begin: _Checkpoint, end: int) -> _Checkpoint:
        values, failures = dict(begin.values), dict(begin.failures)
        for name, entries in _by_field(self._updates[begin.size : end]).items():
            if name in failures:
                continue
            field = self._field(name) or Field(name, object)
            held, failure = _reduced(field, values.get(name, self._base.get(name, NOTHING)), entries)
            if held is not NOTHING:
                values[name] = held
            if failure is not None:
                failures[name] = failure
        return _Checkpoint(end, values, failures)

    def _in_order(self, names: Iterable[str]) -> Iterable[str]:
        """In the schema's order, or as they come."""
        wanted = dict.fromkeys(names)
        return wanted if self._fields is None else [name for name in self._fields if name in wanted]

    def _error(self, message: str, hint: str | None, field: str | None, places: Iterable[Place]) -> FoldError:
        values, _ = self._folded()
        state: object
        try:
            state = replaced(self._state, values, validate=False)
        except Exception:  # noqa: BLE001 a dataclass refuses its values: these are not lost for that
            state = {**self._base, **values}
        return FoldError(
            message,
            hint=hint,
            field=field,
            branches=(key for _, key in places),
            outcomes=sorted(self._outcomes.values(), key=lambda outcome: outcome.index),
            state=state,
        )


def _reduced(field: Field, held: Any, entries: Sequence[_Entry]) -> tuple[Any, _Failure | None]:
    """What the field holds after these entries, or those before the one that failed."""
    reducer = field.reducer
    if reducer is None:
        return entries[-1].value, None
    if held is NOTHING:
        if field.start is None:
            held, entries = entries[0].value, entries[1:]
        else:
            held = field.start()
    if reducer.pure and reducer.many is not None:
        try:
            return reducer.many(held, [entry.value for entry in entries]), None
        except Exception:  # noqa: BLE001, S110 a reducer may raise anything; one by one shows on which update
            pass
    return _one_by_one(field, reducer, held, entries)


def _one_by_one(
    field: Field, reducer: Reducer[Any], held: Any, entries: Sequence[_Entry]
) -> tuple[Any, _Failure | None]:
    values, done = [entry.value for entry in entries], 0
    try:
        if not reducer.pure:
            # It may change what it is given: neither the caller's state nor the outcomes.
            held, values = detach((held, values))
        for value in values:
            held = reducer.function(held, value)
            done += 1
    except Exception as error:  # noqa: BLE001 a reducer may raise anything, and the other fields go on
        return held, _Failure(field, entries[done], error)
    return held, None


def _by_field(updates: Iterable[_Update]) -> dict[str, list[_Entry]]:
    entries: dict[str, list[_Entry]] = {}
    for update in updates:
        for name, entry in update.entries.items():
            entries.setdefault(name, []).append(entry)
    return entries


def _written_by(places: Sequence[Place]) -> str | None:
    if not places:
        return None
    shown = ", ".join(repr(key) for _, key in places[:SHOWN_BRANCHES])
    return f"look at what was written by {shown}{' and others' if len(places) > SHOWN_BRANCHES else ''}"
