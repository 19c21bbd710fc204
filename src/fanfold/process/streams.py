"""The pipes between Fanfold and a running program; the event loop drains and feeds them."""

from __future__ import annotations

import asyncio
import os
from io import FileIO

_CHUNK = 64 * 1024
_LAST_READS = 32


class Drain:
    """Reads a pipe to its end, keeps the first `max_bytes` and drops the rest, so that the writer never blocks."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pipe: FileIO, max_bytes: int) -> None:
        os.set_blocking(pipe.fileno(), False)
        self.ended: asyncio.Future[None] = loop.create_future()
        self.truncated = False
        self._kept = bytearray()
        self._room = max_bytes
        self._loop = loop
        self._pipe = pipe
        loop.add_reader(pipe.fileno(), self._read)

    @property
    def kept(self) -> bytes:
        """The first `max_bytes` of what was read."""
        return bytes(self._kept)

    def finish(self) -> None:
        """Read what waits in the pipe, then stop, though a writer may still hold the other end."""
        for _ in range(_LAST_READS):  # more than a pipe holds; a writer that goes on must not keep us here
            if self.ended.done() or not self._read():
                break
        self._close()

    def _close(self) -> None:
        if not self.ended.done():
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            self.ended.set_result(None)

    def _read(self) -> bool:
        data = self._pipe.read(_CHUNK)
        if data:
            self._keep(data)
        elif data is not None:
            self._close()
        return bool(data)

    def _keep(self, data: bytes) -> None:
        if len(data) > self._room:
            self.truncated = True
            data = data[: self._room]
        self._kept += data
        self._room -= len(data)


class Feed:
    """Writes `data` into a pipe as fast as the program reads it, then closes the pipe."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pipe: FileIO, data: bytes) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._left = memoryview(data)
        self._loop = loop
        self._pipe = pipe
        self._write()
        if not pipe.closed:
            loop.add_writer(pipe.fileno(), self._write)

    def close(self) -> None:
        """Stop writing; the program sees the end of its input."""
        if not self._pipe.closed:
            self._loop.remove_writer(self._pipe.fileno())
            self._pipe.close()

    def _write(self) -> None:
        try:
            written = self._pipe.write(self._left)
        except OSError:  # the program reads no more, as it may
            self.close()
            return
        self._left = self._left[written or 0 :]
        if not self._left:
            self.close()
