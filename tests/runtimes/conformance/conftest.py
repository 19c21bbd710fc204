"""One promise, one test, on every runtime: `runtime` is each of them in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from fanfold.runtimes import Native, Runtime

Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[Runtime]]


@asynccontextmanager
async def _native() -> AsyncIterator[Runtime]:
    yield Native()


@asynccontextmanager
async def _langgraph() -> AsyncIterator[Runtime]:
    from fanfold.runtimes import LangGraph

    yield LangGraph()


RUNTIMES: dict[str, Opened] = {"native": _native, "langgraph": _langgraph}


@pytest.fixture(params=RUNTIMES)
def opened(request: pytest.FixtureRequest) -> Opened:
    """Opens a runtime on the event loop that it is to run on."""
    return RUNTIMES[request.param]


@pytest.fixture
async def runtime(opened: Opened) -> AsyncIterator[Runtime]:
    """A runtime, ready to run."""
    async with opened() as runtime:
        yield runtime


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Where branches write what they do, whichever process they are in."""
    return str(tmp_path / "log")
