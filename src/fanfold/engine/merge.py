"""Choose between alternative outcomes, or make one result of them all.

Each way comes in two forms: over outcomes that are there (`merge`), and while branches run, stopping as soon as the
result is certain (`first_success`, `all_success`, `majority`).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from fanfold.engine.fan_out import stream
from fanfold.engine.outcome import Done, Failed, Outcome
from fanfold.engine.schema import NOTHING
from fanfold.engine.three_way import MergeError, merge_states, merge_tails
from fanfold.engine.votes import Tally, Vote, Votes, count_votes
from fanfold.engine.wrapper import text_of
from fanfold.errors import FanfoldError

if TYPE_CHECKING:
    from fanfold.engine.events import Event
    from fanfold.engine.limit import Limit

__all__ = [
    "MergeError",
    "MergeStrategy",
    "Merged",
    "Vote",
    "Votes",
    "all_success",
    "count_votes",
    "first_success",
    "majority",
    "majority_of_runs",
    "merge",
    "merge_states",
    "merge_tails",
]

I = TypeVar("I")  # noqa: E741 an item
S = TypeVar("S")
T = TypeVar("T")

SHOWN_BRANCHES = 5


class MergeStrategy(Enum):
    """How outcomes become one result."""

    FIRST_SUCCESS = "first_success"
    """The first that succeeded."""
    ALL_SUCCESS = "all_success"
    """All together; each must have succeeded."""
    MAJORITY = "majority"
    """The one that more branches came to than any other."""


@dataclass(frozen=True, slots=True)
class Merged(Generic[T]):
    """One result of several outcomes.

    `keys` are the branches that it is of, `outcomes` all that had arrived, failed ones included, both in item order;
    `votes` is how the branches voted, where they did.
    """

    value: T
    keys: tuple[str, ...]
    outcomes: tuple[Outcome[T], ...]
    votes: Votes[T] | None = None


def merge(
    outcomes: Iterable[Outcome[T]],
    strategy: MergeStrategy | Literal["first_success", "all_success", "majority"] | Callable[[Sequence[Outcome[T]]], T],
    *,
    state: T = NOTHING,
    schema: type | None = None,
) -> Merged[T]:
    """Make one result of outcomes that are there.

    FIRST_SUCCESS takes the value of the first in item order that is Done. ALL_SUCCESS needs all to be Done, and
    merges the states that they hold (see `merge_states`). MAJORITY takes the value that more outcomes hold than any
    other, failed ones counted for nothing; values are the same if their `content_hash` is, and a tie is an error.

    Args:
        outcomes: of one fan-out, in any order.
        strategy: or its name, as "majority", or a function of all outcomes in item order, which returns the value,
            or raises.
        state: what each branch started from; ALL_SUCCESS needs it.
        schema: as for `fold`, where the reducers of ALL_SUCCESS are declared.
    Raises:
        MergeError: with all outcomes; what a function raised is its cause.
        TypeError: ALL_SUCCESS without the state.
        ValueError: no strategy has this name.
    """
    ordered = _in_order(outcomes)
    if isinstance(strategy, str):
        strategy = strategy_named(strategy)
    if strategy is MergeStrategy.FIRST_SUCCESS:
        return _first(ordered)
    if strategy is MergeStrategy.ALL_SUCCESS:
        if state is NOTHING:
            raise TypeError("ALL_SUCCESS needs state=, the state that the branches started from")
        return _all(ordered, state, schema)
    if strategy is MergeStrategy.MAJORITY:
        return _elected(ordered, len(ordered))
    try:
        return Merged(strategy(ordered), tuple(_keys(ordered)), ordered)
    except Exception as error:  # it is the user's own function: anything
        if isinstance(error, MergeError):
            error.outcomes = ordered
            raise
        message = f"the outcomes can't be merged: {text_of(error)}"
        raise MergeError(message, outcomes=ordered) from error


async def first_success(
    branch: Callable[..., Awaitable[T]],
    items: Iterable[I] | AsyncIterable[I],
    *,
    limit: int | Limit | None,
    state: Any = NOTHING,
    schema: type | None = None,
    key: Callable[[I], str] | None = None,
    priority: Callable[[I], float] | None = None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Merged[T]:
    """Run alternatives together; the first that succeeds is the result, and the others are cancelled.

    Args:
        branch: called with an item, or with an item and the state; alternatives, the first ones started first.
        limit, state, schema, key, priority, deadline_s, total_deadline_s, on_event: as for `fan_out`.
    Returns:
        The value, with the outcomes that had arrived by then.
    Raises:
        MergeError: none succeeded.
        As `stream` otherwise.
    """
    arrived: list[Outcome[T]] = []
    async with stream(
        branch, items, limit=limit, key=key, priority=priority, deadline_s=deadline_s,
        total_deadline_s=total_deadline_s, on_event=on_event, state=state, schema=schema,
    ) as outcomes:  # fmt: skip
        async for outcome in outcomes:
            arrived.append(outcome)
            if isinstance(outcome, Done):
                return Merged(outcome.value, (outcome.key,), _in_order(arrived))
    return _first(_in_order(arrived))


async def all_success(
    branch: Callable[[I, S], Awaitable[S]],
    items: Iterable[I] | AsyncIterable[I],
    *,
    limit: int | Limit | None,
    state: S,
    schema: type | None = None,
    key: Callable[[I], str] | None = None,
    priority: Callable[[I], float] | None = None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Merged[S]:
    """Run branches that each return the state as they leave it, and merge the states; the first failure ends it.

    Args:
        branch: called with an item and an isolated view of the state.
        state: what each branch starts from; never changed.
        limit, schema, key, priority, deadline_s, total_deadline_s, on_event: as for `fan_out`.
    Raises:
        MergeError: a branch failed, or the states disagree: see `merge_states`.
        As `stream` otherwise.
    """
    arrived: list[Outcome[S]] = []
    async with stream(
        branch, items, limit=limit, state=state, schema=schema, key=key, priority=priority, deadline_s=deadline_s,
        total_deadline_s=total_deadline_s, on_event=on_event,
    ) as outcomes:  # fmt: skip
        async for outcome in outcomes:
            arrived.append(outcome)
            if isinstance(outcome, Failed):
                break
    return _all(_in_order(arrived), state, schema)


async def majority(
    branch: Callable[..., Awaitable[T]],
    items: Iterable[I],
    *,
    limit: int | Limit | None,
    state: Any = NOTHING,
    schema: type | None = None,
    key: Callable[[I], str] | None = None,
    priority: Callable[[I], float] | None = None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Merged[T]:
    """Run alternatives together; the value that more of them come to than to any other is the result.

    A branch that fails votes for nothing. As soon as no other value can overtake the first one, or draw level with
    it, the branches that are left are cancelled. Where only more than half of all will do, look at
    `votes.is_absolute`.

    Args:
        branch: called with an item, or with an item and the state.
        items: all alternatives; their number must be known.
        limit, state, schema, key, priority, deadline_s, total_deadline_s, on_event: as for `fan_out`.
    Returns:
        The value, the keys that voted for it, and all votes that had arrived; see `Votes`.
    Raises:
        MergeError: a tie, with the votes; no branch succeeded; or a value has no stable content.
        As `stream` otherwise.
    """
    given = list(items)
    arrived: list[Outcome[T]] = []
    tally: Tally[T] = Tally(len(given))
    async with stream(
        branch, given, limit=limit, key=key, priority=priority, deadline_s=deadline_s,
        total_deadline_s=total_deadline_s, on_event=on_event, state=state, schema=schema,
    ) as outcomes:  # fmt: skip
        async for outcome in outcomes:
            arrived.append(outcome)
            try:
                tally.add(outcome)
            except FanfoldError:
                break
            if not tally.is_open:
                break
    return _elected(_in_order(arrived), len(given))


async def majority_of_runs(
    branch: Callable[[I], Awaitable[T]],
    item: I,
    *,
    runs: int,
    limit: int | Limit | None,
    deadline_s: float | None = None,
    total_deadline_s: float | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Merged[T]:
    """Run the branch several times on the same item, as `majority` does with different ones.

    Args:
        branch: called with the item, each time with an isolated view of its own.
        runs: how many, >= 1; their keys are "0", "1", ...
        limit, deadline_s, total_deadline_s, on_event: as for `fan_out`.
    Raises:
        As `majority`.
    """
    return await majority(
        each_run(branch), runs_of(item, runs), limit=limit, deadline_s=deadline_s,
        total_deadline_s=total_deadline_s, on_event=on_event,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run(Generic[I]):
    """One of several runs on the same item."""

    key: str
    item: I


def runs_of(item: I, runs: int) -> list[Run[I]]:
    """Runs "0", "1", ... on the item, each of which will get a view of its own of it."""
    if runs < 1:
        raise ValueError(f"runs must be at least 1, not {runs}")
    return [Run(str(number), item) for number in range(runs)]


def each_run(branch: Callable[[I], Awaitable[T]]) -> Callable[[Run[I]], Awaitable[T]]:
    """The branch function for runs on an item."""

    async def run_branch(run: Run[I]) -> T:
        return await branch(run.item)

    return run_branch


def strategy_named(name: str) -> MergeStrategy:
    """The strategy of this name, such as "majority".

    Raises:
        ValueError: there is none.
    """
    try:
        return MergeStrategy(name)
    except ValueError:
        known = ", ".join(repr(strategy.value) for strategy in MergeStrategy)
        raise ValueError(f"no strategy is called {name!r}: it is one of {known}, or a function") from None


def _in_order(outcomes: Iterable[Outcome[T]]) -> tuple[Outcome[T], ...]:
    return tuple(sorted(outcomes, key=lambda outcome: outcome.index))


def _first(outcomes: tuple[Outcome[T], ...]) -> Merged[T]:
    for outcome in outcomes:
        if isinstance(outcome, Done):
            return Merged(outcome.value, (outcome.key,), outcomes)
    raise _failures("no branch succeeded", outcomes)


def _all(outcomes: tuple[Outcome[T], ...], state: T, schema: type | None) -> Merged[T]:
    if any(isinstance(outcome, Failed) for outcome in outcomes):
        raise _failures("not all branches succeeded", outcomes)
    versions = [(outcome.key, outcome.value) for outcome in outcomes if isinstance(outcome, Done)]
    try:
        return Merged(merge_states(state, versions, schema=schema), tuple(_keys(outcomes)), outcomes)
    except MergeError as error:
        error.outcomes = outcomes
        raise


def _elected(outcomes: tuple[Outcome[T], ...], expected: int) -> Merged[T]:
    try:
        votes = count_votes(outcomes, expected=expected)
    except FanfoldError as error:
        message = f"the results can't be compared: {error.message}"
        raise MergeError(message, hint=error.hint, outcomes=outcomes) from error
    if not votes.cast:
        raise _failures("no majority, for no branch succeeded" if outcomes else "no majority", outcomes, votes)
    if votes.winner is None:
        raise MergeError(
            f"no majority, but a tie: the votes are {votes}",
            hint="run an odd number of branches, or see in .votes why they differ",
            outcomes=outcomes,
            branches=(key for vote in votes.cast for key in vote.keys),
            votes=votes,
        )
    return Merged(votes.winner.value, votes.winner.keys, outcomes, votes)


def _failures(what: str, outcomes: tuple[Outcome[Any], ...], votes: Votes[Any] | None = None) -> MergeError:
    """The error for failed branches, with the first one's error as its cause."""
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    told = [f"{one.key}: {text_of(one.error)}" for one in failed[:SHOWN_BRANCHES]]
    if len(failed) > SHOWN_BRANCHES:
        told.append(f"and {len(failed) - SHOWN_BRANCHES} more")
    error = MergeError(
        f"{what}: {'; '.join(told) or 'there are no outcomes'}",
        outcomes=outcomes,
        branches=(one.key for one in failed),
        votes=votes,
    )
    error.__cause__ = failed[0].error if failed else None
    return error


def _keys(outcomes: Iterable[Outcome[Any]]) -> Iterable[str]:
    return (outcome.key for outcome in outcomes if isinstance(outcome, Done))
