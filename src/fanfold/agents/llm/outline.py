"""Where the functions and classes of a Python file are, by qualified name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from fanfold.syntax import parse

Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Place:
    """One function or class.

    Args:
        first, last: its lines, from 1, decorators included.
    """

    name: str
    node: Node
    first: int
    last: int

    def holds(self, line: int) -> bool:
        """Whether a line is one of its lines."""
        return self.first <= line <= self.last


@dataclass(frozen=True)
class Outline:
    """A file's syntax tree, with its functions and classes in the order in which they begin."""

    tree: ast.Module
    places: tuple[Place, ...]

    @classmethod
    def of(cls, text: str) -> Outline | None:
        """The outline of a text; None where it can't be parsed."""
        try:
            tree = parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        return cls(tree, tuple(_places(tree, "")))

    def named(self, name: str) -> list[Place]:
        """Those of a qualified name; else those whose qualified name ends so."""
        exact = [place for place in self.places if place.name == name]
        return exact or [place for place in self.places if place.name.endswith(f".{name}")]

    def innermost(self, line: int, *kinds: type[Node]) -> Place | None:
        """The smallest function or class around a line, of some kinds; None at the top level."""
        around = [one for one in self.places if one.holds(line) and isinstance(one.node, kinds or Node)]
        return min(around, key=lambda one: one.last - one.first, default=None)

    def statement(self, line: int) -> tuple[int, int]:
        """First and last line of the smallest statement without a body of its own around a line; else that line."""
        spans = [
            (node.lineno, node.end_lineno or node.lineno)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.stmt) and not hasattr(node, "body")
        ]
        around = [(first, last) for first, last in spans if first <= line <= last]
        return min(around, key=lambda span: span[1] - span[0], default=(line, line))


def statements(code: str) -> list[ast.stmt]:
    """The statements of a source, however deep all of it is indented; where it is, lines count from 2.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it can't be parsed.
    """
    if not is_indented(code):
        return parse(code).body
    tree = parse(f"if 1:\n{code}")
    first = tree.body[0]
    return first.body if len(tree.body) == 1 and isinstance(first, ast.If) else tree.body


def is_indented(code: str) -> bool:
    """Whether a source begins deeper than at the margin."""
    return code[:1] in {" ", "\t"}


def _places(node: ast.AST, prefix: str) -> Iterator[Place]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Node):
            name = f"{prefix}{child.name}"
            first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
            yield Place(name, child, first, child.end_lineno or child.lineno)
            yield from _places(child, f"{name}.")
        else:
            yield from _places(child, prefix)
