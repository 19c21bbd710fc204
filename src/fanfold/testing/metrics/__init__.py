"""Prometheus for tests: a fake one over series that are data, and a real one where the program is there.

    async with FakePrometheus([Series(name="up", usual=1, value=0, since=...)]) as server:
        ... server.url, server.requests ...

Starlette and uvicorn are imported with the server only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fanfold.testing.scenarios import Series

if TYPE_CHECKING:
    from fanfold.testing.metrics.real import RealPrometheus
    from fanfold.testing.metrics.server import FakePrometheus

__all__ = ["FakePrometheus", "RealPrometheus", "Series"]

_HOMES = {"FakePrometheus": "server", "RealPrometheus": "real"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'fanfold.testing.metrics' has no attribute {name!r}")
    return getattr(importlib.import_module(f"fanfold.testing.metrics.{_HOMES[name]}"), name)
