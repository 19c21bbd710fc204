"""Reading Python source in threads."""

from __future__ import annotations

import ast
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from fanfold.syntax import parse, parse_expression


class Litter:
    """Garbage whose collection runs Python, so that threads change while one of them reads."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.fixture
def _restless() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_restless")
def test_threads_read_at_the_same_time() -> None:
    source = "def f(a):\n    return [(a, [a, {a: (a,)}])]\n" * 150
    trees: list[ast.Module] = []

    def read(depth: int) -> None:
        if depth:
            return read(depth - 1)
        for _ in range(10):
            for _ in range(200):
                Litter()
            trees.append(parse(source))
        return None

    threads = [threading.Thread(target=read, args=(depth * 7,)) for depth in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(trees) == 40


def test_what_python_would_warn_of_goes_unsaid() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse('"\\d"')
        parse_expression('"\\d"')


def test_an_expression_is_read_as_one() -> None:
    assert isinstance(parse_expression("a.b"), ast.Attribute)


def test_what_is_no_python_is_an_error() -> None:
    with pytest.raises(SyntaxError):
        parse("def")
