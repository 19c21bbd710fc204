"""What an agent may ask of Fanfold, and what it tells: files, permissions, and what it is about."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fanfold.agents.acp.files import Files, Outside
from fanfold.agents.acp.permission import Call, answer, call_of, refusal
from fanfold.agents.program import MARGIN_CHARS, MAX_TRANSCRIPT_CHARS

MAX_SERVED_BYTES = 64 * 1024 * 1024
MAX_CALLS = 1_000
"""Calls that are remembered: of older ones only what a request says itself is known."""
MAX_REQUESTS = 10_000
MAX_ID_CHARS = 200
MAX_REFUSED = 50
MAX_REFUSED_CHARS = 300

Params = Mapping[str, Any]
T = TypeVar("T")


class Host:
    """Answers the requests of one agent at work.

    Attributes:
        refused: what it asked for in vain, each with the reason.
        cost_usd: what it said that the session has cost, None = it didn't.
        said: its last message.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._served = 0
        self._reading = asyncio.Lock()
        self._requests = 0
        self._calls: dict[str, Call] = {}
        self._words: list[str] = []
        self._size = 0
        self._speaker = ""
        self._at_work: set[asyncio.Future[Any]] = set()
        self.refused: list[str] = []
        self.cost_usd: float | None = None
        self.said = ""
        self._asked: dict[str, Callable[[Params], Awaitable[object]]] = {
            "fs/read_text_file": self._read,
            "fs/write_text_file": self._write,
            "session/request_permission": self._permit,
        }

    async def handle(self, method: str, params: object, is_notification: bool) -> object:
        """Answer one message.

        Raises:
            acp.RequestError: there is no such method, or what is asked for can't be had.
        """
        from acp import RequestError  # noqa: PLC0415 an extra, imported when used

        given = params if isinstance(params, dict) else {}
        if is_notification:
            if method == "session/update":
                self._update(given.get("update"))
            return None
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            self._refuse(f"asked for more than {MAX_REQUESTS:,} things")
            raise RequestError.invalid_request({"details": "more was asked for than may be"})
        if method not in self._asked:
            self._refuse(f"asked for {method}, which there is not")
            raise RequestError.method_not_found(method)
        try:
            return await self._asked[method](given)
        except Outside as error:
            self._refuse(error.message)
            raise RequestError.invalid_params({"details": error.message}) from error
        except UnicodeDecodeError as error:
            raise RequestError.invalid_params({"details": "the file is not UTF-8"}) from error

    @property
    def transcript(self) -> str:
        """What was said and done, in order."""
        return "".join(self._words)

    def note(self, words: str) -> None:
        """Write something down on a line of its own."""
        self._keep("", f"{words}\n")

    async def settled(self) -> None:
        """Wait for what is being read or written; after this, no file is touched."""
        if self._at_work:
            await asyncio.wait(self._at_work)

    async def _carry_out(self, work: Callable[[], T]) -> T:
        """Do something to files; a thread goes on when whoever waits for it is cancelled."""
        future = asyncio.get_running_loop().run_in_executor(None, work)
        self._at_work.add(future)
        future.add_done_callback(self._at_work.discard)
        return await asyncio.shield(future)

    async def _read(self, params: Params) -> object:
        path, line, limit = params.get("path"), params.get("line"), params.get("limit")
        async with self._reading:  # or all that ask at once would be within the limit
            if self._served > MAX_SERVED_BYTES:
                raise Outside("more was read than may be")
            text = await self._carry_out(lambda: self._files.read(_path(path), _number(line), _number(limit)))
            self._served += len(text)
        self.note(f"[reads {path}]")
        return {"content": text}

    async def _write(self, params: Params) -> object:
        path, content = _path(params.get("path")), params.get("content")
        if not isinstance(content, str):
            raise Outside(f"there is no text for {path}")
        await self._carry_out(lambda: self._files.write(path, content))
        self.note(f"[writes {path}]")
        return {}

    async def _permit(self, params: Params) -> object:
        asked = params.get("toolCall")
        call = self._call(asked if isinstance(asked, dict) else {})
        why = await asyncio.to_thread(refusal, call, self._files)
        self.note(f"[asks for {call.get('kind')} {call.get('title', '')}: {why or 'allowed'}]")
        if why is not None:
            self._refuse(why)
        return answer(params.get("options"), allowed=why is None)

    def _call(self, told: Mapping[str, Any]) -> Call:
        """All that was said of a call, now and before."""
        number = str(told.get("toolCallId"))[:MAX_ID_CHARS]
        known = call_of(told, self._calls.pop(number, {}))
        self._calls[number] = known
        if len(self._calls) > MAX_CALLS:
            del self._calls[next(iter(self._calls))]
        return known

    def _update(self, update: object) -> None:
        if not isinstance(update, dict):
            return
        match update.get("sessionUpdate"):
            case "agent_message_chunk" | "agent_thought_chunk" as kind:
                self._spoke(kind, update.get("content"))
            case "tool_call" | "tool_call_update" as kind:
                call = self._call(update)
                status = update.get("status")
                if kind == "tool_call" or status in ("completed", "failed"):
                    self.note(f"[{call.get('kind', 'tool')} {call.get('title', '')} {status or ''}]")
            case "usage_update":
                self.cost_usd = _dollars(update.get("cost")) or self.cost_usd

    def _spoke(self, kind: str, content: object) -> None:
        words = content.get("text") if isinstance(content, dict) else None
        if not isinstance(words, str):
            return
        words = clean(words)
        if kind == "agent_message_chunk":
            self.said = (self.said if self._speaker == kind else "") + words
            self.said = self.said[-MARGIN_CHARS:]
        self._keep(kind, words)

    def _keep(self, speaker: str, words: str) -> None:
        words = clean(words)
        if self._speaker and self._speaker != speaker:
            words = f"\n{words}"
        self._speaker = speaker
        room = MAX_TRANSCRIPT_CHARS + MARGIN_CHARS + 1 - self._size
        if room > 0:
            self._words.append(words[:room])
            self._size += len(self._words[-1])

    def _refuse(self, why: str) -> None:
        why = clean(why)[:MAX_REFUSED_CHARS]
        if why not in self.refused and len(self.refused) < MAX_REFUSED:
            self.refused.append(why)


def clean(words: str) -> str:
    """Text that can be written down: JSON may hold halves of characters."""
    return words.encode(errors="replace").decode()


def _path(value: object) -> str:
    if not isinstance(value, str):
        raise Outside("there is no path")
    return value


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _dollars(cost: object) -> float | None:
    amount = cost.get("amount") if isinstance(cost, dict) and cost.get("currency") == "USD" else None
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not math.isfinite(amount) or amount < 0:
        return None
    return float(amount)
