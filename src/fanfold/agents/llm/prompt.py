"""What a model is asked: the findings and what helps with them, the most important first, within its context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fanfold.agents.llm.excerpt import excerpt
from fanfold.agents.llm.symbols import Symbol, pointed_at, symbols_of
from fanfold.agents.llm.text import Text
from fanfold.agents.protocol import Assignment, Diagnostic, Material
from fanfold.llm import Refused
from fanfold.llm.size import likely_tokens
from fanfold.prompts import Quoted, render
from fanfold.redact import redact

CODE_PART = 0.6
"""Of the context, for the code of the file itself; what it leaves, others get."""
PARTS = {
    "others": 0.25,
    "leave": 0.05,
    "feedback": 0.15,
    "advice": 0.15,
    "explanations": 0.15,
    "symbols": 0.25,
    "conventions": 0.1,
    "examples": 0.15,
}
"""Of the context, the most that each may have; the first are served first."""
MOST_FINDINGS = 50
MOST_LINE_CHARS = 500
LEAST_TOKENS = 60
"""A cut text with fewer says nothing."""
CHARS_PER_TOKEN = 3
BEFORE = "Attempts before this one were refused or left these findings; the file is as it is shown here."
NUMBERED = "with line numbers that are not part of it"


@dataclass(frozen=True)
class Prompt:
    """What a model is told.

    Args:
        instructions: who it is, and how it gives its edits.
        in_words: how it gives them where its server knows no forms.
    """

    text: str
    instructions: str
    in_words: str


class _Room:
    """The part of a context that is left."""

    def __init__(self, tokens: int) -> None:
        self.whole = tokens
        self.left = tokens

    def spend(self, text: str) -> str:
        """A text that is shown in any case."""
        self.left = max(self.left - likely_tokens(text), 0)
        return text

    def most(self, part: float) -> int:
        """As many tokens as a part may have that gets what is left at most."""
        return min(int(self.whole * part), self.left)

    def take(self, text: str, part: float) -> str:
        """As much of a text as there is room for, in whole lines; "" where that is next to nothing."""
        tokens = self.most(part)
        if likely_tokens(text) > tokens:
            text = text[: tokens * CHARS_PER_TOKEN].rpartition("\n")[0]
            text = f"{text}\n(cut here)" if likely_tokens(text) >= LEAST_TOKENS else ""
        return self.spend(text)


def prompt_for(assignment: Assignment, files: Sequence[Text], tokens: int) -> Prompt:
    """The question about as many of the findings as there is room for.

    Args:
        files: the file with the findings, then others that may be changed, too.
        tokens: about as many as the question may have.
    """
    material, templates = assignment.material, assignment.material.templates
    instructions, words = render("llm_system", templates), render("llm_words", templates)
    room = _Room(max(tokens - likely_tokens(instructions) - likely_tokens(words), tokens // 2))
    file, *others = files
    asked = assignment.findings[:MOST_FINDINGS]
    rows = [min(max(one.line, 1), len(file.lines.starts)) for one in asked]
    part = excerpt(redact(file.text), rows, file.outline, int(tokens * CODE_PART))
    findings = [one for one, row in zip(asked, rows, strict=True) if row in part.rows]
    listed = room.spend(_listed(findings))
    room.spend(part.code)
    symbols = symbols_of(Path(assignment.root), file, findings)
    shown = {(file.path, row) for row in part.rows}
    beside: list[Quoted] = []
    for other in others:
        wanted = list(pointed_at(other, findings, symbols)) or [1]
        its = excerpt(redact(other.text), wanted, other.outline, room.most(PARTS["others"]))
        beside.append(Quoted(f"code of {other.path!r}, which may be changed, too, {NUMBERED}", room.spend(its.code)))
        shown |= {(other.path, row) for row in its.rows}
    hidden = [one for one in symbols if not shown.issuperset((one.path, row) for row in one.rows)]
    leave = room.take(_listed(one for one in assignment.leave if one.line in part.rows), PARTS["leave"])
    rules = sorted({one.rule for one in findings})
    feedback = room.take(redact(assignment.feedback), PARTS["feedback"])
    advice = room.take(_by_rule(rules, material.advice), PARTS["advice"])
    own_advice = room.take(redact(_by_rule(rules, material.own_advice)), PARTS["advice"])
    explanations = room.take(_by_rule(rules, material.explanations), PARTS["explanations"])
    text = render(
        "llm",
        templates,
        path=repr(file.path),
        others=" and ".join(repr(other.path) for other in others),
        findings=Quoted("findings", listed),
        leave=Quoted("findings that are to stay", leave),
        explanations=explanations,
        advice=advice,
        own_advice=Quoted("how the project wants such findings fixed", own_advice),
        code=Quoted(f"code of {file.path!r}, {NUMBERED}", part.code),
        other_code=beside,
        symbols=_definitions(hidden, room),
        conventions=Quoted("the project's conventions", room.take(redact(material.conventions), PARTS["conventions"])),
        examples=Quoted(
            "fixes of such findings that were verified in this project",
            room.take(redact(_examples(rules, material)), PARTS["examples"]),
        ),
        before=BEFORE,
        feedback=Quoted("verification", feedback),
    )
    return Prompt(text, instructions, words)


@contextmanager
def refusals_told(templates: Mapping[str, str]) -> Iterator[None]:
    """What is refused within the block is refused in the words that the model is told; what they quote is data."""
    try:
        yield
    except Refused as refusal:
        words = render("retry", templates, reasons=Quoted("what was wrong", str(refusal)))
        raise Refused(words, why=refusal.why) from refusal


def _listed(findings: Iterable[Diagnostic]) -> str:
    return "\n".join(
        f"- line {one.line}, column {one.column}: {one.checker} {one.rule}: "
        f"{' '.join(redact(one.message).split())[:MOST_LINE_CHARS]}"
        for one in findings
    )


def _definitions(symbols: Iterable[Symbol], room: _Room) -> list[Quoted]:
    told: list[Quoted] = []
    left = PARTS["symbols"]
    for symbol in symbols:
        before = room.left
        code = room.take(redact(symbol.code), left)
        left -= (before - room.left) / max(room.whole, 1)
        if code:
            told.append(Quoted(f"definition of {symbol.name} in {symbol.path!r}, line {symbol.line}", code))
    return told


def _by_rule(rules: Iterable[str], texts: Mapping[str, str]) -> str:
    return "\n\n".join(f"{rule}: {texts[rule]}" for rule in rules if texts.get(rule))


def _examples(rules: Iterable[str], material: Material) -> str:
    return "\n\n".join(f"{rule}:\n{diff.rstrip()}" for rule in rules for diff in material.examples.get(rule, ())[:2])
