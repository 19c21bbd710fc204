"""Ask a small model: one function with one or two findings at a time, each answer verified before the next question."""

from __future__ import annotations

import ast
import asyncio
import textwrap
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fanfold.agents.draft import Edit, Lines
from fanfold.agents.llm.answer import fenced_code
from fanfold.agents.llm.apply import refuse_broken, with_edits
from fanfold.agents.llm.definition import replaced
from fanfold.agents.llm.outline import Outline, Place
from fanfold.agents.llm.prompt import refusals_told
from fanfold.agents.llm.text import Text
from fanfold.agents.llm.turn import keeping_slot
from fanfold.agents.protocol import Assignment, Diagnostic
from fanfold.llm import AnswerUnusable, Model, Refused, Usage
from fanfold.llm.size import likely_tokens
from fanfold.prompts import Quoted, render
from fanfold.redact import redact

AT_ONCE = 2
MOST_ADVICE_CHARS = 600
MOST_FEEDBACK_CHARS = 600


@dataclass(frozen=True)
class Piece:
    """A part of the file that is written anew as one: a function, or a statement outside of any.

    Args:
        name: of the function; "" for a statement.
        first: its first line, from 1.
        quotes: the lines that the findings stand on.
    """

    name: str
    first: int
    findings: tuple[Diagnostic, ...]
    quotes: tuple[str, ...]

    @property
    def called(self) -> str:
        """What notes call it."""
        return self.name or f"line {self.findings[0].line}"


@dataclass
class SmallSteps:
    """One file on its way, piece by piece from its end, so that the places of what is left stay what they are.

    Attributes:
        said, notes: what was asked and answered, and what became of it.
        kept: how many answers were verified and stay.
    """

    assignment: Assignment
    model: Model
    file: Text
    tokens: int
    write: Callable[[str], Awaitable[None]]
    said: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept: int = 0
    usage: Usage = field(default_factory=Usage)

    async def work(self) -> None:
        """Ask about each piece; the file holds what was verified.

        Raises:
            ModelError: the model can't be asked at all; what was verified before stays.
        """
        text, outline = self.file.text, self.file.outline
        if outline is None:
            self.notes.append("only Python that can be parsed is asked about piece by piece")
            return
        fixed = (await self.assignment.verify()).fixed
        for piece in pieces_of(text, outline, self.assignment.findings):
            made = await self._asked(piece, text)
            if made is None or made == text:
                continue
            await self.write(made)
            verdict = await self.assignment.verify()
            if verdict.harmless and verdict.fixed > fixed:
                text, fixed = await asyncio.to_thread(self._text_now), verdict.fixed
                self.kept += 1
            else:
                await self.write(text)
                why = "; ".join(verdict.reasons[:2]) or "fixes nothing"
                self.notes.append(f"{piece.called}: {why}")

    def _text_now(self) -> str:
        return Text.open(self.assignment.root, self.assignment.path).text

    async def _asked(self, piece: Piece, text: str) -> str | None:
        """The text with the answer in it; None where there is none that can be used."""
        target = _Target.of(piece, text)
        if target is None:
            return None
        code = text[slice(*target.span(Lines.of(text)))]
        if likely_tokens(code) > self.tokens:
            self.notes.append(f"{piece.called}: it is too long for a model with this context")
            return None

        made: list[str] = []

        async def check(answer: str) -> None:
            with refusals_told(self.assignment.material.templates):
                made.append(_with(self.file.unmasked(_code_in(answer)), target, text, self.file.path))

        prompt = render("small", self.assignment.material.templates, **self._values(piece, code))
        try:
            with keeping_slot():
                asked = await self.model.ask(prompt, str, check=check, purse=self.assignment.purse)
        except AnswerUnusable as error:
            self.said.append(error.said)
            self.usage += error.usage
            self.notes.append(f"{piece.called}: {error.message}")
            return None
        self.said.append(asked.said)
        self.usage += asked.usage
        return made[-1]

    def _values(self, piece: Piece, code: str) -> dict[str, object]:
        findings = "\n".join(
            f"- {one.rule}: {' '.join(redact(one.message).split())} (in the line: {redact(quote).strip()})"
            for one, quote in zip(piece.findings, piece.quotes, strict=True)
        )
        material, rules = self.assignment.material, sorted({one.rule for one in piece.findings})
        ours, own = (_some(texts, rules) for texts in (material.advice, material.own_advice))
        # Of what failed before, what is known of this piece: `work` notes it so.
        failed = [line for line in self.assignment.feedback.splitlines() if line.startswith(f"{piece.called}: ")]
        return {
            "count": len(piece.findings),
            "path": repr(self.assignment.path),
            "findings": Quoted("findings", findings),
            "code": Quoted("code", redact(code)),
            "advice": ours,
            "own_advice": Quoted("how the project wants such findings fixed", redact(own)),
            "feedback": Quoted("verification", redact("\n".join(failed[-AT_ONCE:]))[:MOST_FEEDBACK_CHARS]),
        }


