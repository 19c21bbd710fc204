"""Flows on the engine itself; what holds on every runtime is in `conformance`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from typing_extensions import TypedDict

from fanfold.engine import (
    DeadlineExceeded,
    Done,
    Failed,
    FoldError,
    Journal,
    JournalError,
    Limit,
    LimitError,
    Outcome,
    UpdateError,
    concat,
    current_branch,
    retry,
    total,
)
from fanfold.runtimes import Flow, Native, NoContext, Options, Result, Update, get_context
from fanfold.testing.clock import virtual_time


class State(TypedDict, total=False):
    files: list[str]
    notes: Annotated[list[str], concat]
    count: Annotated[int, total]
    answer: str
    plan: dict[str, Any]


@dataclass
class Data:
    files: list[str]
    notes: Annotated[list[str], concat] = field(default_factory=list)
    plan: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "forbidden" in self.notes:
            raise ValueError("a forbidden note")


class Wrong(Exception):
    pass


def files(state: State) -> Iterable[str]:
    return state["files"]


async def review(item: str, _: State) -> Update:
    return {"notes": [item]}


def flow_of(branch: Any = review, **options: Any) -> Flow[Any]:
    return Flow(**{"name": "reviews", "state": State, "items": files, "branch": branch, **options})


def fails(*_: object) -> Any:
    raise Wrong("as it was")


async def fails_later(*_: object) -> Any:
    raise Wrong("as it was")


class Spy:
    """A branch that takes a while, and knows how many of it were at work at once."""

    def __init__(self) -> None:
        self.working = self.peak = 0

    async def __call__(self, item: str, _: State) -> Update:
        self.working += 1
        self.peak = max(self.peak, self.working)
        await asyncio.sleep(1)
        self.working -= 1
        return {"notes": [item]}


class TestSteps:
    @virtual_time
    async def test_come_one_after_another_around_the_branches(self) -> None:
        async def look(state: State) -> Update:
            return {"files": ["a", "b"], "notes": [f"look at {len(state.get('files', []))}"]}

        async def count(state: State) -> Update:
            return {"answer": ", ".join(state["notes"])}

        async def rest(state: State) -> Update:
            return {"plan": {"answer": state["answer"]}}

        result = await flow_of(prepare=(look,), finish=(count, rest)).run({})
        assert result.state["answer"] == "look at 0, a, b"
        assert result.state["plan"] == {"answer": "look at 0, a, b"}

    @virtual_time
    async def test_may_do_anything_to_their_state(self) -> None:
        async def spoil(state: State) -> Update:
            state["plan"]["deep"].append("spoilt")
            state["files"].clear()
            return None

        begin: State = {"files": ["a"], "plan": {"deep": [1]}}
        result = await flow_of(prepare=(spoil,)).run(begin)
        assert begin == {"files": ["a"], "plan": {"deep": [1]}}
        assert result.state == {**begin, "notes": ["a"]}

    @virtual_time
    async def test_that_return_the_state_are_refused(self) -> None:
        async def whole(state: State) -> Update:
            return {**state}

        async def itself(state: State) -> Any:
            return state

        for step in (whole, itself):
            with pytest.raises(UpdateError, match=f"in the step {step.__name__}: the branch returned"):
                await flow_of(prepare=(step,)).run({"files": [], "notes": ["old"]})

    @virtual_time
    async def test_write_only_fields_that_there_are(self) -> None:
        async def look(_: State) -> Update:
            return {"flies": []}

        with pytest.raises(FoldError, match="'look' wrote 'flies'"):
            await flow_of(prepare=(look,)).run({"files": []})


class TestItems:
    @virtual_time
    async def test_are_found_in_a_view_of_the_state(self) -> None:
        def spoiling(state: State) -> Iterable[str]:
            state["plan"]["deep"].append("spoilt")
            state["notes"].append("spoilt")
            return [*state["files"], "more"]

        begin: State = {"files": ["a"], "plan": {"deep": []}, "notes": []}
        result = await flow_of(items=spoiling).run(begin)
        assert result.state == {"files": ["a"], "plan": {"deep": []}, "notes": ["a", "more"]}
        assert begin["plan"] == {"deep": []}

    @virtual_time
    async def test_may_come_from_a_generator(self) -> None:
        result = await flow_of(items=lambda state: (name.upper() for name in state["files"])).run({"files": ["a", "b"]})
        assert result.state["notes"] == ["A", "B"]

    @virtual_time
    async def test_that_are_parts_of_the_state_belong_to_their_branch(self) -> None:
        async def spoil(item: list[int], state: State) -> Update:
            item.append(9)
            return {"notes": [f"{item} of {state['plan']['parts']}"]}

        flow = flow_of(spoil, items=lambda state: state["plan"]["parts"])
        result = await flow.run({"plan": {"parts": [[1], [2]]}})
        assert result.state["notes"] == ["[1, 9] of [[1], [2]]", "[2, 9] of [[1], [2]]"]


class TestWhatIsRaised:
    @virtual_time
    @pytest.mark.parametrize(
        "options",
        [
            {"prepare": (fails_later,)},
            {"items": fails},
            {"key": fails},
            {"priority": fails},
            {"on_outcome": fails_later},
            {"branch": fails_later, "failed": fails},
            {"finish": (fails_later,)},
        ],
        ids=["prepare", "items", "key", "priority", "on_outcome", "failed", "finish"],
    )
    async def test_by_the_flow_s_own_functions_is_raised_as_it_was(self, options: dict[str, Any]) -> None:
        with pytest.raises(Wrong) as caught:
            await flow_of(**options).run({"files": ["a"]})
        assert str(caught.value) == "as it was"
        assert caught.value.__cause__ is None

    @virtual_time
    async def test_by_a_branch_is_its_outcome(self) -> None:
        result = await flow_of(fails_later).run({"files": ["a"]})
        (outcome,) = result.outcomes
        assert isinstance(outcome, Failed)
        assert type(outcome.error) is Wrong

    @virtual_time
    async def test_where_the_state_refuses_its_values_it_names_who_wrote_them(self) -> None:
        with pytest.raises(FoldError, match="a forbidden note") as caught:
            await flow_of(state=Data, items=lambda data: data.files).run(Data(["a", "forbidden"]))
        assert isinstance(caught.value.state, dict)
        assert caught.value.state["notes"] == ["a", "forbidden"]
        assert [outcome.key for outcome in caught.value.outcomes] == ["a", "forbidden"]

    @virtual_time
    async def test_a_fold_that_fails_has_failures_as_they_were(self) -> None:
        flow = flow_of(fails_later, failed=lambda _: {"unknown": 1})
        with pytest.raises(FoldError, match="'a' wrote 'unknown'") as caught:
            await flow.run({"files": ["a"]})
        assert isinstance(caught.value.outcomes[0], Failed)

    @virtual_time
    async def test_a_limit_that_lets_nothing_run_comes_before_the_steps(self) -> None:
        with pytest.raises(LimitError):
            await flow_of(prepare=(fails_later,)).run({"files": []}, limit=0)

    @virtual_time
    async def test_what_on_event_raises_ends_the_run(self) -> None:
        with pytest.raises(Wrong):
            await flow_of().run({"files": ["a"]}, on_event=fails)


class TestHops:
    @virtual_time
    async def test_get_what_the_one_before_returned(self) -> None:
        async def double(item: str, _: State) -> dict[str, list[str]]:
            return {"twice": [item, item]}

        async def join(value: dict[str, list[str]], _: State) -> str:
            return "-".join(value["twice"])

        result = await flow_of((double, join, review)).run({"files": ["a", "b"]})
        assert result.state["notes"] == ["a-a", "b-b"]

    @virtual_time
    async def test_keep_no_hold_of_what_they_passed_on(self) -> None:
        passed: list[list[str]] = []

        async def keep(item: str, _: State) -> list[str]:
            passed.append([item])
            return passed[-1]

        async def meddle(value: list[str], _: State) -> Update:
            passed[0].append("spoilt")
            return {"notes": value}

        result = await flow_of((keep, meddle)).run({"files": ["a"]})
        assert result.state["notes"] == ["a"]

    @virtual_time
    async def test_share_the_deadline_of_their_branch(self) -> None:
        async def wait(item: str, _: State) -> str:
            await asyncio.sleep(3)
            return item

        async def wait_more(item: str, _: State) -> Update:
            await asyncio.sleep(3)
            return {"notes": [item]}

        result = await flow_of((wait, wait_more), deadline_s=5).run({"files": ["a"]})
        (outcome,) = result.outcomes
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, DeadlineExceeded)
        assert outcome.elapsed_s == 5

    @virtual_time
    async def test_are_tried_again_one_by_one(self) -> None:
        tried: list[str] = []

        async def first(item: str, _: State) -> str:
            tried.append("first")
            return item

        async def second(item: str, _: State) -> Update:
            tried.append("second")
            if len(tried) < 4:
                raise OSError
            return {"notes": [item]}

        result = await flow_of((first, retry(attempts=5)(second))).run({"files": ["a"]})
        assert tried == ["first", "second", "second", "second"]
        assert result.state["notes"] == ["a"]
        assert result.outcomes[0].attempts == 3

    @virtual_time
    async def test_that_return_the_state_fail_behind_a_retry_too(self) -> None:
        async def whole(_: str, state: State) -> Any:
            return {**state, "notes": ["new"]}

        result = await flow_of(retry(attempts=2)(whole)).run({"files": ["a"], "notes": ["old"], "count": 300})
        assert isinstance(result.outcomes[0], Failed)
        assert result.state["count"] == 300


class TestNested:
    @virtual_time
    async def test_the_limit_is_that_of_the_outermost(self) -> None:
        spy = Spy()
        inner = flow_of(spy, name="inner")

        async def outer(item: str, state: State) -> Update:
            await spy(item, state)
            result = await inner.run({"files": [f"{item}{number}" for number in range(4)]})
            return {"notes": result.state["notes"]}

        result = await flow_of(outer).run({"files": ["a", "b", "c"]}, limit=2)
        assert spy.peak == 2
        assert len(result.state["notes"]) == 12

    @virtual_time
    @pytest.mark.parametrize("place", ["prepare", "finish", "on_outcome"])
    async def test_the_limit_holds_in_steps_and_while_branches_run(self, place: str) -> None:
        spy = Spy()
        inner = flow_of(spy, name="inner")

        async def run_inner(_: object) -> Any:
            await inner.run({"files": list("abcd")})

        functions: Any = run_inner if place == "on_outcome" else (run_inner,)
        await flow_of(spy, **{place: functions}).run({"files": ["x", "y", "z"]}, limit=2)
        assert spy.peak == 2

    @virtual_time
    async def test_a_limit_of_its_own_is_for_itself(self) -> None:
        spy = Spy()

        async def step(_: State) -> Update:
            await flow_of(spy, name="inner").run({"files": list("abcd")}, limit=3)
            return None

        await flow_of(prepare=(step,)).run({"files": []}, limit=1)
        assert spy.peak == 3

    @virtual_time
    async def test_runs_side_by_side_share_a_limit_that_both_were_given(self) -> None:
        spy, limit = Spy(), Limit(2)
        flow = flow_of(spy)
        await asyncio.gather(*(flow.run({"files": list("abc")}, limit=limit) for _ in range(2)))
        assert spy.peak == 2
        assert limit.running == 0

    @virtual_time
    async def test_context_and_runtime_are_those_of_the_run_around(self) -> None:
        class Other(Native):
            @property
            def name(self) -> str:
                return "other"

            async def run(self, flow: Flow[Any], state: Any, options: Options) -> Result[Any]:
                from fanfold.runtimes.native import carry_out

                return await carry_out(self, flow, state, options, flow.hops)

        ran: list[tuple[str, str]] = []

        async def ask(item: str, _: State) -> Update:
            return {"notes": [f"{item}: {get_context(int)}"]}

        inner = flow_of(ask, name="inner")

        async def in_step(_: State) -> Update:
            result = await inner.run({"files": ["step"]})
            ran.append(("step", result.runtime))
            return {"notes": result.state["notes"]}

        async def in_branch(item: str, _: State) -> Update:
            result = await inner.run({"files": [item]})
            ran.append(("branch", result.runtime))
            own = await inner.run({"files": ["own"]}, context=2)
            return {"notes": [*result.state["notes"], *own.state["notes"]]}

        flow = flow_of(in_branch, prepare=(in_step,))
        result = await flow.run({"files": ["a"]}, context=1, runtime=Other())
        assert result.state["notes"] == ["step: 1", "a: 1", "own: 2"]
        assert ran == [("step", "other"), ("branch", "native")]
        assert result.runtime == "other"

    @virtual_time
    @pytest.mark.parametrize("schema", [State, Data])
    async def test_a_view_of_the_state_is_a_state_to_begin_with(self, schema: type) -> None:
        inner = flow_of(name="inner", state=schema, items=lambda _: ["x"])

        async def pass_on(_: str, state: Any) -> Update:
            result = await inner.run(state)
            plan: Any = result.state["plan"] if isinstance(result.state, dict) else result.state.plan
            assert type(result.state) in (dict, Data)
            plan["deep"].append("spoilt")
            return {"notes": ["passed"]}

        flow = flow_of(pass_on, state=schema, items=lambda _: ["a"])
        begin: Any = {"files": [], "plan": {"deep": [1]}} if schema is State else Data([], [], {"deep": [1]})
        result = await flow.run(begin)
        plan = result.state["plan"] if schema is State else result.state.plan
        assert plan == {"deep": [1]}

    @virtual_time
    async def test_a_flow_may_run_itself(self) -> None:
        async def descend(item: str, _: State) -> Update:
            if len(item) == 3:
                return {"count": 1}
            result = await tree.run({"files": [f"{item}a", f"{item}b"]})
            return {"count": result.state["count"]}

        tree = flow_of(descend)
        assert (await tree.run({"files": ["", "x"]}, limit=2)).state["count"] == 8 + 4

    @virtual_time
    async def test_events_tell_of_flows_inside_of_branches(self) -> None:
        inner = flow_of(name="inner")

        async def outer(_: str, __: State) -> Update:
            return {"notes": (await inner.run({"files": ["x"]})).state["notes"]}

        paths: list[Any] = []
        await flow_of(outer).run({"files": ["a"]}, on_event=lambda event: paths.append(getattr(event, "path", None)))
        assert ("a", "x") in paths


class TestContext:
    async def test_there_is_none_outside_of_a_flow(self) -> None:
        with pytest.raises(NoContext, match="outside of a flow"):
            get_context(int)

    @virtual_time
    async def test_a_run_that_was_given_none_has_none(self) -> None:
        async def ask(_: str, __: State) -> Update:
            return {"count": get_context(int)}

        (outcome,) = (await flow_of(ask).run({"files": ["a"]})).outcomes
        assert isinstance(outcome, Failed)
        assert str(outcome.error) == "this run has no context, not a int"
        (outcome,) = (await flow_of(ask).run({"files": ["a"]}, context="text")).outcomes
        assert isinstance(outcome, Failed)
        assert str(outcome.error) == "this run has a str as its context, not a int"

    @virtual_time
    async def test_all_of_a_flow_s_functions_have_it(self) -> None:
        seen: list[int] = []

        def look(*_: object) -> Any:
            seen.append(get_context(int))

        async def look_later(*_: object) -> Any:
            look()

        async def fail(*_: object) -> Any:
            look()
            raise Wrong

        await flow_of(
            fail,
            prepare=(look_later,),
            items=lambda state: (look(), state["files"])[1],
            failed=look,
            on_outcome=look_later,
        ).run({"files": ["a"]}, context=7)
        assert seen == [7] * 5

    @virtual_time
    async def test_it_ends_with_the_run(self) -> None:
        await flow_of().run({"files": ["a"]}, context=7)
        with pytest.raises(NoContext):
            get_context(int)


class TestDelivery:
    @virtual_time
    async def test_on_outcome_has_one_after_another_and_holds_up_no_branch(self) -> None:
        spy, delivered, delivering = Spy(), list[str](), 0

        async def deliver(outcome: Outcome[Any]) -> None:
            nonlocal delivering
            delivering += 1
            assert delivering == 1
            await asyncio.sleep(10)
            delivering -= 1
            delivered.append(outcome.key)

        result = await flow_of(spy, on_outcome=deliver).run({"files": list("abcdef")}, limit=3)
        assert sorted(delivered) == list("abcdef")
        assert max(outcome.started_s for outcome in result.outcomes) == 1

    @virtual_time
    async def test_who_cancels_the_run_ends_its_branches(self) -> None:
        ended: list[str] = []

        async def wait(item: str, _: State) -> Update:
            try:
                await asyncio.sleep(1000)
            finally:
                ended.append(item)
            return None

        run = asyncio.create_task(flow_of(wait).run({"files": ["a", "b", "c"]}, limit=2))
        await asyncio.sleep(1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert sorted(ended) == ["a", "b"]
        assert len(asyncio.all_tasks()) == 1


ran: list[str] = []


async def noted(item: str, _: State) -> Update:
    ran.append(item)
    return {"notes": [item]}


async def noted_first(item: str, _: State) -> str:
    ran.append(f"{item} first")
    return item


@pytest.fixture
def path(tmp_path: Path) -> Path:
    ran.clear()
    return tmp_path / "journal.db"


async def kept(flow: Flow[Any], begin: Any, path: Path) -> Result[Any]:
    async with Journal.open(path, run="monday", version="1") as journal:
        return await flow.run(begin, journal=journal)


class TestJournal:
    async def test_a_hop_that_two_flows_share_is_kept_for_each(self, path: Path) -> None:
        for name in ("one", "other", "one", "other"):
            await kept(flow_of(noted, name=name), {"files": ["a"]}, path)
        assert ran == ["a", "a"]

    async def test_a_flow_that_is_made_again_has_what_it_had(self, path: Path) -> None:
        async with Journal.open(path, run="monday", version="1") as journal:
            for _ in range(2):
                result = await flow_of((noted_first, noted)).run({"files": ["a"]}, journal=journal)
                assert result.state["notes"] == ["a"]
            assert ran == ["a first", "a"] * 2, "a second turn in one run is its own"
        for _ in range(2):
            await kept(flow_of((noted_first, noted)), {"files": ["a"]}, path)
        assert len(ran) == 4

    async def test_two_flows_of_one_name_with_other_functions_are_refused(self, path: Path) -> None:
        def made(suffix: str) -> Flow[Any]:
            async def add(item: str, _: State) -> Update:
                return {"notes": [item + suffix]}

            return flow_of(add)

        async with Journal.open(path, run="monday", version="1") as journal:
            await made("1").run({"files": ["a"]}, journal=journal)
            with pytest.raises(JournalError, match="'reviews: add'") as caught:
                await made("2").run({"files": ["a"]}, journal=journal)
        assert "name the flows differently" in str(caught.value.hint)

    async def test_another_version_is_another_flow(self, path: Path) -> None:
        for version in ("1", "2", "1", "2"):
            await kept(flow_of(noted, version=version), {"files": ["a"]}, path)
        assert ran == ["a", "a"]

    async def test_a_hop_that_does_not_say_what_it_returns_is_refused_before_anything_starts(self, path: Path) -> None:
        async def first(item, _):  # type: ignore[no-untyped-def]
            return item

        flow = flow_of((first, noted), prepare=(fails_later,))
        with pytest.raises(JournalError, match="first doesn't say what it returns"):
            await kept(flow, {"files": ["a"]}, path)

    async def test_a_wrapped_hop_is_tried_again_and_kept_once(self, path: Path) -> None:
        flow = flow_of(retry(attempts=3, wait_initial_s=0)(_flaky))
        for _ in range(2):
            result = await kept(flow, {"files": ["a"]}, path)
            assert result.state["notes"] == ["a"]
        assert ran == ["a", "a"]

    async def test_one_flow_may_run_twice_in_a_branch_with_other_items_and_with_the_same(self, path: Path) -> None:
        for _ in range(2):
            result = await kept(flow_of(_twice, name="outer"), {"files": ["a"]}, path)
            assert result.state["notes"] == ["x", "y", "x"]
            assert ran == ["x", "y", "x"]

    async def test_after_a_failure_each_of_them_has_its_own_again(self, path: Path) -> None:
        async def fails_after(item: str, state: State) -> Update:
            await _twice(item, state)
            raise Wrong

        for _ in range(2):
            await kept(flow_of(fails_after, name="outer"), {"files": ["a"]}, path)
            assert ran == ["x", "y", "x"]

    async def test_one_flow_in_two_branches_is_kept_for_each(self, path: Path) -> None:
        async def fails_after(item: str, _: State) -> Update:
            result = await inner.run({"files": ["x"]})
            ran.append(f"{item} had {result.state['notes']}")
            raise Wrong

        for _ in range(2):
            await kept(flow_of(fails_after, name="outer"), {"files": ["a", "b"]}, path)
        assert sorted(ran) == ["a had ['x']"] * 2 + ["b had ['x']"] * 2 + ["x", "x"]

    async def test_a_flow_in_a_step_has_the_journal_too(self, path: Path) -> None:
        async def look(_: State) -> Update:
            return {"files": (await inner.run({"files": ["x"]})).state["notes"]}

        for _ in range(2):
            result = await kept(flow_of(noted, prepare=(look,)), {}, path)
            assert result.state["notes"] == ["x"]
        assert ran == ["x", "x"]

    async def test_one_function_may_be_a_hop_inside_and_outside(self, path: Path) -> None:
        async def outer(item: str, _: State) -> str:
            await flow_of(noted, name="inner").run({"files": [item]})
            return item

        for _ in range(2):
            await kept(flow_of((outer, noted), name="outer"), {"files": ["a"]}, path)
        assert ran == ["a", "a"]

    async def test_a_branch_knows_its_place_and_attempt(self, path: Path) -> None:
        async def place(_: str, __: State) -> Update:
            branch = current_branch()
            assert branch is not None
            return {"notes": [f"{branch.path} {branch.attempt}"]}

        result = await kept(flow_of(place), {"files": ["a"]}, path)
        assert result.state["notes"] == ["('a',) 1"]

    async def test_a_dataclass_as_the_state(self, path: Path) -> None:
        async def look(item: str, data: Data) -> Update:
            ran.append(item)
            return {"notes": [item], "plan": {"of": data.files}}

        for _ in range(2):
            result = await kept(flow_of(look, state=Data, items=lambda data: data.files), Data(["a"]), path)
            assert result.state == Data(["a"], ["a"], {"of": ["a"]})
        assert ran == ["a"]

    async def test_what_can_not_be_kept_fails_its_branch(self, path: Path) -> None:
        async def odd(item: str, _: State) -> Update:
            return {"plan": {"what": object()}} if item == "a" else {"notes": [item]}

        result = await kept(flow_of(odd), {"files": ["a", "b"]}, path)
        failed, done = result.outcomes
        assert isinstance(failed, Failed)
        assert isinstance(done, Done)
        assert "plan" in str(failed.error)


async def _flaky(item: str, _: State) -> Update:
    ran.append(item)
    if len(ran) < 2:
        raise OSError
    return {"notes": [item]}


inner = flow_of(noted, name="inner")


async def _twice(_: str, __: State) -> Update:
    notes: list[str] = []
    for files_ in (["x"], ["y"], ["x"]):
        notes += (await inner.run({"files": files_})).state["notes"]
    return {"notes": notes}
