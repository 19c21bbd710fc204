"""Put a function or class, written anew, in the place of the old one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from fanfold.agents.draft import Edit, Lines
from fanfold.agents.llm.answer import Definition
from fanfold.agents.llm.outline import Node, Outline, Place, is_indented, statements
from fanfold.llm import Refused


@dataclass(frozen=True)
class _Written:
    """New source of a function or class, parsed; `offset` lines stand before it in what was parsed."""

    code: str
    node: Node
    offset: int

    @classmethod
    def of(cls, name: str, code: str) -> _Written:
        code = code.strip("\n").rstrip() + "\n"
        offset = int(is_indented(code))
        try:
            body = statements(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise Refused(f"The new source of {name} can't be parsed: {_words(error, offset)}") from None
        if len(body) != 1 or not isinstance(body[0], Node):
            raise Refused(f"The new source of {name} must be that function or class alone, without other code.")
        return cls(code, body[0], offset)

    def indented(self, indent: str) -> str:
        """The source at another depth; lines inside of strings stay as they are, those of docstrings don't."""
        lines = self.code.splitlines(keepends=True)
        own = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
        if own == indent:
            return self.code
        fixed = set(self._inside_strings())
        moved = (
            line if number in fixed or not line.strip() else indent + line.removeprefix(own)
            for number, line in enumerate(lines, start=1)
        )
        return "".join(moved)

    def _inside_strings(self) -> Iterator[int]:
        docs = {id(doc) for node in ast.walk(self.node) if (doc := _docstring(node)) is not None}
        for node in ast.walk(self.node):
            is_text = isinstance(node, ast.JoinedStr) or (
                isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
            )
            if is_text and isinstance(node, ast.expr) and id(node) not in docs:
                yield from range(node.lineno + 1 - self.offset, (node.end_lineno or node.lineno) + 1 - self.offset)


def place_of(wanted: Definition, path: str, outline: Outline | None) -> Place:
    """The function or class that is meant.

    Raises:
        Refused: there is none of that name, or more than one.
    """
    if outline is None:
        raise Refused(f"{path!r} can't be parsed as Python: answer with search and replace alone.")
    places = outline.named(wanted.name)
    if not places:
        raise Refused(f"{path!r} has no function or class {wanted.name!r}; give its qualified name.")
    if len(places) > 1:
        rows = ", ".join(str(place.first) for place in places)
        raise Refused(f"{wanted.name!r} is defined {len(places)} times, at lines {rows}: use search and replace.")
    return places[0]


def replaced(place: Place, code: str, text: str, lines: Lines) -> Edit:
    """The edit that writes one function or class anew, as deep as the old one.

    Raises:
        Refused: the source isn't that of one function or class of that name.
    """
    written = _Written.of(place.name, code)
    _refuse_other(place, written.node)
    start, end = lines.span(place.first)[0], lines.span(place.last)[1]
    first = text[start : lines.span(place.first)[1]]
    content = written.indented(first[: len(first) - len(first.lstrip())])
    return Edit(start, end, content if text[start:end].endswith("\n") else content.rstrip("\n"))


def _refuse_other(place: Place, new: Node) -> None:
    old = place.node
    if new.name != old.name or isinstance(new, ast.ClassDef) != isinstance(old, ast.ClassDef):
        kind = "class" if isinstance(old, ast.ClassDef) else "function"
        raise Refused(f"The new source of {place.name} must be a {kind} named {old.name}.")
    if old.decorator_list and not new.decorator_list:
        names = ", ".join(f"@{ast.unparse(one)}" for one in old.decorator_list)
        raise Refused(f"The new source of {place.name} lacks its decorators: {names}.")


def _docstring(node: ast.AST) -> ast.expr | None:
    body = getattr(node, "body", None)
    first = body[0] if isinstance(node, Node) and isinstance(body, list) and body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return first.value if is_text and isinstance(first, ast.Expr) else None


def _words(error: BaseException, offset: int) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{error.msg} at its line {max(error.lineno - offset, 1)}"
    return str(error) or type(error).__name__
