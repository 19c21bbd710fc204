"""Messages of the protocol to and from a program, a line of JSON each, within bounds."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fanfold.process.dialogue import Dialogue, TooMuchSaid

MAX_WAITING = 32
"""Requests that wait for their answer; one that reads no answers is asked for no more requests."""


class Wire:
    """What carries the messages; as `acp.connection.Connection` takes it, nothing in it raises.

    Attributes:
        trouble: why it was ended before the program ended it, "" = it wasn't.
    """

    def __init__(self, talk: Dialogue) -> None:
        self._talk = talk
        self._turn = asyncio.Lock()
        self._room = asyncio.Semaphore(MAX_WAITING)
        self.trouble = ""

    async def send(self, message: dict[str, Any]) -> None:
        """Give the program a message; one that reads no more gets none, and is noticed by its end."""
        try:
            line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
            async with self._turn:
                await self._talk.say(line)
        except OSError:
            return
        finally:
            if "method" not in message:
                self._room.release()

    async def receive(self) -> dict[str, Any] | None:
        """The next message, None = there are no more. What is no message, a line of a log say, is gone past."""
        while True:
            await asyncio.sleep(0)  # so that what came is dealt with before more is read
            try:
                line = await self._talk.line()
            except TooMuchSaid as error:
                self.trouble = str(error)
                return None
            if not line:
                return None
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if not isinstance(message, dict) or not _is_message(message):
                continue
            if "method" in message and "id" in message:
                await self._room.acquire()
            return message

    async def close(self) -> None:
        """The program is ended by whoever started it."""


def _is_message(message: dict[str, Any]) -> bool:
    """Whether its parts are what the protocol says: what reads them takes that for granted."""
    if not isinstance(message.get("id"), int | str | None):
        return False
    if "method" in message:
        return isinstance(message["method"], str)
    error = message.get("error")
    return error is None or (
        isinstance(error, dict) and isinstance(error.get("code", 0), int) and isinstance(error.get("message", ""), str)
    )
