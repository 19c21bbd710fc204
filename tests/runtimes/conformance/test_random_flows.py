"""Flows drawn at random come to the same state, byte for byte, on every runtime."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import enum
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold.engine import Done, Failed, Journal, Outcome
from fanfold.runtimes import Flow, Native, Result, Runtime
from fanfold.testing.flows import (
    Form,
    Job,
    Mood,
    Point,
    Sheet,
    Toolbox,
    excusing,
    landing,
    landing_sheet,
    landing_three,
    on_form,
    on_sheet,
    stepped,
    three_hops,
    two_hops,
    values_of,
)
from fanfold.testing.flows import board as board_of

Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[Runtime]]

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
EXAMPLES = {"native": 60, "langgraph": 50, "cluster": 25}
TIMES = max(1, settings().max_examples // 50)  # the long version has more of them

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
numbers = st.integers(-(2**70), 2**70)
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda parts: st.lists(parts, max_size=2) | st.dictionaries(words, parts, max_size=2),
    max_leaves=4,
)
pairs = st.permutations(["left", "right"]).flatmap(lambda names: st.fixed_dictionaries(dict.fromkeys(names, numbers)))
values: dict[str, st.SearchStrategy[Any]] = {
    "notes": st.lists(words, max_size=2),
    "count": numbers,
    "best": numbers,
    "seen": st.lists(words, max_size=2),
    "found": st.dictionaries(words, plain, max_size=2),
    "last": words,
    "mood": st.sampled_from([mood.value for mood in Mood]),
    "spans": st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=2),
    "points": st.dictionaries(words, st.tuples(numbers, st.lists(numbers, max_size=2)).map(list), max_size=2),
}
values["pairs"] = st.lists(pairs, max_size=2)
initial: dict[str, st.SearchStrategy[Any]] = {
    **{name: values[name] for name in ("notes", "count", "best", "found", "last", "pairs")},
    "seen": st.sets(words, max_size=2),
    "mood": st.sampled_from(Mood),
    "spans": st.lists(st.tuples(numbers, numbers), max_size=2),
    "points": st.dictionaries(words, st.builds(Point, numbers, st.tuples(numbers)), max_size=2),
    "plan": st.dictionaries(words, plain, max_size=2),
    "rules": st.dictionaries(words, plain, max_size=2),
}
additions = st.sampled_from(sorted(values)).flatmap(lambda name: values[name].map(lambda value: ["add", name, value]))
simple = st.one_of(
    additions,
    additions,
    additions,
    st.sampled_from([*initial]).map(lambda name: ["see", name]),
    st.integers(0, 4).map(lambda times: ["yield", times]),
    st.just(["spoil"]),
    st.just(["place"]),
    st.just(["fail", "no luck"]),
    st.just(["give_state"]),
)


def listed(acts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Jobs of a flow inside of a branch."""
    jobs = st.lists(st.tuples(words, st.lists(acts, max_size=3)), max_size=3, unique_by=lambda job: job[0])
    return jobs.map(lambda jobs: ["nest", [[key, *acts] for key, acts in jobs]])


acts = simple | listed(simple | listed(simple))
hops = st.lists(st.lists(acts, max_size=4), max_size=3)
jobs = st.lists(st.builds(Job, words, hops, st.lists(words, max_size=1)), max_size=5, unique_by=lambda job: job.key)
boards = st.fixed_dictionaries({"jobs": jobs}, optional=initial)
limits = st.none() | st.integers(1, 3)
landing_flows = st.sampled_from([landing, landing_three, landing_sheet])
flows = st.sampled_from([stepped, excusing, two_hops, three_hops, on_sheet, on_form])


def spelled(value: Any) -> str:
    """All that a value says, with its type and the order of its entries; only sets have none."""
    kind = type(value).__name__
    if isinstance(value, dict):
        return f"{kind}{{{', '.join(f'{spelled(key)}: {spelled(part)}' for key, part in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"{kind}[{', '.join(map(spelled, value))}]"
    if isinstance(value, set):
        return f"{kind}{sorted(map(spelled, value))}"
    if isinstance(value, enum.Enum):
        return str(value)
    if dataclasses.is_dataclass(value) or isinstance(value, Form):
        return f"{kind}({spelled(values_of(value) if isinstance(value, (Form, Sheet)) else vars(value))})"
    return f"{kind} {value!r}"


