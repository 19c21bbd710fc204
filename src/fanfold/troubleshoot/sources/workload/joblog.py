"""A run's log: its beginning and its end, however long it is, and the lines in it that tell most."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.sources.telling import BANNER, COMMON, tells
from fanfold.troubleshoot.sources.workload.refusal import WorkloadError

PAGE_LINES = 500
MOST_STEPS = 12
LINE_CHARS = 300
MOST_BLOCKS = 3
BLOCK_LINES = 3
LEAD_LINES = 2
MOST_CODES = 200
LAST_LINES = 4

Lines = Callable[[int, int, int], Awaitable[tuple[str, bool]]]
"""Lines `first` to `last`, at most so many bytes; the text, and whether it was cut."""

# What servers may answer where a line is asked for that the log doesn't have.
_BEYOND = frozenset({400, 404, 416})
_FIELD = re.compile(r"^= (JOB|USER|JCLFILE|TASK|Job Number|Exit Status)\s*:\s*(.*?)\s*$")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLog:
    """What was read of a log.

    Attributes:
        lines: in their order, those that were dropped from the middle left out.
        gap: so many lines stand before those that were dropped; None = none were.
        total: how many lines the log has; None = it wasn't found out.
        bytes: how much was read and kept.
        cut: what isn't there, in words; "" = all of it is.
    """

    lines: tuple[str, ...]
    gap: int | None = None
    total: int | None = None
    bytes: int = 0
    cut: str = ""

    def field(self, name: str) -> str:
        """What header or footer say of `USER`, `JCLFILE`, `Job Number` or `Exit Status`; "" = nothing."""
        for line in self.lines:
            match = _FIELD.match(line)
            if match and match[1] == name:
                return match[2]
        return ""

    @property
    def exit_status(self) -> int | None:
        """The exit status of the footer, where the run has ended."""
        text = self.field("Exit Status")
        return int(text) if text.lstrip("-").isdigit() else None


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring lines that tell something, and the codes in them."""

    first: int
    lines: tuple[str, ...]
    codes: tuple[str, ...]


async def read_log(lines_of: Lines, *, max_bytes: int, until_s: float) -> JobLog:
    """The beginning and the end of a log, never the whole of a long one.

    How long it is isn't told, so it is found out by asking for single lines further and further on.

    Args:
        max_bytes: of beginning and end together.
        until_s: on the loop's clock; by then what has been read has to do.
    """
    half = max_bytes // 2
    text, was_cut = await lines_of(1, PAGE_LINES, half)
    head = split(text)
    if len(head) > PAGE_LINES or was_cut:
        cut = f"only its first {len(head)} lines ({len(text.encode())} bytes) were read"
        if len(head) > PAGE_LINES:  # a server that ignores which lines were asked for
            return JobLog(lines=tuple(head), bytes=len(text.encode()), cut=cut)
    elif len(head) < PAGE_LINES:
        return JobLog(lines=tuple(head), total=len(head), bytes=len(text.encode()))
    try:
        async with asyncio.timeout_at(until_s):
            first, end = await _tail(lines_of, len(head), half)
    except (TimeoutError, WorkloadError) as error:
        why = "there was no time for more" if isinstance(error, TimeoutError) else "the rest could not be had"
        return JobLog(
            lines=tuple(head), bytes=len(text.encode()), cut=f"only its first {len(head)} lines were read: {why}"
        )
    kept = (*head, *end)
    total = first + len(end) - 1
    dropped = total - len(kept)
    return JobLog(
        lines=kept,
        gap=len(head) if dropped > 0 else None,
        total=total,
        bytes=sum(len(line.encode()) + 1 for line in kept),
        cut=f"{dropped} of its {total} lines, in the middle, were not read" if dropped > 0 else "",
    )


