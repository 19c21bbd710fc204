"""Make a model's edits of a text: all of them, or none where one isn't possible."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence

from fanfold.agents.draft import Edit, Lines
from fanfold.agents.llm.anchor import Sought
from fanfold.agents.llm.answer import Definition, Edits, Replacement
from fanfold.agents.llm.definition import edit_of
from fanfold.agents.llm.outline import Outline
from fanfold.agents.llm.text import Text
from fanfold.llm import Refused


def applied(edits: Edits, file: Text, *, is_python: bool) -> str:
    """The text with all edits made; the same text where there are none.

    Raises:
        Refused: with everything that is wrong with them, in words for the model.
    """
    text, lines = file.text, Lines.of(file.text)
    outline = Outline.of(text) if is_python else None
    sought = Sought(text, lines)
    wrong: list[str] = []
    made: list[Edit] = []
    wanted: list[Replacement | Definition] = [*edits.replacements, *edits.definitions]
    for one in wanted:
        try:
            made.append(_edit(one, file, sought, outline))
        except Refused as refusal:
            wrong.append(str(refusal))
    wrong += _overlaps(made, lines)
    if wrong:
        raise Refused("\n\n".join(wrong))
    new = with_edits(text, made)
    if made and new == text:
        raise Refused("The edits change nothing.")
    refuse_broken(new, was_whole=outline is not None)
    return new


def _edit(one: Replacement | Definition, file: Text, sought: Sought, outline: Outline | None) -> Edit:
    if isinstance(one, Definition):
        whole = one.model_copy(update={"code": file.unmasked(one.code)})
        return edit_of(whole, file.text, sought.lines, outline)
    plain = {"search": file.unmasked(one.search), "replace": file.unmasked(one.replace)}
    return sought.edit(one.model_copy(update=plain))


def with_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text with edits made that don't touch each other."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.content + text[edit.end :]
    return text


def refuse_broken(text: str, *, was_whole: bool) -> None:
    """Refuse a text that can't be parsed, where it could be before.

    Raises:
        Refused: it is such a text.
    """
    if not was_whole:
        return
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        row = getattr(error, "lineno", None) or 0
        line = text.split("\n")[row - 1] if 0 < row <= text.count("\n") + 1 else ""
        raise Refused(f"With the edits the file can't be parsed any more: {error}\n{line}") from None


def _overlaps(edits: Sequence[Edit], lines: Lines) -> list[str]:
    pairs = itertools.pairwise(sorted(edits))
    return [
        f"Two edits overlap at line {lines.number(second.start)}: make one edit of them."
        for first, second in pairs
        if second.start < first.end or second.start == first.start
    ]
