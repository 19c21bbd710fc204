"""Lines and ends of jobs as members of the cache's sets: how they are written, and read whoever wrote them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fanfold.troubleshoot.sources.logs.ends import End
from fanfold.troubleshoot.sources.logs.line import Level, Line, clean

MOST_CODES = 20
MOST_ELAPSED_S = 1e9
LEVELS: Mapping[str, Level] = {"error": "error", "warning": "warning", "info": "info"}


@dataclass(frozen=True, slots=True)
class Members:
    """Members of a set of lines, the newest first.

    Attributes:
        most: no more than that were asked for.
    """

    found: list[tuple[bytes, float]]
    most: int

    @property
    def since(self) -> float | None:
        """When the oldest of them was written, if there are older ones; None = these are all."""
        return self.found[-1][1] if len(self.found) >= self.most else None

    def unpacked(self, job: str, names: Iterable[str], known: set[tuple[bytes, float]]) -> tuple[list[Line], int]:
        """The lines, the oldest first, and how many members are none.

        Args:
            job: whose lines these are; "" = of all jobs, and if there are `names`, only lines that have one of them or
                no job at all are looked at.
            known: members that were unpacked before, and aren't again; these are added to it.
        """
        wanted = [name.lower().encode() for name in names] if not job else []
        lines, strange = [], 0
        for pair in reversed(self.found):
            member, at = pair
            if pair in known or (wanted and b'"j":"' in member and not any(name in member.lower() for name in wanted)):
                continue
            known.add(pair)
            line = line_of(member, at, job)
            if line:
                lines.append(line)
            else:
                strange += 1
        return lines, strange


def member_of(line: Line) -> bytes:
    """A line as it stands in a set."""
    value: dict[str, object] = {"m": line.text, "l": line.level, "t": line.at, "f": line.file, "o": line.offset}
    value |= {"j": line.job} if line.job else {}
    value |= {"h": line.host} if line.host else {}
    value |= {"c": codes} if (codes := line.all_codes) else {}
    return packed(value)


def packed(value: object) -> bytes:
    """A value as it stands in a set."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def line_of(member: bytes, at: float, job: str) -> Line | None:
    """What anyone may have written there, as far as it is a line."""
    value = _object(member)
    text = value.get("m")
    if not isinstance(text, str) or not math.isfinite(at):
        return None
    codes = value.get("c")
    known = tuple(map(str, codes)) if isinstance(codes, list) else () if "l" in value else None
    offset = value.get("o")
    return Line(
        at,
        LEVELS.get(_text(value, "l"), "error"),
        clean(text),
        _text(value, "h"),
        _text(value, "j") or job,
        known[:MOST_CODES] if known else known,
        _text(value, "f"),
        offset if isinstance(offset, int) else 0,
    )


def end_of(member: bytes, at: float, job: str) -> End | None:
    """What anyone may have written there, as far as it is the end of a job."""
    value = _object(member)
    elapsed_s = value.get("s")
    if not isinstance(value.get("ok"), bool) or not math.isfinite(at):
        return None
    if not isinstance(elapsed_s, (int, float)) or not 0 <= elapsed_s < MOST_ELAPSED_S:
        elapsed_s = None
    return End(job, at, bool(value["ok"]), None if elapsed_s is None else float(elapsed_s), _text(value, "f"))


def _object(member: bytes) -> dict[str, Any]:
    try:
        value = json.loads(member)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: Mapping[str, object], name: str) -> str:
    found = value.get(name)
    return clean(found)[:500] if isinstance(found, str) else ""


def pairs_of(answer: Any) -> list[tuple[bytes, float]]:
    """Members with their scores, as servers give them in one list or in pairs."""
    if answer and isinstance(answer[0], (list, tuple)):
        return [(_bytes(member), float(at)) for member, at in answer]
    flat = iter(answer)
    return [(_bytes(member), float(at)) for member, at in zip(flat, flat, strict=True)]


def _bytes(member: object) -> bytes:
    return member if isinstance(member, bytes) else str(member).encode()
