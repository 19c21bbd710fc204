"""What a model is asked: the findings and what helps with them, the most important first, within its context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanfold.agents.llm.code import shown_part
from fanfold.agents.llm.outline import Outline
from fanfold.agents.llm.symbols import symbols_of
from fanfold.agents.protocol import Assignment, Diagnostic, Material
from fanfold.llm import Refused
from fanfold.llm.size import likely_tokens
from fanfold.prompts import Quoted, render
from fanfold.redact import redact

CODE_PART = 0.6
"""Of the context, for the code of the file itself; what it leaves, others get."""
PARTS = {"feedback": 0.15, "advice": 0.15, "explanations": 0.15, "symbols": 0.25, "conventions": 0.1, "examples": 0.15}
"""Of the context, the most that each may have; the first are served first."""
MOST_FINDINGS = 50
MOST_LINE_CHARS = 500
LEAST_TOKENS = 60
"""A cut text with fewer says nothing."""
CHARS_PER_TOKEN = 3
BEFORE = "Attempts before this one were refused or left these findings; the file is as it is shown here."


@dataclass(frozen=True)
class Asked:
    """A question in words, and the findings that it is about."""

    prompt: str
    instructions: str
    in_words: str
    findings: tuple[Diagnostic, ...]


class _Room:
    """The part of a context that is left."""

    def __init__(self, tokens: int) -> None:
        self.whole = tokens
        self.left = tokens

    def take(self, text: str, part: float) -> str:
        """As much of a text as there is room for, in whole lines; "" where that is next to nothing."""
        tokens = min(int(self.whole * part), self.left)
        if likely_tokens(text) > tokens:
            text = text[: tokens * CHARS_PER_TOKEN].rpartition("\n")[0]
            text = f"{text}\n(cut here)" if likely_tokens(text) >= LEAST_TOKENS else ""
        self.left = max(self.left - likely_tokens(text), 0)
        return text


def question(assignment: Assignment, text: str, outline: Outline | None, tokens: int) -> Asked:
    """The question about as many of the findings as there is room for.

    Args:
        text: the file's text.
        outline: of the text; None where it isn't Python that can be parsed.
        tokens: about as many as the question may have.
    """
    material, templates = assignment.material, assignment.material.templates
    instructions, words = render("llm_system", templates), render("llm_words", templates)
    room = _Room(max(tokens - likely_tokens(instructions) - likely_tokens(words), tokens // 2))
    part = shown_part(redact(text), assignment.findings[:MOST_FINDINGS], outline, int(tokens * CODE_PART))
    findings = "\n".join(line_of(one) for one in part.findings)
    room.left -= likely_tokens(part.code) + likely_tokens(findings)
    rules = sorted({one.rule for one in part.findings})
    feedback = room.take(redact(assignment.feedback), PARTS["feedback"])
    advice = room.take(_by_rule(rules, material.advice), PARTS["advice"])
    own_advice = room.take(redact(_by_rule(rules, material.own_advice)), PARTS["advice"])
    explanations = room.take(_by_rule(rules, material.explanations), PARTS["explanations"])
    symbols = [] if outline is None else _symbols(assignment, text, outline, part.findings, room, whole=part.whole)
    prompt = render(
        "llm",
        templates,
        path=repr(assignment.path),
        findings=Quoted("findings", findings),
        explanations=explanations,
        advice=advice,
        own_advice=Quoted("how the project wants such findings fixed", own_advice),
        code=Quoted(f"code of {assignment.path!r}, with line numbers that are not part of it", part.code),
        symbols=symbols,
        conventions=Quoted("the project's conventions", room.take(redact(material.conventions), PARTS["conventions"])),
        examples=Quoted(
            "fixes of such findings that were verified in this project",
            room.take(redact(_examples(rules, material)), PARTS["examples"]),
        ),
        before=BEFORE,
        feedback=Quoted("verification", feedback),
    )
    return Asked(prompt, instructions, words, part.findings)


def refusal_told(refusal: Refused, templates: Mapping[str, str]) -> Refused:
    """The same in the words that the model is told; what it quotes is data."""
    return Refused(render("retry", templates, reasons=Quoted("what was wrong", str(refusal))), why=refusal.why)


def line_of(finding: Diagnostic) -> str:
    """A finding in one line."""
    message = " ".join(redact(finding.message).split())[:MOST_LINE_CHARS]
    return f"- line {finding.line}, column {finding.column}: {finding.checker} {finding.rule}: {message}"


def _symbols(
    assignment: Assignment, text: str, outline: Outline, findings: Sequence[Diagnostic], room: _Room, *, whole: bool
) -> list[Quoted]:
    shown: list[Quoted] = []
    left = PARTS["symbols"]
    for symbol in symbols_of(Path(assignment.root), assignment.path, outline, text, findings):
        if whole and symbol.path == assignment.path:
            continue
        before = room.left
        code = room.take(redact(symbol.code), left)
        left -= (before - room.left) / max(room.whole, 1)
        if code:
            shown.append(Quoted(f"definition of {symbol.name} in {symbol.path!r}, line {symbol.line}", code))
    return shown


def _by_rule(rules: Iterable[str], texts: Mapping[str, str]) -> str:
    return "\n\n".join(f"{rule}: {texts[rule]}" for rule in rules if texts.get(rule))


def _examples(rules: Iterable[str], material: Material) -> str:
    return "\n\n".join(f"{rule}:\n{diff.rstrip()}" for rule in rules for diff in material.examples.get(rule, ())[:2])
