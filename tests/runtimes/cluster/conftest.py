"""One cluster for all tests that leave it as it is, and folders for what branches leave."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fanfold.runtimes import Cluster

HERE = str(Path(__file__).parent)


@pytest.fixture(scope="session", autouse=True)
def _importable() -> Iterator[None]:
    """Workers that are started here import what this process can."""
    sys.path.insert(0, HERE)
    yield
    sys.path.remove(HERE)


@pytest.fixture(scope="session")
def far(_importable: None) -> ModuleType:
    """The flows."""
    import farflows  # type: ignore[import-not-found] # it is on the path now

    module: ModuleType = farflows
    return module


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that comes or goes is noticed soon."""
    monkeypatch.setattr("fanfold.runtimes.cluster.board.LOOK_S", 0.05)
    monkeypatch.setattr("fanfold.runtimes.cluster.connect.AGAIN_S", 0.2)


@pytest.fixture(scope="session")
def cluster(_importable: None) -> Iterator[Cluster]:
    """Two workers, for the whole session."""
    with Cluster(workers=2) as cluster:
        yield cluster


@pytest.fixture
def begin(tmp_path: Path) -> Any:
    """Makes a state to begin with."""

    def make(*names: str, **fields: Any) -> dict[str, Any]:
        return {"names": [*names], "folder": str(tmp_path), **fields}

    return make