async def _tail(lines_of: Lines, known: int, max_bytes: int) -> tuple[int, list[str]]:
    """The last lines of a log that has at least `known`, without those; and the number of the first of them."""
    low, high = await _between(lines_of, max(known, 1), 8 * PAGE_LINES, PAGE_LINES)
    first = max(known + 1, high - PAGE_LINES)
    text, was_cut = await lines_of(first, high - 1, max_bytes) if first < high else ("", False)
    lines = split(text)
    if was_cut:
        low, _ = await _between(lines_of, low, high, 1)
        return await _last_that_fit(lines_of, first, low, max_bytes)
    if len(lines) < PAGE_LINES // 2 and first > known + 1:
        earlier = max(known + 1, first - PAGE_LINES // 2)
        text, was_cut = await lines_of(earlier, first - 1, max_bytes - len(text.encode()))
        if not was_cut:
            return earlier, [*split(text), *lines]
    return first, lines


async def _last_that_fit(lines_of: Lines, first: int, last: int, max_bytes: int) -> tuple[int, list[str]]:
    """Lines up to the last one: where they are too long together, the later half of them, and so on."""
    while True:
        text, was_cut = await lines_of(first, last, max_bytes)
        if not was_cut or first >= last:
            return first, split(text)
        first += (last - first + 1) // 2


async def _between(lines_of: Lines, low: int, high: int, gap: int) -> tuple[int, int]:
    """A line that is there and one that isn't, at most `gap` apart: found by steps of eight, then by halving."""
    for _ in range(MOST_STEPS):
        if not await _has(lines_of, high):
            break
        low, high = high, 8 * high
    while high - low > gap:
        middle = (low + high) // 2
        if await _has(lines_of, middle):
            low = middle
        else:
            high = middle
    return low, high


async def _has(lines_of: Lines, line: int) -> bool:
    try:
        text, _ = await lines_of(line, line, LINE_CHARS)
    except WorkloadError as error:
        if error.status in _BEYOND:
            return False
        raise
    return bool(text)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a log comes to: the places that tell most, all codes of lines that tell something, its last lines."""

    blocks: tuple[Block, ...]
    codes: tuple[str, ...]
    last: Block


def read_through(log: JobLog) -> Reading:
    """The places in a log that tell most: the first error, which the others may follow from, then the last ones."""
    codes = [codes_in(line) for line in log.lines]
    telling = [tells(line, found) for line, found in zip(log.lines, codes, strict=True)]
    found = [code for told, ones in zip(telling, codes, strict=True) if told for code in ones]
    status = [f"RC={log.exit_status}"] if log.exit_status else []
    printed = [
        line
        for line, ones in zip(log.lines, codes, strict=True)
        if line.strip() and not BANNER.match(line) and not COMMON & set(ones)
    ]
    return Reading(
        blocks=tuple(_block(log, start, codes) for start in _starts(log, telling)),
        codes=tuple(dict.fromkeys([*found[:MOST_CODES], *status])),
        last=Block(0, tuple(shortened(line) for line in printed[-LAST_LINES:]), ()),
    )


def shortened(line: str) -> str:
    """A line that isn't too long to be read; its beginning and its end."""
    if len(line) <= LINE_CHARS:
        return line.rstrip()
    return f"{line[: LINE_CHARS - 60]} … {line[-50:]}".rstrip()


def split(text: str) -> list[str]:
    """The lines of a text as the scheduler counts them: a form feed, which print files have, ends none."""
    lines = text.split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def _starts(log: JobLog, telling: Sequence[bool]) -> list[int]:
    """Where the places begin; lines that differ in numbers alone count once, at the first of them."""
    unlike: dict[str, int] = {}
    for index, line in enumerate(log.lines):
        if telling[index]:
            unlike.setdefault(_DIGITS.sub("#", line), index)
    starts: list[int] = []
    for index in unlike.values():
        if not starts or index >= starts[-1] + BLOCK_LINES:
            starts.append(index)
    return starts if len(starts) <= MOST_BLOCKS else [starts[0], *starts[1 - MOST_BLOCKS :]]


def _block(log: JobLog, start: int, codes: Sequence[tuple[str, ...]]) -> Block:
    """The line itself, those before it that say what was done, and those after it that belong to it: at most a few of
    each, and never across what was dropped."""
    first, end = start, start + 1
    while first > max(0, start - LEAD_LINES) and first != log.gap and not _ends_a_block(log, first - 1, codes):
        first -= 1
    while end < min(start + BLOCK_LINES, len(log.lines)) and end != log.gap and not _ends_a_block(log, end, codes):
        end += 1
    found = dict.fromkeys(code for ones in codes[first:end] for code in ones)
    return Block(first + 1, tuple(map(shortened, log.lines[first:end])), tuple(found))


def _ends_a_block(log: JobLog, index: int, codes: Sequence[tuple[str, ...]]) -> bool:
    return bool(BANNER.match(log.lines[index]) or COMMON & set(codes[index]))
