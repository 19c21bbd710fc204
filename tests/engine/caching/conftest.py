from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fanfold.engine.caching import MemoryStore, SqliteStore, Store


@pytest.fixture(params=["memory", "file"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    async with SqliteStore(tmp_path / "cache.db") as opened:
        yield opened
