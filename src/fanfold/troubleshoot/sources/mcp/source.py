"""The source: what a tool of an MCP server says about an incident."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanfold.engine import BranchError, Done, fan_out
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.given import LISTS, Giver
from fanfold.troubleshoot.sources.mcp.link import SAID_CHARS, Link
from fanfold.troubleshoot.sources.mcp.settings import McpSettings, settings_of
from fanfold.troubleshoot.sources.placeholders import filled, values_for
from fanfold.troubleshoot.sources.protocol import SourceError

if TYPE_CHECKING:
    from mcp_types import CallToolResult


class Mcp:
    """Calls one tool of an MCP server for each incident; what it says is data, and nothing that is followed.

    Args:
        settings: which server and which tool.
        root: the folder that its program runs in, and that its path starts from.
    """

    def __init__(self, settings: McpSettings, root: Path) -> None:
        self._settings, self._root = settings, root
        self._is_open = False
        self._links: list[Link] = []

    @classmethod
    def make(cls, settings: Mapping[str, object], root: Path) -> Mcp:
        """The source with the settings of its table; see `McpSettings`.

        Raises:
            SourceError: a setting is unknown or wrong.
        """
        return cls(settings_of(settings, root), root)

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._settings.name

    @property
    def timeout_s(self) -> float:
        """Seconds until its answer is no longer waited for."""
        return self._settings.timeout_s

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The connection, as long as the block; it is made when the source is first asked."""
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False
            links, self._links = self._links, []
            for link in links:
                await link.close()

    async def ask(self, incident: Incident) -> Sequence[Evidence]:
        """What the tool says, once for each job where it is asked about jobs.

        Raises:
            SourceError: the server can't be reached or started, or the tool fails.
        """
        if not self._is_open:
            raise SourceError("the source is not open", hint="ask it within its open()")
        calls = values_for(incident, self._settings.arguments)
        if not calls:
            return [self._note("not asked: it is asked about jobs, and no job is known")]
        link = self._link()

        async def said(key: str) -> list[Evidence]:
            values = calls[int(key)]
            subject = values.get("job") or next(iter(incident.jobs), "") or self.name
            return await self._said(link, filled(self._settings.arguments, values), subject)

        keys = [str(index) for index in range(len(calls))]
        outcomes = await fan_out(said, keys, limit=self._settings.limit, total_deadline_s=0.95 * self.timeout_s)
        evidence = [piece for outcome in outcomes if isinstance(outcome, Done) for piece in outcome.value]
        failed = [self._why(outcome.error) for outcome in outcomes if not isinstance(outcome, Done)]
        if failed and len(failed) == len(outcomes):
            raise failed[0]
        return [*evidence, *(self._note(error.message) for error in failed)]

    def _link(self) -> Link:
        """The connection, or a new one where it is broken."""
        if not self._links or not self._links[-1].is_usable:
            self._links.append(Link(self._settings, self._root))
        return self._links[-1]

    async def _said(self, link: Link, arguments: dict[str, Any], subject: str) -> list[Evidence]:
        client = await link.client()
        try:
            result = await client.call_tool(self._settings.tool, arguments)
        except Exception as error:  # noqa: BLE001 whatever a server makes the library raise is why it has no answer
            if not _is_answer(error):
                link.leave()
            raise link.explained(error) from None
        text = link.masked(_text_of(result))
        if result.is_error:
            raise SourceError(
                f"the tool {self._settings.tool} failed: {text[:SAID_CHARS] or 'it said nothing'}",
                hint="check tool and arguments",
            )
        giver, structured = Giver(self.name, subject), _structured(result)
        return giver.from_text(text) if structured is None else giver.from_data(_masked(structured, link))

    def _why(self, error: Exception) -> SourceError:
        if isinstance(error, SourceError):
            return error
        if isinstance(error, BranchError):
            return SourceError(f"{self.name} did not answer within {self.timeout_s:g} s", hint="raise timeout_s")
        return SourceError(f"{self.name} can't be asked: {type(error).__name__}: {error}")

    def _note(self, text: str) -> Evidence:
        return Evidence(source=self.name, kind="note", subject=self.name, text=text)


def _is_answer(error: Exception) -> bool:
    """Whether the server itself refused the call: the connection is well then."""
    from mcp.shared.exceptions import MCPError  # noqa: PLC0415 imported when used
    from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND  # noqa: PLC0415

    return isinstance(error, MCPError) and error.code in (INVALID_PARAMS, METHOD_NOT_FOUND, INTERNAL_ERROR)


def _structured(result: CallToolResult) -> object | None:
    """Its structured content where that has the form of evidence; the text says more otherwise."""
    content = result.structured_content
    if not isinstance(content, Mapping):
        return None
    lists = [content[name] for name in LISTS if isinstance(content.get(name), list)]
    items = lists[0] if lists else [content]
    return items if items and all(isinstance(one, Mapping) and "text" in one for one in items) else None


def _masked(data: Any, link: Link) -> Any:
    if isinstance(data, str):
        return link.masked(data)
    if isinstance(data, Mapping):
        return {key: _masked(value, link) for key, value in data.items()}
    return [_masked(value, link) for value in data] if isinstance(data, list) else data


def _text_of(result: CallToolResult) -> str:
    """The texts among its content; pictures and sounds say nothing here."""
    texts = []
    for block in result.content:
        if block.type == "text":
            texts.append(block.text)
        elif block.type == "resource":
            texts.append(str(getattr(block.resource, "text", "")))
        elif block.type == "resource_link":
            texts.append(f"{block.name}: {block.uri}")
    return "\n\n".join(text for text in texts if text)
