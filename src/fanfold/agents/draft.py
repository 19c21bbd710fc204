"""A text under repair that remembers which fix wrote which part of it, and where everything stood in the base."""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fanfold.differences import differences

NEWLINE = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, order=True)
class FixId:
    """Which fix this is, however the text around it has moved.

    `base` is where the finding starts in the base text. Inside text that a fix wrote, `base` is where that text was
    put and `within` is 1 for its first character.
    """

    base: int
    within: int
    rule: str


@dataclass(frozen=True, order=True)
class Edit:
    """Replace the characters `start` up to `end` of the current text."""

    start: int
    end: int
    content: str


@dataclass(frozen=True)
class Fix:
    """Edits that belong together: all of them or none."""

    id: FixId
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Piece:
    """A part of the text: base text that was kept, or what the fixes `ids` wrote at `base` ("" where they deleted).

    `within` is how much of the text written there stands before this part of it.
    """

    text: str
    base: int
    kept: bool
    ids: frozenset[FixId] = frozenset()
    within: int = 0

    def cut(self, length: int) -> tuple[Piece, Piece]:
        """The first `length` characters, and the others."""
        base, within = (self.base + length, 0) if self.kept else (self.base, self.within + length)
        return (
            Piece(self.text[:length], self.base, self.kept, self.ids, self.within),
            Piece(self.text[length:], base, self.kept, self.ids, within),
        )

    def place(self, delta: int) -> tuple[int, int]:
        """The identity of the place of a character, as in `FixId`."""
        return (self.base + delta, 0) if self.kept else (self.base, self.within + delta + 1)


@dataclass(frozen=True)
class Draft:
    """A text and its history. `removed` has every fix so far with the text that it took away."""

    base: str
    pieces: tuple[Piece, ...]
    removed: Mapping[FixId, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Draft:
        """The base itself, nothing applied."""
        return cls(text, (Piece(text, 0, kept=True),))

    @functools.cached_property
    def text(self) -> str:
        """The current text."""
        return "".join(piece.text for piece in self.pieces)

    @functools.cached_property
    def lines(self) -> Lines:
        """Where the lines of the current text start."""
        return Lines.of(self.text)

    @functools.cached_property
    def base_lines(self) -> Lines:
        """Where the lines of the base start."""
        return Lines.of(self.base)

    @functools.cached_property
    def _starts(self) -> list[int]:
        return list(itertools.accumulate((len(piece.text) for piece in self.pieces), initial=0))

    def id_at(self, rule: str, offset: int) -> FixId:
        """The identity of a fix for a finding of `rule` that starts at `offset` of the current text."""
        piece, delta = self._piece_at(offset)
        return FixId(*piece.place(delta), rule)

    def base_line_at(self, offset: int) -> int:
        """The line of the base, 1-based, that stood where `offset` of the current text is."""
        piece, delta = self._piece_at(offset)
        return self.base_lines.number(piece.place(delta)[0])

    def _piece_at(self, offset: int) -> tuple[Piece, int]:
        index = min(bisect.bisect_right(self._starts, offset), len(self.pieces)) - 1
        return self.pieces[index], offset - self._starts[index]

    def ids_between(self, start: int, end: int) -> frozenset[FixId]:
        """The fixes that wrote or deleted something from `start` to `end` of the current text, both included."""
        first = max(bisect.bisect_left(self._starts, start) - 1, 0)
        found: set[FixId] = set()
        for begin, piece in zip(self._starts[first:], self.pieces[first:], strict=False):
            if begin > end:
                break
            if not piece.kept and begin + len(piece.text) >= start:
                found |= piece.ids
        return frozenset(found)

    def apply(self, fixes: Sequence[Fix]) -> Draft:
        """The draft with `fixes` made; their edits don't overlap, equal edits of several fixes are made once."""
        text = self.text
        owners: dict[Edit, set[FixId]] = {}
        removed = dict(self.removed)
        for fix in fixes:
            for edit in fix.edits:
                owners.setdefault(edit, set()).add(fix.id)
            removed[fix.id] = removed.get(fix.id, "") + "\n".join(text[edit.start : edit.end] for edit in fix.edits)
        return Draft(self.base, tuple(_spliced(self.pieces, owners)), removed)

    def rewritten(self, text: str) -> Draft:
        """The draft with its text replaced by what another tool made of it; that belongs to no fix."""
        edits = changed_lines(self.text, text)
        return Draft(self.base, tuple(_spliced(self.pieces, {edit: set() for edit in edits})), self.removed)


@dataclass(frozen=True)
class Lines:
    """Line numbers and offsets of a text, lines ending as Python's do: LF, CRLF or CR."""

    starts: tuple[int, ...]
    length: int

    @classmethod
    def of(cls, text: str) -> Lines:
        """The lines of `text`; there is always a first one."""
        return cls((0, *(match.end() for match in NEWLINE.finditer(text))), len(text))

    def offset(self, row: int, column: int) -> int:
        """Where a place in 1-based rows and columns is; past the end of the text is its end."""
        if row > len(self.starts):
            return self.length
        return min(self.starts[max(row, 1) - 1] + column - 1, self.length)

    def number(self, offset: int) -> int:
        """The 1-based line that holds `offset`."""
        return bisect.bisect_right(self.starts, offset)

    def span(self, row: int) -> tuple[int, int]:
        """Where a line starts, and where the next one does."""
        return self.offset(row, 1), self.offset(row + 1, 1)


def changed_lines(old: str, new: str) -> list[Edit]:
    """The edits, in whole lines, that make `new` out of `old`."""
    before, after = _split(old), _split(new)
    starts = list(itertools.accumulate(map(len, before), initial=0))
    return [
        Edit(starts[gone.start], starts[gone.stop], "".join(after[come.start : come.stop]))
        for gone, come in differences(before, after)
    ]


def _split(text: str) -> list[str]:
    starts = Lines.of(text).starts
    return [text[start:end] for start, end in itertools.pairwise((*starts, len(text)))]


def _spliced(pieces: Iterable[Piece], edits: Mapping[Edit, set[FixId]]) -> Iterator[Piece]:
    source = _Source(pieces)
    for edit in sorted(edits):
        yield from source.until(edit.start)
        base = source.base
        replaced = list(source.until(edit.end))
        ids = frozenset(edits[edit]).union(*(piece.ids for piece in replaced))
        yield Piece(edit.content, base, kept=False, ids=ids)
    yield from source.rest()


class _Source:
    """Pieces, taken from the front up to an offset."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._left = list(reversed(list(pieces)))
        self._at = 0
        self._end = 0

    @property
    def base(self) -> int:
        """The place in the base of what comes next."""
        return self._left[-1].base if self._left else self._end

    def until(self, offset: int) -> Iterator[Piece]:
        """Take what ends at or before `offset`, and the part before it of the piece that holds it."""
        while self._left and self._at + len(self._left[-1].text) <= offset:
            yield self._take(self._left.pop())
        if self._left and self._at < offset:
            head, tail = self._left.pop().cut(offset - self._at)
            self._left.append(tail)
            yield self._take(head)

    def _take(self, piece: Piece) -> Piece:
        self._at += len(piece.text)
        self._end = piece.base + (len(piece.text) if piece.kept else 0)
        return piece

    def rest(self) -> Iterator[Piece]:
        """Take all that is left."""
        while self._left:
            yield self._left.pop()