def told(outcome: Outcome[Any]) -> str:
    """What an outcome says."""
    said = f"{type(outcome.error).__name__}: {outcome.error}" if isinstance(outcome, Failed) else spelled(outcome.value)
    return f"{outcome.index} {outcome.key} {type(outcome).__name__} {outcome.attempts} {said}"


def state_of(flow: Flow[Any], fields: dict[str, Any]) -> Any:
    """What the flow begins with."""
    if flow.state is Sheet:
        return Sheet(**fields)
    return Form(**fields) if flow.state is Form else board_of(*fields.pop("jobs"), **fields)


async def come_to(flow: Flow[Any], fields: dict[str, Any], **options: Any) -> Result[Any]:
    """What the flow comes to; it changes nothing of what it was given."""
    state = state_of(flow, copy.deepcopy(fields))
    before = spelled(state)
    result = await flow.run(state, **options)
    assert spelled(state) == before
    return result


async def told_apart(flow: Flow[Any], fields: dict[str, Any], limit: int | None, runtime: Runtime) -> None:
    one = await come_to(flow, fields, limit=1, runtime=Native())
    other = await come_to(flow, fields, limit=limit, runtime=runtime)
    assert spelled(other.state) == spelled(one.state)
    assert [told(outcome) for outcome in other.outcomes] == [told(outcome) for outcome in one.outcomes]


@contextlib.contextmanager
def running(opened: Opened) -> Iterator[tuple[asyncio.Runner, Runtime]]:
    """An event loop for all examples of a test, and the runtime on it."""
    with asyncio.Runner() as loop:
        coming = opened()
        runtime = loop.run(coming.__aenter__())
        try:
            yield loop, runtime
        finally:
            loop.run(coming.__aexit__(None, None, None))


def test_a_random_flow_comes_to_the_same_state_on_every_runtime(opened: Opened) -> None:
    with running(opened) as (loop, runtime):

        @settings(max_examples=TIMES * EXAMPLES[runtime.name], suppress_health_check=SLOW)
        @given(flow=flows, fields=boards, limit=limits)
        def come_to_the_same(flow: Flow[Any], fields: dict[str, Any], limit: int | None) -> None:
            loop.run(told_apart(flow, fields, limit, runtime))

        come_to_the_same()


async def resumed(flow: Flow[Any], fields: dict[str, Any], runtimes: tuple[Runtime, Runtime], after: int) -> None:
    """Begin the flow on one runtime, break it off after so many outcomes, go on with it on another one."""
    left = after
    done: set[str] = set()

    async def sink(outcome: Outcome[Any]) -> None:
        nonlocal left
        left -= 1
        if isinstance(outcome, Done):
            done.add(outcome.key)
        if left < 0:
            raise InterruptedError

    expected = await come_to(flow, fields, limit=1, runtime=Native(), context=Toolbox(""))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.db")
        with contextlib.suppress(InterruptedError):
            async with Journal.open(path, run="monday", version="1") as journal:
                await come_to(flow, fields, limit=2, runtime=runtimes[0], journal=journal, context=Toolbox("", sink))
        async with Journal.open(path, run="monday", version="1") as journal:
            result = await come_to(flow, fields, limit=2, runtime=runtimes[1], journal=journal, context=Toolbox(""))
            assert journal.restored >= len(done)
    assert spelled(result.state) == spelled(expected.state)
    assert [told(outcome) for outcome in result.outcomes] == [told(outcome) for outcome in expected.outcomes]


@pytest.mark.parametrize("order", ["same", "from native", "to native"])
def test_a_random_flow_that_was_broken_off_comes_to_the_same_state_as_one_that_was_not(
    opened: Opened, order: str
) -> None:
    with running(opened) as (loop, runtime):
        first = Native() if order == "from native" else runtime
        second = Native() if order == "to native" else runtime

        @settings(max_examples=TIMES * EXAMPLES[runtime.name] // 4, suppress_health_check=SLOW)
        @given(flow=landing_flows, fields=boards, after=st.integers(0, 5))
        def come_to_the_same(flow: Flow[Any], fields: dict[str, Any], after: int) -> None:
            loop.run(resumed(flow, fields, (first, second), after))

        come_to_the_same()
