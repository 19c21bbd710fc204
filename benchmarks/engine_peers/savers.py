"""LangGraph's SQLite saver, and what databases take on disk."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


@asynccontextmanager
async def opened_saver(folder: Path, synchronous: str) -> AsyncIterator[Any]:
    """LangGraph's SQLite saver over a database in this folder."""
    savers = importlib.import_module("langgraph.checkpoint.sqlite.aio")
    async with savers.AsyncSqliteSaver.from_conn_string(str(folder / "saver.db")) as saver:
        await saver.setup()
        await saver.conn.execute(f"PRAGMA synchronous={synchronous}")
        yield saver


def bytes_in(folder: Path) -> float:
    """What the databases in this folder take once what is in their write-ahead logs is in them."""
    for path in folder.glob("*.db"):
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return float(sum(path.stat().st_size for path in folder.glob("*.db*")))
