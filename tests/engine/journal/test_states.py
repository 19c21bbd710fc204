from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fanfold.engine.content import content_hash
from fanfold.engine.isolate import freeze
from fanfold.engine.journal import states
from fanfold.engine.journal.states import MOST_KNOWN, States, item_hash


@dataclass
class Corpus:
    documents: dict[str, dict[str, Any]]
    number: int = 3


class Settings(BaseModel):
    names: list[str]
    corpus: dict[str, dict[str, Any]]


DOCUMENTS = {f"d{number}": {"text": "x", "tags": ["a", number]} for number in range(10)}
VALUES: list[Any] = [
    {"documents": DOCUMENTS},
    {"a": 1, "b": 2.5},
    [1, 2, 3],
    [[1], {"a": {1, 2}}],
    {1, 2, 3},
    (1, [2]),
    "text",
    Corpus(DOCUMENTS),
    Settings(names=["a", "b"], corpus=DOCUMENTS),
    [Corpus(DOCUMENTS), Corpus({})],
    OrderedDict(b=[1], a=[2]),
    {"held": OrderedDict(b=[1], a=[2])},
]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What has been hashed."""
    values: list[object] = []

    def counted(value: object) -> str:
        values.append(value)
        return content_hash(value)

    monkeypatch.setattr(states, "content_hash", counted)
    return values


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_hash_by_snapshot_is_the_hash_of_the_value(value: Any) -> None:
    view = freeze(value).view()
    assert item_hash(view) == States(set()).of(view).hash == content_hash(value)


def test_a_view_that_was_hashed_is_untouched() -> None:
    view = freeze({"documents": DOCUMENTS}).view()
    before = type(view)
    assert before is not dict
    item_hash(view)
    assert type(view) is before


@pytest.mark.parametrize("value", VALUES[:-2], ids=lambda value: type(value).__name__)
def test_a_state_is_hashed_once_for_all_its_views(value: Any, hashed: list[object]) -> None:
    base, known = freeze(value), States(set())
    assert len({known.of(base.view()).hash for _ in range(20)}) == 1
    assert len(hashed) == 1


def test_a_view_that_was_changed_is_another_state() -> None:
    base, known = freeze(Corpus(DOCUMENTS)), States(set())
    first = known.of(base.view())
    changed = base.view()
    changed.documents["d3"]["tags"].append("b")
    assert known.of(changed).hash == content_hash(changed) != first.hash
    other = base.view()
    other.number = 4
    assert known.of(other).hash == content_hash(other) not in (first.hash, known.of(changed).hash)
    assert known.of(base.view()) is first


@given(st.lists(st.dictionaries(st.sampled_from("ab"), st.sampled_from([0, 0.0, False, "0", None])), min_size=2))
def test_states_are_never_taken_for_each_other(values: list[dict[str, Any]]) -> None:
    known = States(set())
    bases = [freeze(value) for value in values]
    for _ in range(2):
        for base, value in zip(bases, values, strict=True):
            assert known.of(base.view()).hash == content_hash(value)


def test_many_states_that_take_turns_are_all_known(hashed: list[object]) -> None:
    bases, known = [freeze({"n": number, "part": [1, number]}) for number in range(MOST_KNOWN)], States(set())
    for _ in range(3):
        for base in bases:
            known.of(base.view())
    assert len(hashed) == MOST_KNOWN


def test_the_json_of_a_state_is_made_where_the_journal_lacks_it() -> None:
    state = {"a": [1, {"b": float("inf")}], "raw": b"\xff"}
    text = States(set()).of(freeze(state).view()).text
    assert text is not None
    assert json.loads(text) == {"a": [1, {"b": "Infinity"}], "raw": "_w=="}
    assert States({content_hash(state)}).of(state).text is None


@pytest.mark.parametrize(
    "value", [{"names": ["b\udce9ta.py"]}, {"b\udce9ta.py": {1}}, ["b\udce9ta.py", Corpus(DOCUMENTS)]]
)
def test_state_with_the_name_of_a_file_that_is_no_text_can_be_stored(value: object) -> None:
    text = States(set()).of(value).text
    assert text is not None
    assert text.isascii()
    assert "b\\udce9ta.py" in text
    json.loads(text)
