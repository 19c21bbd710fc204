"""Ask ruff what it would fix in one file, let it fix or format the file."""

from __future__ import annotations

import bisect
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fanfold.agents.draft import Draft, Edit, Fix, FixId
from fanfold.agents.protocol import AgentError
from fanfold.process import Completed, allowed_environment, run

MAX_PASSES = 100
MAX_WORDS_CHARS = 500
SYNTAX = "invalid-syntax"
ORDER = {"F811": -1, "D400": -1, "I001": 1}
"""Of two fixes at one place, F811 and D400 leave the other one nothing to do; I001 writes a whole block anew."""


@dataclass(frozen=True)
class Offer:
    """A finding of ruff in the current text, with the fix that it offers, if any. Rows and columns are 1-based.

    In a notebook they count cell by cell, so the edits are left out there.
    """

    rule: str
    row: int
    column: int
    kind: Literal["safe", "unsafe"] | None = None
    edits: tuple[tuple[int, int, int, int, str], ...] = ()

    def fix(self, draft: Draft) -> Fix:
        """The same with offsets into `draft`, which is the text that ruff saw."""
        at = draft.lines.offset
        edits = sorted(Edit(at(*place[:2]), at(*place[2:]), content) for *place, content in self.edits)
        return Fix(draft.id_at(self.rule, at(self.row, self.column)), tuple(edits))


@dataclass(frozen=True)
class Ruff:
    """Ruff as the project's checks call it, for one file.

    Args:
        command: the program with its arguments for checking, without paths.
        root: where it runs.
        path: the file, relative to `root`.
    """

    command: tuple[str, ...]
    root: Path
    path: str

    async def offers(self) -> tuple[Offer, ...]:
        """Every finding in the file as it stands."""
        done = await self._run(*_without_output(self.command), "--output-format", "json", "--", self.path)
        try:
            return tuple(_offer(one) for one in json.loads(done.stdout))
        except (ValueError, KeyError, TypeError) as error:
            raise AgentError(f"ruff's answer for {self.path} can't be read: {_words(done)}") from error

    async def fix(self, *, unsafe: bool, rules: Collection[str] = ()) -> None:
        """Let ruff fix the file itself; `rules` alone where they are given."""
        only = ("--fixable", ",".join(sorted(rules))) if rules else ()
        risk = ("--unsafe-fixes",) if unsafe else ()
        await self._run(*_without_output(self.command), "--fix-only", "--quiet", *risk, *only, "--", self.path)

    async def format(self) -> None:
        """Let ruff format the file; text that it can't parse stays as it is."""
        await self._run(self.command[0], "format", "--quiet", *_for_format(self.command), "--", self.path, fails=True)

    async def _run(self, *argv: str, fails: bool = False) -> Completed:
        done = await run(argv, cwd=self.root, env=allowed_environment())
        if done.returncode not in {0, 1} and not fails:
            raise AgentError(f"ruff failed on {self.path}: {_words(done)}", hint=f"run {' '.join(argv)}")
        return done


@dataclass(frozen=True)
class RuffFixes:
    """Rewrites a text with all of ruff's fixes of a kind, until there are no more.

    Args:
        ruff: for the file that is rewritten.
        target: that file.
        unsafe: whether fixes that may change behaviour are taken.
        permitted: which rules may be fixed.
    """

    ruff: Ruff
    target: Target
    unsafe: bool
    permitted: Callable[[str], bool]

    def takes(self, offer: Offer) -> bool:
        """Whether this is a fix that is wanted here."""
        return (offer.kind == "safe" or (self.unsafe and offer.kind == "unsafe")) and self.permitted(offer.rule)

    async def rewrite(self, draft: Draft, denied: Collection[FixId]) -> Draft:
        """The draft with every fix made that isn't denied, and those that became possible by them; also on disk."""
        seen = {draft.text}
        self.target.write(draft.text)
        for _ in range(MAX_PASSES):
            fixes = [offer.fix(draft) for offer in await self.ruff.offers() if self.takes(offer)]
            chosen = apart([fix for fix in fixes if fix.id not in denied], draft.text)
            if not chosen:
                break
            draft = draft.apply(chosen)
            self.target.write(draft.text)
            if draft.text in seen:
                break
            seen.add(draft.text)
        return draft


@dataclass(frozen=True)
class Target:
    """The file that is rewritten: UTF-8, its byte order mark kept and hidden."""

    path: Path
    mark: bytes

    @classmethod
    def open(cls, path: Path) -> tuple[Target, str]:
        """The file and its text.

        Raises:
            UnicodeDecodeError: it isn't UTF-8.
        """
        content = path.read_bytes()
        mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
        return cls(path, mark), content[len(mark) :].decode()

    def read(self) -> str:
        """The text as it stands."""
        return self.path.read_bytes().removeprefix(self.mark).decode()

    def write(self, text: str) -> None:
        """Put `text` there; the file stays the same file, with its mode."""
        self.path.write_bytes(self.mark + text.encode())


