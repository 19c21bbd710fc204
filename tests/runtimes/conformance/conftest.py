"""One promise, one test, on every runtime: `runtime` is each of them in turn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from fanfold.runtimes import Cluster, LangGraph, Native, Runtime

Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[Runtime]]


@asynccontextmanager
async def _native() -> AsyncIterator[Runtime]:
    yield Native()


@asynccontextmanager
async def _langgraph() -> AsyncIterator[Runtime]:
    yield LangGraph()


HOST = """
import asyncio, sys
from fanfold.runtimes import Cluster

async def main():
    async with Cluster(workers=2) as cluster:
        print(cluster.address, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def cluster_address() -> Iterator[str]:
    """A cluster of two worker processes, in a process of its own: it takes seconds to start."""
    with subprocess.Popen([sys.executable, "-c", HOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        yield host.stdout.readline().decode().strip()
        host.stdin.close()


@pytest.fixture(params=["native", "langgraph", "cluster"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Opens a runtime on the event loop that it is to run on."""
    if request.param == "cluster":
        address: str = request.getfixturevalue("cluster_address")
        # As many branches at once as tests ask for, and not as many as a worker has threads.
        return lambda: Cluster(address, capacity=64)
    return {"native": _native, "langgraph": _langgraph}[request.param]


@pytest.fixture
async def runtime(opened: Opened) -> AsyncIterator[Runtime]:
    """A runtime, ready to run."""
    async with opened() as runtime:
        yield runtime


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Where branches write what they do, whichever process they are in."""
    return str(tmp_path / "log")
