"""An MCP server as a program: a line of JSON is a message; it ends with whoever started it, and all it started too."""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fanfold.process.start import exit_of, start
from fanfold.process.streams import Drain
from fanfold.process.tree import kill_marked, marked, signal_group

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.client._transport import TransportStreams
    from mcp.shared.message import SessionMessage

LEAVE_S = 0.5
"""How long a server may take to end once its input has, and once more after SIGTERM."""
STDERR_BYTES = 64 * 1024


class Words:
    """What a server wrote to its standard error, as far as it is kept."""

    def __init__(self) -> None:
        self.drain: Drain | None = None

    @property
    def said(self) -> str:
        """The text so far."""
        return self.drain.kept.decode(errors="replace") if self.drain else ""


@asynccontextmanager
async def started(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], max_bytes: int, words: Words
) -> AsyncIterator[TransportStreams]:
    """Streams of messages from and to a program, which ends with the block at the latest.

    Args:
        max_bytes: of one message; a longer one ends the connection.
        words: gets what the program writes to its standard error.
    Raises:
        ProcessError: it can't be started.
    """
    import anyio  # noqa: PLC0415 whoever asks no MCP server needs none of it

    loop = asyncio.get_running_loop()
    marker = secrets.token_hex(12)
    process = start(tuple(argv), cwd=cwd, env=marked(env, marker), with_stdin=True)
    try:
        exited = exit_of(process, loop)
        words.drain = Drain(loop, cast("FileIO", process.stderr), STDERR_BYTES)
        reader, output = await _reading(process, max_bytes)
        writer = await _writing(process)
        read_sender, read_stream = anyio.create_memory_object_stream["SessionMessage | Exception"](0)
        write_stream, write_receiver = anyio.create_memory_object_stream["SessionMessage"](0)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_receive, reader, read_sender)
                tasks.start_soon(_send, write_receiver, writer, read_sender)
                try:
                    yield read_stream, write_stream
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            writer.close()
            for stream in (read_sender, read_stream, write_stream, write_receiver):
                stream.close()
            try:
                with anyio.CancelScope(shield=True):
                    await _leave(process, exited)
            finally:
                output.close()
    finally:
        _end(process, marker, words)


async def _leave(process: subprocess.Popen[bytes], exited: asyncio.Future[None]) -> None:
    """Its input has ended, which tells it to end."""
    await asyncio.wait([exited], timeout=LEAVE_S)
    if not exited.done():
        signal_group(process.pid, signal.SIGTERM)
        await asyncio.wait([exited], timeout=LEAVE_S)


def _end(process: subprocess.Popen[bytes], marker: str, words: Words) -> None:
    """Without waiting for anything that could be cancelled: after this, nothing of the server runs."""
    signal_group(process.pid, signal.SIGKILL)
    kill_marked(marker)
    process.wait()  # it was killed just now
    if words.drain is not None:
        words.drain.finish()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


async def _reading(
    process: subprocess.Popen[bytes], max_bytes: int
) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=max_bytes)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), process.stdout
    )
    return reader, transport


async def _writing(process: subprocess.Popen[bytes]) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, process.stdin)
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def _receive(reader: asyncio.StreamReader, messages: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    """Messages, until the server's output ends or is none."""
    import anyio  # noqa: PLC0415
    from mcp.shared.message import SessionMessage  # noqa: PLC0415
    from mcp_types import jsonrpc_message_adapter  # noqa: PLC0415

    async with messages:
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # longer than a message may be
                return
            if not line:
                return
            if not line.strip():
                continue
            try:
                message: SessionMessage | Exception = SessionMessage(
                    jsonrpc_message_adapter.validate_json(line, by_name=False)
                )
            except ValueError as error:  # a line of a log, say, which doesn't belong there
                message = error
            try:
                await messages.send(message)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                return


async def _send(
    messages: MemoryObjectReceiveStream[SessionMessage],
    writer: asyncio.StreamWriter,
    answers: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    async with messages:
        async for message in messages:
            try:
                writer.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                await writer.drain()
            except OSError:  # it reads no more: the session has to see that there will be no answer
                answers.close()
                return
