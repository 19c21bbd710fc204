"""No number and no switch changes in a statement that no finding is about."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from fanfold.fix.gates.definitions import header
from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.effects import Step, steps
from fanfold.fix.gates.nodes import Definition, Function
from fanfold.fix.gates.source import Source

SPELLING = frozenset({"W605", "PLW1401", "W1401", "anomalous-backslash-in-string", "invalid-escape-sequence"})
UNITS = frozenset({"microseconds", "milliseconds", "seconds", "minutes", "hours", "days", "weeks"})


@dataclass(frozen=True)
class Shape:
    """A statement without its numbers, and those."""

    words: str
    values: tuple[str, ...]


def check(edit: Edit) -> Iterator[str]:
    """A statement that is the same but for a number, or True for False, is one that a finding speaks of."""
    if not edit.findings or any(one.line == 0 or one.case or one.checker == "pytest" for one in edit.findings):
        return
    yield from _defaults(edit)
    if any(one.rule in SPELLING for one in edit.findings):
        yield from _respelt(edit)
    yield from _rematched(edit)
    after = steps(edit.added)
    scopes = dict(edit.removed.scopes)
    for name, before in steps(edit.removed).items():
        if name in after and not _is_about(edit, scopes[name]):
            yield from _changed(edit, before, after[name])


def _is_about(edit: Edit, scope: Definition | ast.Module) -> bool:
    """Whether a finding speaks of a function as a whole."""
    return isinstance(scope, Definition) and any(edit.rules_at(header(scope)))


def _defaults(edit: Edit) -> Iterator[str]:
    """What arguments are that nobody gives is as it was."""
    after = dict(edit.added.scopes)
    for name, old in edit.removed.scopes:
        new = after.get(name)
        if isinstance(old, Function) and isinstance(new, Function) and not any(edit.rules_at(header(old))):
            before, now = (_shape(f"{name} {ast.unparse(one.args)}") for one in (old, new))
            if before.words == now.words and before.values != now.values:
                yield f"changes a default of {name}, which no finding is about"


def _respelt(edit: Edit) -> Iterator[str]:
    """A text that is to be spelt otherwise stays the same."""
    kept = {node.value for node in edit.new.of(ast.Constant) if isinstance(node.value, str)}
    for node in edit.removed.of(ast.Constant):
        if isinstance(node.value, str) and node.value not in kept:
            rules = {one.rule for one in edit.rules_at(range(node.lineno, (node.end_lineno or node.lineno) + 1))}
            if rules & SPELLING:
                yield f"changes a text that was only to be spelt otherwise: {node.value[:80]!r}"


def _rematched(edit: Edit) -> Iterator[str]:
    """A pattern matches what it did."""
    after = dict(_patterns(edit.new))
    for name, call in _patterns(edit.old):
        about = any(edit.rules_at(range(call.lineno, (call.end_lineno or call.lineno) + 1)))
        if not about and name in after and ast.unparse(after[name]) != ast.unparse(call):
            yield f"changes the pattern {name}, which no finding is about"


def _patterns(source: Source) -> Iterator[tuple[str, ast.Call]]:
    for name, value in source.names.aliases.items():
        if isinstance(value, ast.Call) and source.dotted(value.func).endswith("re.compile"):
            yield name, value


def _changed(edit: Edit, before: tuple[Step, ...], after: tuple[Step, ...]) -> Iterator[str]:
    there, here = {one.key for one in before}, {one.key for one in after}
    new = [_shape(one.key) for one in after if one.key not in there]
    for step in before if new else ():
        if step.key in here or any(edit.rules_at(step.lines)):
            continue
        shape = _shape(step.key)
        same = [one for one in new if one.words == shape.words]
        if same and all(one.values != shape.values for one in same):
            old, now = next(pair for pair in zip(shape.values, same[0].values, strict=True) if pair[0] != pair[1])
            yield f"changes {old} to {now}, which no finding is about: {step.key.partition(' ')[2][:80]}"


def _shape(text: str) -> Shape:
    """Numbers and switches are told apart by their types: 1 for 1.0 is another statement."""
    words, values = [], []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = _kind(token)
            words.append(kind or token.string)
            values += [token.string] if kind else []
    except (tokenize.TokenError, SyntaxError):
        return Shape(text, ())
    return Shape(" ".join(words), tuple(values))


def _kind(token: tokenize.TokenInfo) -> str:
    if token.string in ("True", "False"):
        return "<switch>"
    if token.string in UNITS:
        return "<unit>"
    if token.type != tokenize.NUMBER:
        return ""
    return "<whole>" if token.string.isdigit() or token.string[:2].lower() in {"0x", "0o", "0b"} else "<fraction>"