def _some(texts: Mapping[str, str], rules: Iterable[str]) -> str:
    return "\n\n".join(texts[rule][:MOST_ADVICE_CHARS] for rule in rules if rule in texts)


def pieces_of(text: str, outline: Outline, findings: Sequence[Diagnostic]) -> list[Piece]:
    """The findings by the function or statement that they stand in, one or two to a piece, from the end of the file."""
    lines = text.split("\n")
    found: dict[tuple[int, str], list[Diagnostic]] = {}
    for finding in findings:
        place = outline.innermost(finding.line, ast.FunctionDef, ast.AsyncFunctionDef)
        first = place.first if place else outline.statement(finding.line)[0]
        found.setdefault((first, place.name if place else ""), []).append(finding)
    return [
        Piece(name, first, tuple(some), tuple(lines[one.line - 1] if one.line <= len(lines) else "" for one in some))
        for (first, name), those in sorted(found.items(), key=lambda pair: pair[0], reverse=True)
        for some in (those[start : start + AT_ONCE] for start in range(0, len(those), AT_ONCE))
    ]


@dataclass(frozen=True)
class _Target:
    """Where a piece is now: its lines, and the function that they are."""

    first: int
    last: int
    place: Place | None

    @classmethod
    def of(cls, piece: Piece, text: str) -> _Target | None:
        outline = Outline.of(text)
        if outline is None:
            return None
        if not piece.name:
            first, last = outline.statement(piece.first)
            return cls(first, last, None)
        places = [one for one in outline.places if one.first == piece.first and one.name == piece.name]
        return cls(places[0].first, places[0].last, places[0]) if places else None

    def span(self, lines: Lines) -> tuple[int, int]:
        """The offsets of the lines."""
        return lines.span(self.first)[0], lines.span(self.last)[1]


def _code_in(answer: str) -> str:
    """The longest code block of an answer.

    Raises:
        Refused: there is none.
    """
    blocks = fenced_code(answer.replace("\r\n", "\n"))
    if not any(block.strip() for block in blocks):
        raise Refused("There is no code block in the answer: give the complete code between ```python and ```.")
    return max(blocks, key=len)


def _with(code: str, target: _Target, text: str, path: str) -> str:
    """The text with new code in the place of the old.

    Raises:
        Refused: it isn't the code that was asked for, or nothing is changed by it.
    """
    lines = Lines.of(text)
    if target.place is not None:
        edit = replaced(target.place, _alone(code, target.place), text, lines)
    else:
        start, end = target.span(lines)
        edit = Edit(start, end, _as_deep(code, text[start:end]))
    new = with_edits(text, [edit])
    if new == text:
        raise Refused("The code is the same as before.")
    refuse_broken(new, path)
    return new


def _alone(code: str, place: Place) -> str:
    """The function without what a model put around it."""
    outline = Outline.of(code)
    if outline is None or len(outline.tree.body) < 2:
        return code
    found = [one for one in outline.places if one.name == place.node.name]
    return "\n".join(code.split("\n")[found[0].first - 1 : found[0].last]) if len(found) == 1 else code


def _as_deep(code: str, old: str) -> str:
    indent = old[: len(old) - len(old.lstrip(" \t"))]
    code = textwrap.indent(textwrap.dedent(code.strip("\n")), indent)
    return f"{code}\n" if old.endswith("\n") else code
