from __future__ import annotations

import functools
import subprocess
import sys

import pytest

from fanfold.engine.wrapper import matcher, name_of


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


@pytest.mark.parametrize("module", ["deadline", "retry", "rate_limit", "adaptive", "breaker", "tracing", "logs"])
def test_what_a_wrapper_runs_on_is_imported_only_when_it_is_used(module: str) -> None:
    heavy = ["tenacity", "opentelemetry", "structlog", "httpx", "sqlite3"]
    code = f"import sys, fanfold.engine.{module}; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
