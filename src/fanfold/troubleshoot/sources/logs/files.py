"""Log files: which there are, and the lines of each up to a time, the newest first to be kept."""

from __future__ import annotations

import bz2
import contextlib
import glob
import gzip
import importlib
import io
import itertools
import lzma
import math
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

from fanfold.config.settings import expanded
from fanfold.troubleshoot.sources.logs.line import decoded

CHUNK_BYTES = 1024 * 1024
PROBE_BYTES = 64 * 1024
MOST_ENTRIES = 50_000
MOST_CONTROL = 0.05
EXPANSION = 64
"""A compressed file is read up to so many times what is kept of it."""

TimeOf = Callable[[str], float | None]
BROKEN = (EOFError, OSError, lzma.LZMAError, ValueError)
_NO_TEXT = bytes([*range(8), *range(14, 27), *range(28, 32)])
# Letters and digits; then blanks, ends of lines and signs.
_EBCDIC_TEXT = bytes(
    code
    for start, count in ((0x81, 9), (0x91, 9), (0xA2, 8), (0xC1, 9), (0xD1, 9), (0xE2, 8), (0xF0, 10))
    for code in range(start, start + count)
)
_EBCDIC = _EBCDIC_TEXT + bytes.fromhex("000d1525404b4c4d4e4f505b5c5d5e6061 6b6c6d6e6f7a7b7c7d7e7f")
NO_TEXT = "it is no text"
_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file that was found.

    Attributes:
        written: when it was last written to, in seconds since 1970.
        packed: "", or the ending that says how it is compressed.
    """

    path: Path
    size: int
    written: float
    packed: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What was read of a file: whole lines, without their ends.

    Attributes:
        first: bytes before the first of them.
        whole: nothing is left out before them.
        trouble: why it isn't all there; "" = it is.
    """

    lines: Sequence[bytes]
    first: int
    whole: bool
    trouble: str = ""


def find(
    paths: Sequence[str], root: Path, *, since: float, most: int, stop_at: float = math.inf
) -> tuple[list[LogFile], list[str]]:
    """The files that are meant, the newest first; and, in words, what can't be looked into.

    Args:
        paths: files, folders with all that is below them, or patterns; links out of a folder are not followed.
        since: files that were last written to before that are left out.
        stop_at: on the monotonic clock; folders are no longer searched then.
    """
    found: dict[Path, LogFile] = {}
    trouble: list[str] = []
    for named in paths:
        start = root / expanded(named)
        for place in _meant(start):
            if not place.exists():
                trouble.append(f"there is no {place}")
            elif not os.access(place, os.R_OK):
                trouble.append(f"{place} may not be read")
            elif not (place.is_file() or place.is_dir()):
                trouble.append(f"{place} is no regular file")
            for seen, path in enumerate(_below(place)):
                if seen >= MOST_ENTRIES or time.monotonic() > stop_at:
                    trouble.append(f"{place} was not searched to its end: it holds too much")
                    break
                file = _log_file(path)
                if file and file.written >= since:
                    found.setdefault(file.path, file)
    newest = sorted(found.values(), key=lambda file: (-file.written, str(file.path)))
    if len(newest) > most:
        trouble.append(f"{len(newest) - most} older log files were not read")
    return newest[:most], trouble


def read_back(file: LogFile, *, max_bytes: int, until: float, time_of: TimeOf, stop_at: float) -> Part:
    """The last lines of a file that were written before a time.

    Args:
        until: later lines may be missing; what of the file is kept ends there or later.
        time_of: when a line was written.
        stop_at: on the monotonic clock; a compressed file is no longer read then.
    Raises:
        OSError: it can't be read at all.
    """
    with opened(file.path) as stream:
        if file.packed:
            return _unpacked(stream, file.packed, max_bytes, stop_at)
        head = stream.read(PROBE_BYTES)
        if why := unreadable(head):
            return Part((), 0, True, why)
        size = os.fstat(stream.fileno()).st_size
        end = size if size <= max_bytes else _end_of(stream, size, until, time_of)
        first = max(0, end - max_bytes)
        first -= first % 2 if is_wide(head) else 0
        stream.seek(first)
        return _part(recoded(head, stream.read(end - first)), first)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A regular file; never what a link that was put there meanwhile leads to, never a pipe.

    Raises:
        OSError: it can't be opened, or is something else.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        yield stream


@contextlib.contextmanager
def unpacking(stream: IO[bytes], packed: str) -> Iterator[IO[bytes]]:
    """What a compressed file holds; the file itself where it isn't compressed.

    Raises:
        OSError: this Python can't read it.
    """
    if not packed:
        yield stream
    elif packed == ".gz":
        with gzip.open(stream) as inner:
            yield cast("IO[bytes]", inner)
    elif packed == ".bz2":
        with bz2.open(stream) as inner_bz2:
            yield cast("IO[bytes]", inner_bz2)
    elif packed == ".xz":
        with lzma.open(stream) as inner_xz:
            yield cast("IO[bytes]", inner_xz)
    else:
        with _zstd().open(stream) as inner_zstd:
            yield inner_zstd


def unreadable(head: bytes) -> str:
    """Why what a file begins with is no text that can be read; "" = it can be."""
    seen = head.strip(b"\0")  # a crash, or room that was taken ahead, may leave zeros in a log
    if is_wide(head) or not seen:
        return ""
    if _is_ebcdic(seen):
        return "it is in EBCDIC, and would have to be converted: iconv -f IBM-1047 -t UTF-8"
    return NO_TEXT if len(seen) - len(seen.translate(None, _NO_TEXT)) > len(seen) * MOST_CONTROL else ""


