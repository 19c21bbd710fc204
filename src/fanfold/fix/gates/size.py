"""A change is about its findings, and no larger than they explain."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from fanfold.differences import differences
from fanfold.fix.gates import values
from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import Function
from fanfold.fix.gates.rules import names_of
from fanfold.fix.gates.source import Source

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
    limit = UNRELATED_LINES + 2 * len(edit.findings)
    if sum(hunk.lines for hunk in hunks(edit)) <= limit:
        return
    places = _places(edit)
    near = [hunk for hunk in hunks(edit) if _is_near(hunk, places)]
    far = [hunk for hunk in hunks(edit) if hunk not in near]
    sides = _by_line(edit.old), _by_line(edit.new)
    names = _names_in(near, *sides) | {name for one in edit.findings for name in names_of(one)}
    loose = [hunk for hunk in far if not (_names_in([hunk], *sides) & names)]
    count = sum(hunk.lines for hunk in loose)
    if count > limit:
        yield f"changes {count} lines that no finding is about, from line {loose[0].new.start or 1} on"


def hunks(edit: Edit) -> tuple[Hunk, ...]:
    """Where the texts differ, other than by indentation and blank lines."""
    return _hunks(edit.before, edit.after)


@lru_cache(maxsize=16)
def _hunks(before: bytes, after: bytes) -> tuple[Hunk, ...]:
    there, here = _lines(before), _lines(after)
    found = []
    for old, new in differences(there, here):
        count = sum(bool(there[one]) for one in old) + sum(bool(here[one]) for one in new)
        if count:
            found.append(Hunk(range(old.start + 1, old.stop + 1), range(new.start + 1, new.stop + 1), count))
    return tuple(found)


def _lines(text: bytes) -> list[str]:
    return [line.strip() for line in text.decode("utf-8", "replace").splitlines()]


def _places(edit: Edit) -> set[int]:
    """The lines of the text before that a change may reasonably touch."""
    places: set[int] = set()
    about = [(finding.line, finding.end_line or finding.line) for finding in edit.findings]
    for first, last in about:
        places |= set(range(first - NEAR_LINES, last + NEAR_LINES + 1))
    for node in edit.old.of(ast.Import, ast.ImportFrom):
        places |= set(range(node.lineno - 1, (node.end_lineno or node.lineno) + 2))
    for first, last in _innermost(edit.old, about):
        places |= set(range(first, last + 1))
    return places


def _innermost(source: Source, about: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The extents of the smallest function, or statement of a module or a class, around each place."""
    nodes = [node for node in source.nodes if isinstance(node, ast.stmt) and not isinstance(node, ast.ClassDef)]
    functions = [*source.of(ast.FunctionDef), *source.of(ast.AsyncFunctionDef)]
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


def _names_in(chosen: Iterable[Hunk], *sides: Mapping[int, set[str]]) -> set[str]:
    """Names that the lines of hunks bind, or name by one side only: what the rest of a file may have to follow."""
    old, new = sides
    there = {name for hunk in chosen for line in hunk.old for name in old.get(line, ())}
    here = {name for hunk in chosen for line in hunk.new for name in new.get(line, ())}
    return there ^ here


def _by_line(source: Source) -> Mapping[int, set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for node in source.nodes:
        found[getattr(node, "lineno", 0)].update(_name(node))
    return found


def _name(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
