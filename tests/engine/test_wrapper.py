from __future__ import annotations

import functools
import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, assert_type

import pytest
from opentelemetry.trace import NoOpTracer

from fanfold.engine.adaptive import AdaptiveLimit, adaptive
from fanfold.engine.breaker import Circuit, breaker
from fanfold.engine.caching import cache
from fanfold.engine.deadline import deadline
from fanfold.engine.rate_limit import rate_limit
from fanfold.engine.rate_limiter import RateLimiter
from fanfold.engine.retry import retry
from fanfold.engine.tracing import traced
from fanfold.engine.wrapper import matcher, name_of, text_of
from fanfold.testing.clock import virtual_time


class Client:
    async def ask(self, question: str) -> str:
        return question

    async def __call__(self, question: str) -> str:
        return question


def test_a_function_is_called_by_its_qualified_name_through_partials_and_callable_objects() -> None:
    client = Client()
    assert name_of(client.ask) == "Client.ask"
    assert name_of(functools.partial(client.ask, "why?")) == "Client.ask"
    assert name_of(client) == "Client"
    assert name_of(functools.partial(client, "why?")) == "Client"


def test_errors_are_matched_by_type_by_types_and_by_function() -> None:
    assert matcher(LookupError)(KeyError("a"))
    assert not matcher(LookupError)(ValueError("a"))
    assert matcher((LookupError, OSError))(FileNotFoundError("a"))
    assert not matcher((LookupError, OSError))(ValueError("a"))
    assert matcher(lambda error: "busy" in str(error))(ValueError("busy"))
    assert not matcher(lambda error: "busy" in str(error))(ValueError("idle"))


def test_an_error_reads_as_type_and_message_even_if_its_message_fails() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise LookupError

    assert text_of(KeyError("a")) == "KeyError: 'a'"
    assert text_of(Broken()) == "Broken: (its message can't be rendered)"


@virtual_time
async def test_every_wrapper_keeps_name_parameters_and_result() -> None:
    """The types are checked by mypy, and by it alone."""

    async def repeat(word: str, *, times: int = 1) -> list[str]:
        """Say it again."""
        return [word] * times

    limit = AdaptiveLimit(highest=2)
    wrappers = [
        deadline(1), retry(2), rate_limit(RateLimiter()), adaptive(limit), breaker(Circuit()), traced(NoOpTracer()),
    ]  # fmt: skip
    for wrap in wrappers:
        wrapped = wrap(repeat)
        assert_type(await wrapped("a", times=2), list[str])
        wrapped("a", time=2) if TYPE_CHECKING else None  # type: ignore[call-arg]
        assert await wrapped("a", times=2) == ["a", "a"]
        assert inspect.iscoroutinefunction(wrapped)
        assert inspect.signature(wrapped) == inspect.signature(repeat)
        assert (wrapped.__name__, wrapped.__doc__) == ("repeat", "Say it again.")


@pytest.mark.parametrize("module", ["deadline", "retry", "rate_limit", "adaptive", "breaker", "tracing", "logs"])
def test_what_a_wrapper_runs_on_is_imported_only_when_it_is_used(module: str) -> None:
    heavy = ["tenacity", "opentelemetry", "structlog", "httpx", "sqlite3"]
    code = f"import sys, fanfold.engine.{module}; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("wrapper", "usage"),
    [
        (retry, "@retry()"),
        (deadline, "@deadline(5)"),
        (rate_limit, "@rate_limit(limiter)"),
        (adaptive, "@adaptive(limit)"),
        (breaker, "@breaker(circuit)"),
        (traced, "@traced()"),
        (cache, "@cache(store)"),
    ],
)
def test_a_wrapper_without_brackets_says_how_it_is_written(wrapper: Callable[[Any], Any], usage: str) -> None:
    with pytest.raises(TypeError) as caught:
        wrapper(Client.ask)
    assert str(caught.value) == f"Client.ask was given where settings belong: write {usage}"
