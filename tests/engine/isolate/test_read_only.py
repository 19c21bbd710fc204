"""Fields that branches only read cost nothing, and stay as they are."""

from __future__ import annotations

import copy
import pickle
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import pytest
import typing_extensions
from pydantic import BaseModel

from fanfold.engine.isolate import FrozenError, detach, freeze, read_only

if TYPE_CHECKING:
    from somewhere import Unknown  # type: ignore[import-not-found]

Rules = Annotated[list[Any], read_only]


@dataclass
class Part:
    items: list[int]


@dataclass
class State:
    rules: Annotated[list[Any], read_only]
    work: list[Any]


@dataclass(slots=True)
class Slim:
    rules: Rules
    work: list[Any]


class Model(BaseModel):
    rules: Rules
    work: list[Any]


@dataclass
class Unresolved:
    rules: Annotated[Unknown, read_only]
    other: Unknown
    work: list[Any] = field(default_factory=list)


class Inner(TypedDict):
    fixed: typing_extensions.ReadOnly[list[int]]
    free: list[int]


class Typed(TypedDict, total=False):
    rules: Rules
    work: typing_extensions.Required[list[Any]]
    marked: typing_extensions.ReadOnly[dict[str, Any]]
    inner: Inner


@dataclass
class Holder:
    inner: Inner


@pytest.mark.parametrize("make", [State, Slim, lambda rules, work: Model(rules=rules, work=work)])
def test_a_read_only_field_is_the_base_itself(make: Any) -> None:
    base = freeze(make([{"deep": [1]}, Part([1])], [[1]]))
    one, other = base.view(), base.view()
    assert one.rules is other.rules
    assert one.rules == [{"deep": [1]}, Part([1])]
    for change in (
        lambda: one.rules.append(1),
        lambda: one.rules[0].update(a=1),
        lambda: one.rules[0]["deep"].append(1),
        lambda: one.rules[1].items.append(1),
        lambda: setattr(one.rules[1], "items", 1),
    ):
        with pytest.raises(FrozenError):
            change()
    one.work[0].append(2)
    assert other.work == [[1]]


@pytest.mark.parametrize("value", [{"a": [1]}, [[1]], {1}, ([1],), Part([1]), [1], {"a": 1}])
def test_a_read_only_field_may_hold_any_data(value: Any) -> None:
    base = freeze(State(value, []))
    view = base.view()
    assert view.rules == value
    assert view.rules is base.view().rules
    assert isinstance(view.rules, type(value))
    assert detach(view) == State(value, [])
    assert type(detach(view).rules) is type(value)
    ways: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
    for copied in ways:
        assert copied(view.rules) == value
        assert type(copied(view.rules)) is type(value)
    nested = freeze(view).view()
    assert nested == State(value, [])
    assert nested.rules is view.rules


def test_a_read_only_field_may_lead_back() -> None:
    owner: Any = {"n": [1]}
    owner["part"] = State(owner, [owner])
    base = freeze(owner)
    view = base.view()
    assert view["part"].rules["part"].rules["n"] == [1]
    for change in (view["part"].rules["n"].append, view["part"].rules["part"].work.append):
        with pytest.raises(FrozenError):
            change(2)
    view["part"].work[0]["n"].append(2)
    assert (owner["n"], base.view()["n"], view["n"]) == ([1], [1], [1, 2])


def test_what_has_to_be_copied_is_copied_in_a_read_only_field_too() -> None:
    base = freeze(State([deque([1])], []))
    view = base.view()
    view.rules[0].append(2)
    assert base.view().rules == [deque([1])]


def test_a_field_whose_type_is_not_imported_may_be_read_only() -> None:
    base = freeze(Unresolved([1], [2]))
    view = base.view()
    view.other.append(3)
    with pytest.raises(FrozenError):
        view.rules.append(3)
    assert base.view() == Unresolved([1], [2])


AS_TEXT = "" if sys.version_info >= (3, 14) else "from __future__ import annotations\n"
UNEVALUATED = """
@dataclass
class Unevaluated:
    rules: Annotated[Unknown, read_only]
    other: Annotated[list[Unknown], 1]
"""


def test_a_field_whose_annotation_python_has_not_evaluated_may_be_read_only() -> None:
    names = dict(globals())
    exec(compile(AS_TEXT + UNEVALUATED, "unevaluated", "exec", dont_inherit=True), names)
    view = freeze(names["Unevaluated"]([1], [2])).view()
    view.other.append(3)
    with pytest.raises(FrozenError):
        view.rules.append(3)


def test_a_typed_dict_has_read_only_fields() -> None:
    value: Typed = {"rules": [[1]], "work": [[1]], "marked": {"a": [1]}, "inner": {"fixed": [1], "free": [1]}}
    base = freeze(value, as_type=Typed)
    view = base.view()
    assert view == value
    assert view["rules"] is base.view()["rules"]
    for part in (view["rules"], view["marked"]["a"], view["inner"]["fixed"]):
        with pytest.raises(FrozenError):
            part.append(2)
    view["work"].append(2)
    view["inner"]["free"].append(2)
    assert base.view() == value


def test_a_field_may_be_a_typed_dict() -> None:
    base = freeze([Holder({"fixed": [1], "free": [1]})])
    view = base.view()
    with pytest.raises(FrozenError):
        view[0].inner["fixed"].append(2)
    view[0].inner["free"].append(2)
    assert base.view() == [Holder({"fixed": [1], "free": [1]})]


def test_a_view_of_a_typed_dict_keeps_its_read_only_fields() -> None:
    value: Typed = {"rules": [1], "work": [[1]]}
    view = freeze(value, as_type=Typed).view()
    view["work"].append(2)
    again = freeze(view, as_type=Typed).view()
    assert again["rules"] is view["rules"]
    loose = freeze(value).view()
    fixed = freeze(loose, as_type=Typed).view()
    with pytest.raises(FrozenError):
        fixed["rules"].append(1)
    loose["rules"].append(1)
    assert loose["rules"] == [1, 1]
    assert repr(value) == "{'rules': [1], 'work': [[1]]}"


def test_an_optional_typed_field_may_be_missing() -> None:
    value: Any = {"work": [], "inner": None}
    assert freeze(value, as_type=Typed).view() == value
    assert freeze(None, as_type=Typed).view() is None
