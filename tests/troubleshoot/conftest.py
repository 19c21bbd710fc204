from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fanfold.runtimes import Native, Runtime
from fanfold.testing import clock
from fanfold.testing.sources import CannedSource, four_sources


@pytest.fixture(autouse=True)
def no_thread_on_virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time knows no threads: what is computed apart is computed at once there, and on a thread elsewhere."""
    of_asyncio = asyncio.to_thread

    async def to_thread(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        is_virtual = type(asyncio.get_running_loop()).__module__ == clock.__name__
        return work(*args, **kwargs) if is_virtual else await of_asyncio(work, *args, **kwargs)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)


@pytest.fixture
def sources() -> dict[str, CannedSource]:
    """The four of them, all well; tests replace some."""
    return four_sources()


def _langgraph() -> Runtime:
    from fanfold.runtimes.langgraph import LangGraph

    return LangGraph()


@pytest.fixture(params=[Native, _langgraph], ids=["native", "langgraph"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    make: Callable[[], Runtime] = request.param
    return make()
