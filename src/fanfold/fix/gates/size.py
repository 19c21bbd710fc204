"""A change is about its findings, and no larger than they explain."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from fanfold.fix.gates import values
from fanfold.fix.gates.edit import Edit, Function, Source
from fanfold.fix.gates.rules import names_of

NEAR_LINES = 5
UNRELATED_LINES = 8
FREE_LINES = 200
LINES_PER_FINDING = 20


@dataclass(frozen=True)
class Hunk:
    """Lines of the text before that were replaced by lines of the text after; blank lines don't count."""

    old: range
    new: range
    lines: int


def too_large(edit: Edit, max_lines: int | None) -> Iterator[str]:
    """At most so many lines, by default what the number of findings explains."""
    limit = max_lines or FREE_LINES + LINES_PER_FINDING * len(edit.findings)
    changed = sum(hunk.lines for hunk in hunks(edit))
    if changed > limit:
        yield f"changes {changed} lines, {limit} are allowed"


def unrelated(edit: Edit) -> Iterator[str]:
    """Few lines that no finding is near, other than those that follow from what was changed near one."""
    if not edit.before or not edit.findings or any(finding.line == 0 for finding in edit.findings):
        return
    yield from values.check(edit)
    places = _places(edit)
    far = [hunk for hunk in hunks(edit) if not _is_near(hunk, places)]
    near = [hunk for hunk in hunks(edit) if _is_near(hunk, places)]
    names = _names_in(edit, near) | {name for one in edit.findings for name in names_of(one)}
    loose = [hunk for hunk in far if not (_names_in(edit, [hunk]) & names)]
    count = sum(hunk.lines for hunk in loose)
    if count > UNRELATED_LINES + 2 * len(edit.findings):
        first = loose[0].new.start or 1
        yield f"changes {count} lines that no finding is about, from line {first} on"


def hunks(edit: Edit) -> list[Hunk]:
    """Where the texts differ, other than by indentation and blank lines."""
    before, after = _lines(edit.before), _lines(edit.after)
    matcher = SequenceMatcher(None, before, after, autojunk=len(before) + len(after) > 4000)
    found = []
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            continue
        count = sum(map(bool, before[first:last])) + sum(map(bool, after[start:end]))
        if count:
            found.append(Hunk(range(first + 1, last + 1), range(start + 1, end + 1), count))
    return found


def _lines(text: bytes) -> list[str]:
    return [line.strip() for line in text.decode("utf-8", "replace").splitlines()]


def _places(edit: Edit) -> set[int]:
    """The lines of the text before that a change may reasonably touch."""
    places: set[int] = set()
    about = [(finding.line, finding.end_line or finding.line) for finding in edit.findings]
    for first, last in about:
        places |= set(range(first - NEAR_LINES, last + NEAR_LINES + 1))
    for node in edit.old.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            places |= set(range(node.lineno - 1, (node.end_lineno or node.lineno) + 2))
    for first, last in _innermost(edit.old, about):
        places |= set(range(first, last + 1))
    return places


def _innermost(source: Source, about: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The extents of the smallest function, or statement of a module or a class, around each place."""
    nodes = [node for node in source.nodes if isinstance(node, ast.stmt) and not isinstance(node, ast.ClassDef)]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for first, last in about:
        around: list[ast.stmt] = [
            one for one in functions if _first(one) <= first and last <= (one.end_lineno or one.lineno)
        ]
        around = around or [one for one in nodes if one.lineno <= first and last <= (one.end_lineno or one.lineno)]
        if around:
            one = max(around, key=_first) if isinstance(around[0], Function) else around[0]
            yield _first(one), one.end_lineno or one.lineno


def _first(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def _is_near(hunk: Hunk, places: set[int]) -> bool:
    lines = hunk.old or range(hunk.old.start - 1, hunk.old.start + 1)
    return not places.isdisjoint(lines)


def _names_in(edit: Edit, chosen: list[Hunk]) -> set[str]:
    """Names that the lines of hunks bind, or name by one side only: what the rest of a file may have to follow."""
    sides = []
    for source, lines in (
        (edit.old, {n for one in chosen for n in one.old}),
        (edit.new, {n for one in chosen for n in one.new}),
    ):
        sides.append({name for node in source.nodes if getattr(node, "lineno", 0) in lines for name in _name(node)})
    return sides[0] ^ sides[1]


def _name(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
