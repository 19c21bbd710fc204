"""Messages of the protocol to and from a program, a line of JSON each, within bounds."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fanfold.process.dialogue import Dialogue, TooMuchSaid


class Wire:
    """What carries the messages; as `acp.connection.Connection` takes it, nothing in it raises.

    Attributes:
        trouble: why it was ended before the program ended it, "" = it wasn't.
    """

    def __init__(self, talk: Dialogue) -> None:
        self._talk = talk
        self._turn = asyncio.Lock()
        self.trouble = ""

    async def send(self, message: dict[str, Any]) -> None:
        """Give the program a message; one that reads no more gets none, and is noticed by its end."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        async with self._turn:
            try:
                await self._talk.say(line)
            except OSError:
                return

    async def receive(self) -> dict[str, Any] | None:
        """The next message, None = there are no more. What is no message, a line of a log say, is gone past."""
        while True:
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
            if isinstance(message, dict) and isinstance(message.get("method", ""), str):
                return message

    async def close(self) -> None:
        """The program is ended by whoever started it."""
