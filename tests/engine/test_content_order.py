"""Dicts keep their order on the way through JSON, those of a TypedDict too."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from fanfold.engine import Codec, ContentError


class Pair(TypedDict, total=False):
    a: int
    b: int
    more: dict[int, list[Pair]]


@dataclass(frozen=True)
class Held:
    pair: Pair


class Named(NamedTuple):
    pair: Pair


class Model(pydantic.BaseModel):
    pair: Pair


TURNED: Any = {"b": 1, "a": 2}


def back(of: Any, value: Any) -> Any:
    codec: Codec[Any] = Codec(of)
    return codec.decode(codec.encode(value))


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (Pair, TURNED),
        (list[Pair], [TURNED]),
        (tuple[int, Pair], (1, TURNED)),
        (dict[int, Pair], {2: TURNED, 1: {"a": 1, "b": 2}}),
        (Pair | None, TURNED),
        (Held, Held(TURNED)),
        (Named, Named(TURNED)),
        (Model, Model.model_construct(pair=TURNED)),
        (OrderedDict[str, Pair], OrderedDict(z=TURNED, a=TURNED)),
        (Pair, {"more": {3: [TURNED], 1: []}, **TURNED}),
        (dict[str, Held | int], {"z": 1, "a": Held(TURNED)}),
    ],
)
def test_keys_come_back_in_the_order_that_they_had(of: Any, value: Any) -> None:
    got = back(of, value)
    assert got == value
    assert repr(got) == repr(value)


def turned(names: list[str]) -> st.SearchStrategy[Any]:
    return st.tuples(*[fields[name] for name in names]).map(lambda values: dict(zip(names, values, strict=True)))


pairs: Any = st.deferred(lambda: st.permutations(["a", "b", "more"]).flatmap(turned))
fields: dict[str, Any] = {
    "a": st.integers(),
    "b": st.integers(),
    "more": st.dictionaries(st.integers(), st.lists(pairs, max_size=2), max_size=2),
}


@given(st.lists(pairs, max_size=2))
def test_any_order_comes_back(value: Any) -> None:
    assert repr(back(list[Pair], value)) == repr(value)


def test_what_is_no_pair_is_refused_as_before() -> None:
    with pytest.raises(ContentError):
        Codec(Pair).decode('{"a": "text"}')
