"""What goes wrong with a request: told by its path, at random where wanted, the same each time for one seed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to requests that it is for; all that is given happens together.

    Attributes:
        on: a part of "GET /twsd/api/v2/plan/job"; "" = any request.
        latency_s: seconds before the answer; a pair = chosen evenly between the two.
        status: answered instead of what was asked for.
        body: what is answered with that status.
        retry_after_s: what an answer with that status asks clients to wait.
        reset: the connection breaks in the middle of the body.
        cut_bytes: the body ends after so many bytes, as if that were all of it.
        share: of the requests that it is for, from 0 to 1.
        times: only so many of the first requests; None = all of them.
    """

    on: str = ""
    latency_s: float | tuple[float, float] = 0.0
    status: int | None = None
    body: str = '{"messages": ["made to fail"]}'
    retry_after_s: int | None = None
    reset: bool = False
    cut_bytes: int | None = None
    share: float = 1.0
    times: int | None = None


@dataclass
class Faults:
    """Decides which faults a request has.

    Args:
        faults: tried one after another; more than one may be for a request.
        seed: of the chances.
    """

    faults: tuple[Fault, ...]
    seed: int = 0
    _left: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 chances of faults
        self._left = {index: fault.times for index, fault in enumerate(self.faults) if fault.times is not None}

    def of(self, request: str) -> list[Fault]:
        """The faults of a request such as "GET /twsd/engine/info"."""
        return [fault for index, fault in enumerate(self.faults) if fault.on in request and self._hits(index, fault)]

    def latency_s(self, faults: Iterable[Fault]) -> float:
        """How long these make an answer take."""
        return sum(
            self._random.uniform(*fault.latency_s) if isinstance(fault.latency_s, tuple) else fault.latency_s
            for fault in faults
        )

    def _hits(self, index: int, fault: Fault) -> bool:
        if index in self._left and not self._left[index]:
            return False
        if fault.share < 1 and self._random.random() >= fault.share:
            return False
        if index in self._left:
            self._left[index] -= 1
        return True


def with_faults(app: App, faults: Faults) -> App:
    """The same application, with these faults."""

    async def faulty(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        chosen = faults.of(f"{scope['method']} {scope['path']}")
        await asyncio.sleep(faults.latency_s(chosen))
        failing = next((fault for fault in chosen if fault.status is not None), None)
        sending = _breaking(send) if any(fault.reset for fault in chosen) else send
        for cut_bytes in (fault.cut_bytes for fault in chosen if fault.cut_bytes is not None):
            sending = _cutting(sending, cut_bytes)
        if failing is None:
            await app(scope, receive, sending)
        else:
            await _answer(failing, sending)

    return faulty


async def _answer(fault: Fault, send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    if fault.retry_after_s is not None:
        headers.append((b"retry-after", str(fault.retry_after_s).encode()))
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": fault.body.encode()})


def _breaking(send: Send) -> Send:
    """Sends the beginning of the body and nothing more: the server closes what isn't complete."""
    broken = False

    async def sending(message: Message) -> None:
        nonlocal broken
        if broken:
            return
        if message["type"] != "http.response.body":
            await send(message)
            return
        broken = True
        body = bytes(message.get("body", b""))
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

    return sending


def _cutting(send: Send, left: int) -> Send:
    """Sends the first bytes of the body and says that they are all."""

    async def sending(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            headers = [(name, value) for name, value in message["headers"] if name.lower() != b"content-length"]
            await send({**message, "headers": headers})
            return
        body = bytes(message.get("body", b""))[:left]
        left -= len(body)
        await send({**message, "body": body})

    return sending
