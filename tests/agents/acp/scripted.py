# ruff: noqa: PT018
"""An agent of the protocol, with the agent's side of the same package, that deletes the imports of its file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, run_agent, text_block, update_agent_message, update_agent_thought_text
from acp.interfaces import Client
from acp.schema import (
    Cost,
    InitializeResponse,
    NewSessionResponse,
    PermissionOption,
    PromptResponse,
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


class Scripted:
    """Reads the file, asks whether it may edit it, and writes it."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.cwd = Path()

    def on_connect(self, client: Client) -> None:
        self.client = client

    async def initialize(self, protocol_version: int, **offered: Any) -> InitializeResponse:
        assert protocol_version == PROTOCOL_VERSION
        capabilities = offered["client_capabilities"]
        assert capabilities.fs.read_text_file and capabilities.fs.write_text_file
        assert not capabilities.terminal
        return InitializeResponse(protocol_version=PROTOCOL_VERSION)

    async def new_session(self, cwd: str, **_: Any) -> NewSessionResponse:
        self.cwd = Path(cwd)
        return NewSessionResponse(session_id="session-1")

    async def prompt(self, session_id: str, **_: Any) -> PromptResponse:
        await self.fix(session_id)
        usage = Usage(total_tokens=30, input_tokens=12, output_tokens=3, cached_read_tokens=10, thought_tokens=5)
        return PromptResponse(stop_reason="end_turn", usage=usage)

    async def tell(self, session: str, update: Any) -> None:
        assert self.client
        await self.client.session_update(session_id=session, update=update)

    async def fix(self, session: str) -> None:
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
            await self.tell(session, update_agent_message(text_block(words)))


if __name__ == "__main__":
    asyncio.run(run_agent(Scripted()))  # type: ignore[arg-type]
