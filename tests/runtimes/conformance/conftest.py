"""One promise, one test, on every runtime: `runtime` is each of them in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.runtimes import Native, Runtime

RUNTIMES = ["native"]


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> Runtime:  # noqa: ARG001
    """A runtime, ready to run."""
    return Native()


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Where branches write what they do, whichever process they are in."""
    return str(tmp_path / "log")
