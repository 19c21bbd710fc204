"""Compute beside the event loop, which answers others meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns, computed on a thread; it sees the context variables of the caller.

    Who is cancelled meanwhile goes at once, and what the thread comes to is dropped.
    """
    return await asyncio.to_thread(work, *args, **kwargs)
