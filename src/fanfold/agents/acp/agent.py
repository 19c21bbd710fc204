"""Any agent of the Agent Client Protocol: its program is started for one attempt, asked once, and ended."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from fanfold.agents.acp.files import Files
from fanfold.agents.acp.host import Host, clean
from fanfold.agents.acp.wire import Wire
from fanfold.agents.aside import put_aside
from fanfold.agents.command import command_of
from fanfold.agents.presets import PRESETS
from fanfold.agents.program import MAX_LAST_WORDS_CHARS, Program, found, kept, last_words
from fanfold.agents.protocol import AgentError, AgentUnusable, Assignment, Report
from fanfold.agents.registry import AgentSettings
from fanfold.agents.spending import Spending
from fanfold.llm.usage import Usage
from fanfold.process import ProcessError
from fanfold.process.dialogue import Dialogue, dialogue
from fanfold.redact import redact

if TYPE_CHECKING:
    from acp.connection import Connection

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024
SETTINGS = tuple(sorted({pattern for preset in PRESETS for pattern in preset.settings}))
"""What programs that speak the protocol take for their settings: mostly they are those that there are presets for."""
LOGIN_NEEDED = -32000
CANCEL_S = 1.0
"""How long an agent may take to end what it does when it is told to."""
CRASH_S = 2.0
STOPPED = {
    "max_tokens": "as many tokens as it may take",
    "max_turn_requests": "as many requests as it may make",
    "refusal": "it refused",
    "cancelled": "it was cancelled",
}


@dataclass(frozen=True)
class Acp:
    """Starts `argv` in the workspace, once for each attempt, and gives it the task over the protocol.

    It is offered the workspace's files and nothing else; what it does by itself is bounded by its sandbox.

    Args:
        argv: the program, absolute, and its arguments.
        env: environment variables that it may see beside the usual ones.
        deadline_s: seconds for one attempt.
        spending: what it may take from the budgets.
    """

    argv: tuple[str, ...]
    env: tuple[str, ...]
    deadline_s: float
    spending: Spending
    name: str = "acp"
    deterministic: bool = False
    starts_programs: bool = True
    argument: ClassVar[str] = "command"

    @classmethod
    def make(cls, settings: AgentSettings) -> Acp:
        """The agent, its program found.

        Raises:
            AgentUnusable: no command, no such program, or the extra isn't installed.
        """
        if importlib.util.find_spec("acp") is None:
            raise AgentUnusable("agent 'acp' needs a package that isn't there", hint="pip install 'fanfold[acp]'")
        command, terms = command_of(settings)
        if not command or not command[0].strip():
            raise AgentUnusable(
                f"agent {settings.name or 'acp'!r} has no command", hint="name its program: --agent 'acp:opencode acp'"
            )
        program, *arguments = command
        argv = (found(program, setting="agent 'acp'"), *arguments)
        return cls(argv, settings.agent_env, settings.deadline_s, Spending(terms), settings.name or "acp")

    async def work(self, assignment: Assignment) -> Report:
        """Give it the task and wait until it says that it is done.

        Raises:
            AgentError: it could not be started, ended before its answer, or took too long.
        """
        program = Program(self.argv[0], self.env, self.deadline_s)
        async with self.spending.of(assignment.purse) as bill:
            argv = await program.within_bounds(self.argv[1:], assignment)
            environment = program.environment(assignment)
            try:
                async with (
                    put_aside(assignment, SETTINGS),
                    dialogue(
                        argv, cwd=assignment.root, env=environment, max_line_bytes=MAX_LINE_BYTES, max_bytes=MAX_BYTES
                    ) as talk,
                ):
                    session = _Session(program, assignment, talk)
                    try:
                        report = await session.carry_out()
                    except AgentError as error:
                        error.usage = self.spending.counted(error.usage)
                        raise
                    finally:
                        bill.usage = session.usage
                    return replace(report, usage=self.spending.counted(report.usage))
            except ProcessError as error:
                raise program.not_started(error) from error


class _Session:
    """One conversation with a running agent."""

    def __init__(self, program: Program, assignment: Assignment, talk: Dialogue) -> None:
        seen = () if assignment.sandbox is None else assignment.sandbox.seen_as
        names = tuple(place for source, place in seen if source == assignment.root)
        self._program, self._assignment, self._talk = program, assignment, talk
        self._host = Host(Files(assignment.root, names, assignment.max_file_bytes))
        self._wire = Wire(talk)
        self._id = ""
        self._tokens: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        """What it said that it took so far."""
        if self._tokens is None:
            return None if self._host.cost_usd is None else Usage(cost_usd=self._host.cost_usd)
        return Usage(
            requests=1,
            input_tokens=self._tokens.input_tokens,
            output_tokens=self._tokens.output_tokens,
            cost_usd=self._host.cost_usd,
        )

    async def carry_out(self) -> Report:
        """Say hello, give the task, and wait for its end.

        Raises:
            AgentError: there was none, or not in time.
        """
        await asyncio.to_thread(importlib.import_module, "acp.connection")  # which takes a second
        from acp.connection import Connection  # noqa: PLC0415 an extra, imported when used

        connection = Connection(self._host.handle, self._wire)
        try:
            async with asyncio.timeout(self._program.deadline_s):
                return self._report(await self._asked(connection))
        except TimeoutError:
            await self._cancel(connection)
            raise self._told(self._program.late(self._words)) from None
        except asyncio.CancelledError:
            await self._cancel(connection)
            raise
        finally:
            await connection.close()
            await self._host.settled()

    async def _asked(self, connection: Connection) -> Mapping[str, Any]:
        """What it answered to the task."""
        from acp import RequestError  # noqa: PLC0415 an extra, imported when used

        hello: object = None
        try:
            hello = await connection.send_request("initialize", _hello())
            if _mapping(hello).get("protocolVersion") != PROTOCOL_VERSION:
                raise self._told(AgentError(f"agent {self._program.name} speaks another version of the protocol"))
            began = await connection.send_request("session/new", {"cwd": str(self._assignment.root), "mcpServers": []})
            self._id = str(_mapping(began).get("sessionId") or "")
            prompt = self._assignment.prompt.encode(errors="replace").decode()
            return _mapping(
                await connection.send_request(
                    "session/prompt", {"sessionId": self._id, "prompt": [{"type": "text", "text": prompt}]}
                )
            )
        except RequestError as error:
            details = "" if error.data is None else f" {json.dumps(error.data)}"
            words = redact(clean(f"{error}{details}"))[:MAX_LAST_WORDS_CHARS]
            hint = _login_hint(_mapping(hello)) if error.code == LOGIN_NEEDED else None
            raise self._told(AgentError(f"agent {self._program.name} failed: {words}", hint=hint)) from error
        except ConnectionError as error:
            raise self._told(await self._ended()) from error

    async def _ended(self) -> AgentError:
        """Why there will be no answer."""
        if self._wire.trouble:
            return AgentError(f"agent {self._program.name} was ended: {self._wire.trouble}")
        code = await self._talk.ended(CRASH_S)
        how = "closed the connection" if code is None else f"ended with exit code {code}"
        return AgentError(f"agent {self._program.name} {how} before it had answered: {self._words}")

    @property
    def _words(self) -> str:
        return last_words(self._talk.errors) or last_words(self._host.transcript.encode()) or "it said nothing"

    def _told(self, error: AgentError) -> AgentError:
        error.usage = self.usage
        return error

    def _report(self, answer: Mapping[str, Any]) -> Report:
        self._tokens = _tokens(answer.get("usage"))
        reason = str(answer.get("stopReason"))
        said = last_words(self._host.said.encode(), lines=1)
        self._host.note(f"[ends: {reason}]")
        return Report(
            summary=f"stopped: {STOPPED[reason]}" if reason in STOPPED else said,
            refused=tuple(redact(one) for one in self._host.refused),
            transcript=kept(self._host.transcript),
            usage=self.usage,
            session=redact(clean(self._id))[:MAX_LAST_WORDS_CHARS],
        )

    async def _cancel(self, connection: Connection) -> None:
        """Tell it to stop, so that it can end what it started elsewhere; it is killed in any case."""
        if not self._id:
            return
        try:
            async with asyncio.timeout(CANCEL_S):
                await connection.send_notification("session/cancel", {"sessionId": self._id})
                await self._talk.ended(CANCEL_S)
        except (TimeoutError, ConnectionError):
            return


def _hello() -> dict[str, Any]:
    """What it is offered: files, and no terminals."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "clientCapabilities": {"fs": {"readTextFile": True, "writeTextFile": True}, "terminal": False},
        "clientInfo": {"name": "fanfold", "title": "Fanfold", "version": "1"},
    }


def _login_hint(hello: Mapping[str, Any]) -> str:
    methods = hello.get("authMethods")
    names = [str(_mapping(one).get("name")) for one in methods] if isinstance(methods, list) else []
    ways = f": {', '.join(names)}" if names else ""
    return f"log in with the program itself{ways}; or name the variable of its key in agent_env"


def _tokens(said: object) -> Usage | None:
    counts = _mapping(said)
    if not counts:
        return None

    def count(*names: str) -> int:
        values = (counts.get(name) for name in names)
        return sum(value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0)

    return Usage(
        requests=1,
        input_tokens=count("inputTokens", "cachedReadTokens", "cachedWriteTokens"),
        output_tokens=count("outputTokens", "thoughtTokens"),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
