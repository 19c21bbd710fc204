# ruff: noqa: ARG002, PT018, T201 a behaviour takes what all of them are given
"""An agent of the protocol, with the agent's side of the same package, that behaves as its argument says."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, RequestError, run_agent, text_block, update_agent_message, update_agent_thought_text
from acp.interfaces import Client
from acp.schema import (
    Cost,
    InitializeResponse,
    NewSessionResponse,
    PermissionOption,
    PromptResponse,
    TextContentBlock,
    ToolCallLocation,
    ToolCallStart,
    ToolCallUpdate,
    Usage,
    UsageUpdate,
)

OPTIONS = [
    PermissionOption(option_id="always", name="Always", kind="allow_always"),
    PermissionOption(option_id="once", name="Once", kind="allow_once"),
    PermissionOption(option_id="no", name="No", kind="reject_once"),
]


async def write(content: bytes) -> None:
    """Past the package, all of it."""
    while content:
        try:
            content = content[os.write(1, content) :]
        except BlockingIOError:
            await asyncio.sleep(0.001)


class Scripted:
    """Deletes the imports of its file, or whatever else it is told to."""

    def __init__(self, behaviour: str, argument: str) -> None:
        self.behaviour, self.argument = behaviour, argument
        self.client: Client | None = None
        self.cwd = Path()
        self.cancelled = asyncio.Event()

    def on_connect(self, client: Client) -> None:
        self.client = client

    async def initialize(self, protocol_version: int, **offered: Any) -> InitializeResponse:
        if self.behaviour == "old":
            return InitializeResponse(protocol_version=0)
        if self.behaviour == "dies-at-once":
            print("no such model", file=sys.stderr)
            sys.stderr.flush()
            os._exit(3)
        capabilities = offered["client_capabilities"]
        assert capabilities.fs.read_text_file and capabilities.fs.write_text_file
        assert not capabilities.terminal
        return InitializeResponse(protocol_version=PROTOCOL_VERSION)

    async def new_session(self, cwd: str, **_: Any) -> NewSessionResponse:
        if self.behaviour == "needs-login":
            raise RequestError.auth_required({"why": "no key"})
        self.cwd = Path(cwd)
        return NewSessionResponse(session_id="session-1")

    async def cancel(self, session_id: str, **_: Any) -> None:
        Path(self.argument).write_text(f"cancelled {session_id}")
        self.cancelled.set()

    async def prompt(self, prompt: list[TextContentBlock], session_id: str, **_: Any) -> PromptResponse:
        behave = getattr(self, self.behaviour.replace("-", "_"))
        reason = await behave(session_id, "".join(block.text for block in prompt))
        usage = Usage(total_tokens=30, input_tokens=12, output_tokens=3, cached_read_tokens=10, thought_tokens=5)
        return PromptResponse(stop_reason=reason or "end_turn", usage=usage)

    async def tell(self, session: str, update: Any) -> None:
        assert self.client
        await self.client.session_update(session_id=session, update=update)

    async def say(self, session: str, words: str) -> None:
        await self.tell(session, update_agent_message(text_block(words)))

    async def fixes(self, session: str, prompt: str) -> None:
        assert self.client
        path = str(self.cwd / "module.py")
        await self.tell(session, update_agent_thought_text("It has imports that nobody uses."))
        text = (await self.client.read_text_file(session_id=session, path=path)).content
        kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("import"))
        call = ToolCallStart(
            session_update="tool_call",
            tool_call_id="1",
            title="edit",
            kind="edit",
            locations=[ToolCallLocation(path=path)],
        )
        await self.tell(session, call)
        asked = ToolCallUpdate(tool_call_id="1")
        allowed = await self.client.request_permission(session_id=session, tool_call=asked, options=OPTIONS)
        assert allowed.outcome.outcome == "selected" and allowed.outcome.option_id == "once"
        await self.client.write_text_file(session_id=session, path=path, content=kept)
        await self.tell(
            session,
            UsageUpdate(session_update="usage_update", used=30, size=100, cost=Cost(amount=0.25, currency="USD")),
        )
        for words in ("I deleted ", "the imports."):
            await self.say(session, words)

    async def echoes(self, session: str, prompt: str) -> None:
        print("a line of a log")
        await self.say(session, f"{prompt} {os.environ.get('MY_KEY')} {os.environ.get('MY_OTHER')}")

    async def reads(self, session: str, prompt: str) -> None:
        assert self.client
        try:
            said = (await self.client.read_text_file(session_id=session, path=self.argument)).content
        except RequestError as error:
            said = f"refused: {error.data}"
        await self.say(session, said)

    async def writes(self, session: str, prompt: str) -> None:
        assert self.client
        try:
            await self.client.write_text_file(session_id=session, path=self.argument, content="owned")
            said = "written"
        except RequestError as error:
            said = f"refused: {error.data}"
        await self.say(session, said)

    async def asks(self, session: str, prompt: str) -> None:
        assert self.client
        kind, _, path = self.argument.partition(":")
        call = ToolCallUpdate(tool_call_id="2", title="asks", kind=kind, raw_input={"command": "rm", "filePath": path})  # type: ignore[arg-type]
        outcome = (await self.client.request_permission(session_id=session, tool_call=call, options=OPTIONS)).outcome
        await self.say(session, getattr(outcome, "option_id", "cancelled"))

    async def wants_a_terminal(self, session: str, prompt: str) -> None:
        assert self.client
        try:
            await self.client.create_terminal(session_id=session, command="sh", args=["-c", "touch planted"])
        except RequestError as error:
            await self.say(session, f"refused: {error}")

    async def crashes(self, session: str, prompt: str) -> None:
        await self.say(session, "half a th")
        print("Segmentation fault", file=sys.stderr, flush=True)
        os._exit(139)

    async def fails(self, session: str, prompt: str) -> None:
        raise RequestError.internal_error({"details": "the model is overloaded ghp_" + "a1B2" * 9})

    async def hangs(self, session: str, prompt: str) -> str:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(self.argument + ".pid").write_text(str(child.pid))
        await self.say(session, "thinking")
        await self.cancelled.wait()
        return "cancelled"

    async def ignores_everything(self, session: str, prompt: str) -> None:
        await self.say(session, "thinking")
        time.sleep(60)

    async def floods(self, session: str, prompt: str) -> None:
        while True:
            await self.say(session, "x" * 100_000)

    async def floods_a_line(self, session: str, prompt: str) -> None:
        while True:
            await write(b"x" * 65_536)

    async def talks_nonsense(self, session: str, prompt: str) -> None:
        lines = (b"[]", b"1", b"{", b'{"id": 99, "result": 1}', b'{"method": 5}', b'{"method": "session/update"}')
        more = (
            b'{"method": "session/update", "params": {"update": {"sessionUpdate": "tool_call", "toolCallId": [1]}}}',
        )
        halves = (
            b'{"method":"session/update","params":{"update":{"sessionUpdate":"agent_message_chunk","content":{"text":"\\ud800"}}}}',
        )
        for line in (*lines, *more, *halves, b"[" * 100_000):
            await write(line + b"\n")
        await self.say(session, "still here")

    async def answers_nonsense(self, session: str, prompt: str) -> None:
        """To the request that is under way."""
        for answer in (b'"id": 2, "error": "broken"', b'"id": 2, "error": {"code": {}}', b'"id": [2], "result": {}'):
            await write(b'{"jsonrpc": "2.0", ' + answer + b"}\n")
        call = b'{"toolCallId": "1", "kind": ["edit"], "status": ["completed"], "sessionUpdate": "tool_call_update"}'
        await write(b'{"method": "session/update", "params": {"update": ' + call + b"}}\n")
        await write(b'{"method": "session/request_permission", "id": 9, "params": {"toolCall": ' + call + b"}}\n")
        await self.say(session, "still here")

    async def reads_at_once(self, session: str, prompt: str) -> None:
        assert self.client
        asked = [self.client.read_text_file(session_id=session, path=self.argument) for _ in range(30)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        refused = sum(isinstance(one, RequestError) for one in answers)
        await self.say(session, f"got {len(answers) - refused}, refused {refused}")

    async def asks_and_reads_nothing(self, session: str, prompt: str) -> None:
        """So many bytes as it can in two seconds, without a look at what comes back."""
        lines = b'{"jsonrpc":"2.0","id":1,"method":"a"}\n' * 2000
        until, written = time.monotonic() + 2, 0
        os.set_blocking(1, False)
        while time.monotonic() < until:
            try:
                written += os.write(1, lines)
            except BlockingIOError:
                time.sleep(0.001)
        Path(self.argument).write_text(str(written))
        time.sleep(60)

    async def refuses(self, session: str, prompt: str) -> str:
        return "refusal"


if __name__ == "__main__":
    asyncio.run(run_agent(Scripted(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")))  # type: ignore[arg-type]
