from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on

from fanfold.engine.content import ContentError
from fanfold.nodes import GraphState, RunContext, StateTypeError


class Colour(Enum):
    RED = "red"


class Model(BaseModel):
    when: datetime = datetime(2025, 10, 21, tzinfo=UTC)
    pair: tuple[int, str] = (1, "a")
    colour: Colour = Colour.RED
    nested: dict[int, set[str]] = {1: {"x"}}


@dataclass
class Data:
    items: list[Model] = field(default_factory=lambda: [Model()])


class Typed(TypedDict):
    pair: tuple[int, int]


@pytest.mark.parametrize(
    "state", [Model(), Data(), {"plain": [1, None, {"a": 2.5}]}], ids=["model", "dataclass", "dict"]
)
def test_a_context_comes_back_equal_from_json(state: Any) -> None:
    ctx = RunContext(state, "id", "ada", {"budget": 3}, [{"node": "a", "signature": None}])
    text = GraphState.from_context(ctx).model_dump_json()
    json.loads(text)
    back: RunContext[Any] = GraphState.model_validate_json(text).to_context()
    assert back == ctx
    assert type(back.state) is type(state)


def test_the_documents_fields_are_what_is_stored() -> None:
    stored = GraphState.from_context(RunContext(Model(), "id", "ada"))
    assert set(stored.model_dump()) == {
        "execution_id", "state_snapshot", "state_type", "provenance", "metadata", "user_id", "created_at", "updated_at",
    }  # fmt: skip
    assert stored.state_type.endswith("test_persistence.Model")
    assert stored.state_snapshot["pair"] == [1, "a"]
    assert datetime.fromisoformat(stored.created_at).tzinfo is not None


def test_a_context_that_is_read_shares_nothing_with_what_was_stored() -> None:
    ctx = RunContext({"items": [1]}, metadata={"a": [1]}, provenance=[{"node": "a"}])
    stored = GraphState.from_context(ctx)
    for one in (stored.to_context(), ctx):
        one.state["items"].append(2)
        one.metadata["a"].append(2)
        one.provenance[0]["node"] = "b"
    assert stored.to_context() == RunContext(
        {"items": [1]}, ctx.execution_id, metadata={"a": [1]}, provenance=[{"node": "a"}]
    )


def test_what_was_stored_before_keeps_its_beginning() -> None:
    ctx: RunContext[Any] = RunContext({})
    first = GraphState.from_context(ctx)
    second = GraphState.from_context(ctx, before=first)
    assert second.created_at == first.created_at
    assert second.updated_at >= first.updated_at


def test_a_typed_dict_comes_back_through_its_type() -> None:
    stored = GraphState.from_context(RunContext({"pair": [1, 2]}))
    assert stored.to_context(Typed).state == {"pair": (1, 2)}


@pytest.mark.parametrize(
    ("ctx", "said"),
    [
        (RunContext({"a": {"lock": threading.Lock()}}), "the state can't be stored.*lock"),
        (RunContext({"a": (1, 2)}), "the state can't be stored.*'a'"),
        (RunContext({}, metadata={"when": {1, 2}}), "the metadata can't be stored.*when"),
        (RunContext({}, provenance=[{"score": float("nan")}]), "the provenance can't be stored.*score"),
    ],
)
def test_what_would_not_come_back_is_refused_with_its_place(ctx: RunContext[Any], said: str) -> None:
    with pytest.raises(ContentError, match=said):
        GraphState.from_context(ctx)


@pytest.mark.parametrize(
    "name", ["nobody.knows.This", "json.dumps", "os.environ", "builtins.int", "subprocess.Popen", "x"]
)
def test_a_stored_name_imports_nothing_and_makes_nothing_but_a_state(name: str) -> None:
    stored = GraphState(execution_id="id", state_snapshot={}, state_type=name)
    with pytest.raises(StateTypeError, match=name):
        stored.to_context()


def test_a_snapshot_that_is_no_such_state_is_refused() -> None:
    stored = GraphState.from_context(RunContext(Model()))
    stored.state_snapshot["colour"] = "blue"
    with pytest.raises(ContentError, match="colour"):
        stored.to_context()


def test_a_state_class_of_a_function_must_be_given() -> None:
    class Local(BaseModel):
        a: int = 1

    stored = GraphState.from_context(RunContext(Local()))
    with pytest.raises(StateTypeError):
        stored.to_context()
    assert stored.to_context(Local).state == Local()
