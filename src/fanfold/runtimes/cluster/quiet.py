"""Dask's settings for the processes that a cluster runtime starts itself: no web pages, no profiler, few ticks."""

from __future__ import annotations

from typing import Any

QUIET: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.limit": "1h",
    "distributed.admin.tick.interval": "10s",  # at Dask's own 20 ms, most of what an idle process takes
}
