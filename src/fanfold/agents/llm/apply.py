"""Make a model's edits: all of them, or none where one isn't possible."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence

from fanfold.agents.draft import Edit, Lines
from fanfold.agents.llm.anchor import Sought
from fanfold.agents.llm.answer import Definition, Edits, Replacement
from fanfold.agents.llm.definition import place_of, replaced
from fanfold.agents.llm.text import Text
from fanfold.llm import Refused
from fanfold.syntax import parse


def applied(edits: Edits, files: Sequence[Text]) -> dict[str, str]:
    """The texts of those files that change, by path, with all edits made.

    Args:
        files: that may be changed; the first one is meant where an edit names none and fits no other.
    Raises:
        Refused: with everything that is wrong with them, in words for the model.
    """
    wrong: list[str] = []
    made: dict[str, list[Edit]] = {file.path: [] for file in files}
    wanted: list[Replacement | Definition] = [*edits.replacements, *edits.definitions]
    for one in wanted:
        try:
            file = _file_of(one, files)
            made[file.path].append(_edit(one, file))
        except Refused as refusal:
            wrong.append(str(refusal))
    for file in files:
        wrong += _overlaps(made[file.path], file.lines)
    if wrong:
        raise Refused("\n\n".join(wrong))
    new = {file.path: with_edits(file.text, made[file.path]) for file in files}
    changed = {file.path: new[file.path] for file in files if new[file.path] != file.text}
    if wanted and not changed:
        raise Refused("The edits change nothing.")
    for file in files:
        if file.path in changed and file.outline is not None:
            refuse_broken(changed[file.path], file.path)
    return changed


def _file_of(one: Replacement | Definition, files: Sequence[Text]) -> Text:
    named = one.path.strip().removeprefix("./")
    if not named:
        return next((file for file in files if _fits(one, file)), files[0])
    exact = [file for file in files if file.path == named]
    found = exact or [file for file in files if file.path.endswith(f"/{named}")]
    if len(found) != 1:
        raise Refused(f"{one.path!r} can't be changed, but {' and '.join(repr(file.path) for file in files)} can.")
    return found[0]


def _fits(one: Replacement | Definition, file: Text) -> bool:
    if isinstance(one, Replacement):
        return one.search.strip() in file.text
    return file.outline is not None and bool(file.outline.named(one.name))


def _edit(one: Replacement | Definition, file: Text) -> Edit:
    if isinstance(one, Definition):
        place = place_of(one, file.path, file.outline)
        return replaced(place, file.unmasked(one.code), file.text, file.lines)
    plain = {"search": file.unmasked(one.search), "replace": file.unmasked(one.replace)}
    return Sought(file.path, file.text, file.lines).edit(one.model_copy(update=plain))


def with_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text with edits made that don't touch each other."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.content + text[edit.end :]
    return text


def refuse_broken(text: str, path: str) -> None:
    """Refuse a text that can't be parsed as Python.

    Raises:
        Refused: it is such a text.
    """
    try:
        parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        row = getattr(error, "lineno", None) or 0
        line = text.split("\n")[row - 1] if 0 < row <= text.count("\n") + 1 else ""
        ours = "Python {}.{}".format(*sys.version_info)
        raise Refused(f"With the edits {path!r} can't be parsed any more as {ours}: {error}\n{line}") from None


def _overlaps(edits: Sequence[Edit], lines: Lines) -> list[str]:
    pairs = itertools.pairwise(sorted(edits))
    return [
        f"Two edits overlap at line {lines.number(second.start)}: make one edit of them."
        for first, second in pairs
        if second.start < first.end or second.start == first.start
    ]
