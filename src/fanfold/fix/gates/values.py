"""No number and no switch changes in a statement that no finding is about."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from fanfold.fix.gates.definitions import header
from fanfold.fix.gates.edit import Definition, Edit
from fanfold.fix.gates.effects import Step, steps


@dataclass(frozen=True)
class Shape:
    """A statement without its numbers, and those."""

    words: str
    values: tuple[str, ...]


def check(edit: Edit) -> Iterator[str]:
    """A statement that is the same but for a number, or True for False, is one that a finding speaks of."""
    if not edit.findings or any(one.line == 0 or one.case or one.checker == "pytest" for one in edit.findings):
        return
    after = steps(edit.new)
    scopes = dict(edit.old.scopes)
    for name, before in steps(edit.old).items():
        if name in after and not _is_about(edit, scopes[name]):
            yield from _changed(edit, before, after[name])


def _is_about(edit: Edit, scope: Definition | ast.Module) -> bool:
    """Whether a finding speaks of a function as a whole."""
    return isinstance(scope, Definition) and any(edit.rules_at(header(scope)))


def _changed(edit: Edit, before: tuple[Step, ...], after: tuple[Step, ...]) -> Iterator[str]:
    there, here = {one.key for one in before}, {one.key for one in after}
    new = [_shape(one) for one in after if one.key not in there]
    for step in before:
        shape = _shape(step)
        if step.key in here or any(edit.rules_at(step.lines)):
            continue
        same = [one for one in new if one.words == shape.words]
        if same and all(one.values != shape.values for one in same):
            old, now = next(pair for pair in zip(shape.values, same[0].values, strict=True) if pair[0] != pair[1])
            yield f"changes {old} to {now}, which no finding is about: {step.key.partition(' ')[2][:80]}"


def _shape(step: Step) -> Shape:
    """Numbers and switches are told apart by their types: 1 for 1.0 is another statement."""
    words, values = [], []
    try:
        for token in tokenize.generate_tokens(io.StringIO(step.key).readline):
            kind = _kind(token)
            words.append(kind or token.string)
            values += [token.string] if kind else []
    except (tokenize.TokenError, SyntaxError):
        return Shape(step.key, ())
    return Shape(" ".join(words), tuple(values))


def _kind(token: tokenize.TokenInfo) -> str:
    if token.string in ("True", "False"):
        return "<switch>"
    if token.type != tokenize.NUMBER:
        return ""
    return "<whole>" if token.string.isdigit() or token.string[:2].lower() in {"0x", "0o", "0b"} else "<fraction>"