def covers(selector: str, rule: str) -> bool:
    """Whether one of ruff's rules is meant by `F401`, a prefix, `ALL`, `ruff` or `ruff:F401`; F doesn't mean FBT001."""
    checker, colon, prefix = selector.rpartition(":")
    if checker not in {"", "ruff"}:
        return False
    if prefix in {"ALL", rule} or selector == "ruff" or (colon and not prefix):
        return True
    # PL is the one prefix that ruff has above its linters' letters.
    return (prefix == "PL" or _letters(prefix) == _letters(rule)) and rule.startswith(prefix)


def apart(fixes: Iterable[Fix], text: str) -> list[Fix]:
    """Those fixes, from the first, that don't touch each other's edits and don't empty a block together."""
    chosen: list[Fix] = []
    taken = _Taken()
    blocks: set[int] = set()
    for fix in sorted(fixes, key=lambda fix: (fix.edits[0].start, ORDER.get(fix.id.rule, 0))):
        fresh = [edit for edit in fix.edits if edit not in taken]
        emptied = {block for edit in fresh if (block := _emptied_block(edit, text)) is not None}
        if emptied & blocks or any(taken.touches(edit) for edit in fresh):
            continue
        chosen.append(fix)
        taken.add(fresh)
        blocks |= emptied
    return chosen


class _Taken:
    """Edits that don't touch each other, in order."""

    def __init__(self) -> None:
        self._edits: list[Edit] = []

    def __contains__(self, edit: Edit) -> bool:
        index = bisect.bisect_left(self._edits, edit)
        return self._edits[index : index + 1] == [edit]

    def touches(self, edit: Edit) -> bool:
        """Whether an edit overlaps one of these or lies directly beside it."""
        index = bisect.bisect_left(self._edits, edit)
        beside = self._edits[max(index - 1, 0) : index + 1]
        return any(edit.start <= other.end and other.start <= edit.end for other in beside)

    def add(self, edits: Iterable[Edit]) -> None:
        """Take edits that touch none."""
        for edit in edits:
            bisect.insort(self._edits, edit)


def _emptied_block(edit: Edit, text: str) -> int | None:
    """Where the block begins that loses whole statements by an edit; None at the top level and for other edits.

    Each of two such fixes relies on what the other one takes away.
    """
    gone = text[edit.start : edit.end]
    indent = len(gone) - len(gone.lstrip(" \t"))
    if edit.content.strip() or not indent or not gone.strip() or not gone.endswith(("\n", "\r")):
        return None
    end = edit.start
    while end > 0:
        start = text.rfind("\n", 0, end - 1) + 1
        line = text[start:end]
        if line.strip() and len(line) - len(line.lstrip(" \t")) < indent:
            return start
        end = start
    return None


def _offer(answer: dict[str, Any]) -> Offer:
    place, fix = answer["location"], answer["fix"]
    rule = answer["code"] or SYNTAX
    if fix is None or fix["applicability"] not in {"safe", "unsafe"}:
        return Offer(rule, place["row"], place["column"])
    if answer.get("cell") is not None:
        return Offer(rule, place["row"], place["column"], fix["applicability"])
    edits = tuple(
        (
            *(edit["location"]["row"], edit["location"]["column"]),
            *(edit["end_location"]["row"], edit["end_location"]["column"]),
            edit["content"] or "",
        )
        for edit in fix["edits"]
    )
    return Offer(rule, place["row"], place["column"], fix["applicability"], edits)


def _without_output(command: Sequence[str]) -> tuple[str, ...]:
    """Ruff refuses an option that is given twice."""
    kept: list[str] = []
    words = iter(command)
    for word in words:
        if word in {"--output-format", "--output-file", "-o"}:
            next(words, None)
        elif not word.startswith(("--output-format=", "--output-file=")):
            kept.append(word)
    return tuple(kept)


def _for_format(command: Sequence[str]) -> tuple[str, ...]:
    """The arguments for checking that formatting has as well."""
    kept = [word for word in command if word in {"--isolated", "--no-cache", "--force-exclude", "--preview"}]
    for word, value in itertools.pairwise(command):
        if word in {"--config", "--cache-dir", "--target-version", "--exclude"}:
            kept += [word, value]
    kept += [word for word in command if word.startswith(("--config=", "--cache-dir=", "--target-version="))]
    return tuple(kept)


def _letters(rule: str) -> str:
    match = re.match(r"[A-Z]+", rule)
    return match.group() if match else rule


def _words(done: Completed) -> str:
    words = (done.stderr or done.stdout).decode(errors="replace").split()
    return " ".join(words)[:MAX_WORDS_CHARS] or f"exit code {done.returncode}"
