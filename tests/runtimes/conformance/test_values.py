"""What branches return comes back as it was declared, wherever they ran; it is folded once."""

from __future__ import annotations

from typing import Any

import pytest

from fanfold.runtimes import Runtime
from fanfold.testing.flows import (
    Form,
    Job,
    Mood,
    Point,
    Sheet,
    board,
    job,
    on_form,
    on_sheet,
    scripted,
    stepped,
    three_hops,
)

ADDS: list[list[Any]] = [
    ["add", "seen", ["y", "x"]],
    ["add", "mood", "cross"],
    ["add", "spans", [[1, 2], [3, 4]]],
    ["add", "points", {"p": [1, [2, 3]]}],
    ["add", "found", {"text": "ä\u2028\x00", "number": 1e300, "nothing": None, "deep": [{"a": [True]}]}],
    ["add", "best", 10**30],
    ["add", "last", ""],
]


def expected(**fields: Any) -> dict[str, Any]:
    return {
        "seen": {"x", "y"},
        "mood": Mood.CROSS,
        "spans": [(1, 2), (3, 4)],
        "points": {"p": Point(1, (2, 3))},
        "found": {"text": "ä\u2028\x00", "number": 1e300, "nothing": None, "deep": [{"a": [True]}]},
        "best": 10**30,
        "last": "",
        **fields,
    }


@pytest.mark.parametrize("hops", [1, 3])
async def test_values_come_back_as_they_are_declared(runtime: Runtime, hops: int) -> None:
    flow = scripted if hops == 1 else three_hops
    begin = board(Job("a", [ADDS, [], []]))
    result = await flow.run(begin, runtime=runtime)
    held: dict[str, Any] = {name: value for name, value in result.state.items() if name in expected()}
    assert held == expected()
    assert type(result.state["spans"][0]) is tuple
    assert type(result.state["seen"]) is set
    assert type(result.state["points"]["p"].y) is tuple
    state: Any = result.state
    assert type(state) is dict


@pytest.mark.parametrize("schema", [Sheet, Form])
@pytest.mark.parametrize("is_mapping", [True, False])
async def test_a_state_that_is_no_dict_comes_back_as_one_of_its_kind(
    runtime: Runtime, schema: Any, is_mapping: bool
) -> None:
    flow: Any = on_sheet if schema is Sheet else on_form
    fields = {"jobs": [job("a", *ADDS), job("b", ["see", "plan"])], "plan": {"deep": [1]}, "seen": {"z"}}
    result = await flow.run(fields if is_mapping else schema(**fields), runtime=runtime)
    assert type(result.state) is schema
    assert result.state == schema(**{**fields, **expected(seen={"x", "y", "z"}), "notes": ["b sees {'deep': [1]}"]})


async def test_branches_get_the_state_as_it_is_declared(runtime: Runtime) -> None:
    begin = board(
        *[job(name, ["see", name]) for name in ("seen", "mood", "spans", "points", "rules")],
        seen={"x"},
        mood=Mood.CALM,
        spans=[(1, 2)],
        points={"p": Point(1, (2,))},
        rules={"a": [1]},
    )
    result = await scripted.run(begin, runtime=runtime)
    assert result.state["notes"] == [
        "seen sees ['x']",
        "mood sees Mood.CALM",
        "spans sees [(1, 2)]",
        "points sees {'p': Point(x=1, y=(2,))}",
        "rules sees {'a': [1]}",
    ]


async def test_values_of_a_flow_inside_of_a_branch_come_back_as_they_are_declared(runtime: Runtime) -> None:
    result = await scripted.run(board(job("a", ["nest", [["x", *ADDS]]])), runtime=runtime)
    held: dict[str, Any] = {name: value for name, value in result.state.items() if name in expected()}
    assert held == expected()


@pytest.mark.parametrize("number", [0, 1, 7])
async def test_each_update_is_folded_once(runtime: Runtime, number: int) -> None:
    inner = [[str(each), ["add", "count", 1], ["add", "notes", ["in"]]] for each in range(number)]
    jobs = [job(str(each), ["nest", inner], ["add", "count", 100]) for each in range(number)]
    result = await stepped.run(board(*jobs, count=5, notes=["old"]), limit=3, runtime=runtime)
    assert result.state["count"] == 5 + number * (100 + number)
    assert result.state["notes"] == ["old", "begun", *["in"] * number * number]


async def test_fields_that_nobody_writes_stay_as_they_were(runtime: Runtime) -> None:
    begin = board(job("a", ["add", "count", 1]), plan={"a": [1]}, mood=Mood.CALM, answer="yes")
    result = await scripted.run(begin, runtime=runtime)
    held: dict[str, Any] = {name: value for name, value in result.state.items() if name in begin}
    assert held == dict(begin)