def _is_ebcdic(head: bytes) -> bool:
    """Whether nearly all of it is EBCDIC's letters and digits, beside blanks; none of these are text in UTF-8."""
    with contextlib.suppress(UnicodeDecodeError):
        head[:-3].decode()
        return False
    dense = head.replace(b"\x40", b"")
    letters = len(dense) - len(dense.translate(None, _EBCDIC_TEXT))
    return letters > 0.5 * len(dense) and len(head) - len(head.translate(None, _EBCDIC)) > 0.85 * len(head)


def is_wide(head: bytes) -> bool:
    """Whether it is text in two bytes a letter."""
    return head.startswith(tuple(_MARKS))


def recoded(head: bytes, data: bytes) -> bytes:
    """Text that Windows keeps in two bytes a letter, in UTF-8; anything else as it is.

    Args:
        head: what the whole of it begins with.
        data: an even number of bytes after that.
    """
    encoding = _MARKS.get(head[:2])
    return data.decode(encoding, "replace").removeprefix("\ufeff").encode() if encoding else data


def lines_from(stream: IO[bytes], offset: int, *, most: float = math.inf) -> Iterator[tuple[int, bytes, int]]:
    """Lines, between the offsets of their beginnings and of what follows them; of one that is too long, its beginning.

    A line at the end that has no end yet is followed by itself.

    Args:
        most: bytes that are read.
    Raises:
        OSError: there are more.
    """
    while line := stream.readline(CHUNK_BYTES):
        length, ended = len(line), line.endswith(b"\n")
        while not ended and offset + length <= most and (more := stream.readline(CHUNK_BYTES)):
            length += len(more)
            ended = more.endswith(b"\n")
        if offset + length > most:
            raise OSError(f"it holds more than {most:.0f} bytes, many times its size")
        yield offset, line.rstrip(b"\r\n"), offset + length if ended else offset
        offset += length


class _Opens(Protocol):
    def open(self, file: IO[bytes]) -> contextlib.AbstractContextManager[IO[bytes]]: ...


def _zstd() -> _Opens:
    try:
        return cast("_Opens", importlib.import_module("compression.zstd"))
    except ImportError:
        raise OSError("files in .zst are read from Python 3.14 on") from None


def _meant(start: Path) -> list[Path]:
    """A place itself; of a pattern what it matches, but no link that leads out of where the pattern starts."""
    if start.exists() or not glob.has_magic(str(start)):
        return [start]
    plain = itertools.takewhile(lambda part: not glob.has_magic(part), start.parts)
    top = _real(Path(*plain))
    names = itertools.islice(glob.iglob(str(start), recursive=True), MOST_ENTRIES)  # noqa: PTH207
    return [path for path in map(Path, sorted(names)) if _real(path).is_relative_to(top)]


def _below(place: Path) -> Iterator[Path]:
    """A file itself; of a folder all files that are in it, those that a link within it leads to included."""
    top = _real(place)
    if not top.is_dir():
        yield top
        return
    for folder, _, names in os.walk(top):
        for name in sorted(names):
            path = Path(folder, name)
            target = _real(path) if path.is_symlink() else path
            if target.is_relative_to(top):
                yield target


def _real(path: Path) -> Path:
    """Where links lead; `Path.resolve` raises where they lead in circles."""
    return Path(os.path.realpath(path))


def _log_file(path: Path) -> LogFile | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return None
    packed = path.suffix if path.suffix in (".gz", ".bz2", ".xz", ".zst") else ""
    return LogFile(path, found.st_size, found.st_mtime, packed)


def _part(data: bytes, first: int) -> Part:
    whole = first == 0
    if not whole:  # most likely the middle of a line
        skipped = data.find(b"\n") + 1
        data, first = data[skipped:], first + skipped
    lines = data.split(b"\n")
    return Part(lines if lines[-1] else lines[:-1], first, whole)


def _unpacked(stream: IO[bytes], packed: str, max_bytes: int, stop_at: float) -> Part:
    """The end of what a compressed file holds: all of it has to be unpacked, what comes early is dropped."""
    kept: deque[bytes] = deque()
    size = total = 0
    head, trouble = b"", ""
    try:
        with unpacking(stream, packed) as inner:
            while chunk := inner.read(CHUNK_BYTES):
                if not total and (why := unreadable(head := chunk[:PROBE_BYTES])):
                    return Part((), 0, True, why)
                kept.append(chunk)
                size, total = size + len(chunk), total + len(chunk)
                while size - len(kept[0]) > max_bytes:
                    size -= len(kept.popleft())
                if total > EXPANSION * max_bytes or time.monotonic() > stop_at:
                    trouble = f"only its first {total} bytes were unpacked"
                    break
    except BROKEN as error:
        trouble = f"it can't be unpacked: {error}"
    part = _part(recoded(head, b"".join(kept)), total - size)
    return Part(part.lines, part.first, part.whole, trouble or part.trouble)


def _end_of(stream: IO[bytes], size: int, until: float, time_of: TimeOf) -> int:
    """Where lines after a time begin, found by halving; the end of the file where the last one isn't later."""
    low, high = 0, size
    if not _is_later(stream, max(0, size - PROBE_BYTES), until, time_of):
        return size
    while high - low > PROBE_BYTES:
        middle = (low + high) // 2
        if _is_later(stream, middle, until, time_of):
            high = middle
        else:
            low = middle
    return min(size, high + PROBE_BYTES)


def _is_later(stream: IO[bytes], offset: int, until: float, time_of: TimeOf) -> bool:
    """Whether the first line with a time from there on was written after a time."""
    stream.seek(offset)
    lines = io.BytesIO(stream.read(PROBE_BYTES)).readlines()
    for line in lines[1 if offset else 0 :]:
        at = time_of(decoded(line))
        if at is not None:
            return at > until
    return False
