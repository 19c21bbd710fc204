"""How far log files have been read: a file is known by how it begins, and by what stands where reading stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from fanfold.troubleshoot.sources.logs.reader import Block, Reader

HEAD_BYTES = 1_024
TAIL_BYTES = 256


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading a file goes on.

    Attributes:
        file: the path that the file was first read at; its lines go on being called that.
        offset: bytes that have been read, of a compressed file those that it holds.
        head_bytes, head: how many bytes of the beginning were seen, and their digest.
        tail_bytes, tail: the same of what stands before `offset`.
        at: when the last line was written.
        block: the job's log that the last line stood in.
    """

    file: str
    offset: int = 0
    head_bytes: int = 0
    head: str = ""
    tail_bytes: int = 0
    tail: str = ""
    at: float | None = None
    block: Block | None = None

    def moved(self, head: bytes, offset: int, last: bytes, reader: Reader) -> Position:
        """After `last`, the line that was read last."""
        seen, tail = head[: min(len(head), offset)], last[-TAIL_BYTES:]
        return Position(self.file, offset, len(seen), _digest(seen), len(tail), _digest(tail), reader.at, reader.block)

    def as_json(self) -> str:
        """As it is kept."""
        block = self.block
        return json.dumps(
            {
                "file": self.file,
                "offset": self.offset,
                "head": [self.head_bytes, self.head],
                "tail": [self.tail_bytes, self.tail],
                "at": self.at,
                "block": [block.job, block.began, block.status, block.elapsed_s] if block else None,
            }
        )


class Positions:
    """The positions that are known.

    Args:
        found: by the path that each file had, as JSON.
    """

    def __init__(self, found: Mapping[str, str]) -> None:
        self._known = {path: position for path, text in found.items() if (position := _parsed(text))}

    def of(self, path: str, head: bytes, stream: IO[bytes]) -> Position:
        """Where to go on with a file, whatever it was called when it was read; its beginning, if it is new.

        Args:
            stream: what the file holds; it is left at any place.
        """
        for position in self._candidates(path):
            begins_so = len(head) >= position.head_bytes and _digest(head[: position.head_bytes]) == position.head
            if begins_so and position.offset and _stands_there(position, stream):
                return position
        return Position(path)

    def _candidates(self, path: str) -> Iterator[Position]:
        if path in self._known:
            yield self._known[path]
        yield from (position for other, position in self._known.items() if other != path)


def _stands_there(position: Position, stream: IO[bytes]) -> bool:
    """Whether the file goes on as far as it was read, with the line there that was read last."""
    start = max(0, position.offset - position.tail_bytes - 2)
    stream.seek(start)
    before = stream.read(position.offset - start)
    if len(before) < position.offset - start:
        return False
    tail = before.rstrip(b"\r\n")[-position.tail_bytes :] if position.tail_bytes else b""
    return _digest(tail) == position.tail


def _parsed(text: str) -> Position | None:
    try:
        value = json.loads(text)
        (head_bytes, head), (tail_bytes, tail), block = value["head"], value["tail"], value["block"]
        at = value["at"]
        return Position(
            str(value["file"]),
            int(value["offset"]),
            int(head_bytes),
            str(head),
            int(tail_bytes),
            str(tail),
            None if at is None else float(at),
            Block(*block) if block else None,
        )
    except (ValueError, TypeError, KeyError):  # another program's, or a newer version's
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
