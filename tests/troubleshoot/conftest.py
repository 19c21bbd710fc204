from __future__ import annotations

from collections.abc import Callable

import pytest

from fanfold.runtimes import Native, Runtime
from fanfold.testing.sources import CannedSource, four_sources


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
