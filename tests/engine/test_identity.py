from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

import pytest

from fanfold.engine.deadline import deadline
from fanfold.engine.identity import are_one, named
from fanfold.engine.retry import retry
from fanfold.errors import FanfoldError


class Base:
    async def ask(self) -> str:
        return "base"


class Derived(Base):
    async def ask(self) -> str:
        return await super().ask()


async def ask(question: str) -> str:
    return question


def shouting(function: Callable[[str], Awaitable[str]], mark: str) -> Callable[[str], Awaitable[str]]:
    @functools.wraps(function)
    async def shout(question: str) -> str:
        return await function(question) + mark

    return shout


def test_what_decorators_stand_before_is_named() -> None:
    assert named(shouting(retry(2)(ask), "!"), FanfoldError, hint="") is ask


def test_a_function_of_a_class_is_no_closure_for_using_super() -> None:
    assert named(Derived.ask, FanfoldError, hint="").__qualname__ == "Derived.ask"


@pytest.mark.parametrize("function", [Derived().ask, functools.partial(ask, "why?"), Derived, print])
def test_what_is_no_function_of_its_own_has_no_name(function: Callable[..., object]) -> None:
    with pytest.raises(FanfoldError, match="has no name that says what it does") as caught:
        named(function, FanfoldError, hint="name it")
    assert caught.value.hint == "name it"


def test_wrappers_of_ours_make_no_other_function_and_those_of_others_do() -> None:
    assert are_one(ask, retry(2)(deadline(5)(ask)))
    loud = shouting(ask, "!")
    assert are_one(loud, retry(2)(loud))
    assert not are_one(loud, shouting(ask, "?"))
    assert not are_one(loud, ask)
