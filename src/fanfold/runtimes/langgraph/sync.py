"""Async code for callers that aren't: an event loop of their own, in another thread where one runs in theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Final, TypeAlias, TypeVar

T = TypeVar("T")
Run: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]

ENDED: Final = object()


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns."""
    with _loop() as run:
        return run(coroutine)  # type: ignore[no-any-return]


def stepwise(chunks: AsyncGenerator[T, None]) -> Iterator[T]:
    """What the asynchronous generator yields; it rests while nobody asks for more."""
    with _loop() as run:
        try:
            while (chunk := run(_next(chunks))) is not ENDED:
                yield chunk
        finally:
            run(chunks.aclose())


async def _next(chunks: AsyncGenerator[T, None]) -> T | object:
    return await anext(chunks, ENDED)


@contextmanager
def _loop() -> Iterator[Run]:
    """What runs coroutines one after another on one event loop, with the caller's context variables."""
    context = copy_context()
    if not _is_async_here():
        with asyncio.Runner() as runner:
            yield lambda coroutine: runner.run(coroutine, context=context)
        return
    with ThreadPoolExecutor(1, "fanfold-langgraph") as thread:
        runner = asyncio.Runner()
        try:
            yield lambda coroutine: thread.submit(runner.run, coroutine, context=context).result()
        finally:
            thread.submit(runner.close).result()


def _is_async_here() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
