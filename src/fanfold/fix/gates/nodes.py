"""The nodes of a Python tree."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
"""The fields of a statement that hold statements, in the order of the text."""
Kinds = Mapping[type[ast.AST], list[Any]]
"""Nodes by their kind: each list holds nodes of its key."""


def walk(root: ast.AST, left_out: Collection[ast.AST] = frozenset()) -> tuple[ast.AST, ...]:
    """A node and all in it, outer ones first."""
    found = [root]
    for node in found:
        if left_out:
            found.extend(one for one in children(node) if one not in left_out)
        else:
            found.extend(children(node))
    return tuple(found)


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a scope, functions and classes in it without what is in them."""
    waiting = children(scope)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, DEFINITIONS):
            waiting.extend(children(node))


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right in a node; whether a name is read or written is none, but a property of it."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [one for one in value if isinstance(one, ast.AST)]
        elif isinstance(value, ast.AST) and name != "ctx":
            found.append(value)
    return found


def inner(node: ast.AST) -> Iterator[ast.AST]:
    """The statements, handlers and cases right in a node."""
    for name in BLOCKS:
        yield from getattr(node, name, ())


def definitions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """All functions and classes in a node with their qualified names."""
    for child in inner(node):
        if isinstance(child, Definition):
            yield f"{prefix}{child.name}", child
            yield from definitions(child, f"{prefix}{child.name}.")
        else:
            yield from definitions(child, prefix)


def by_kind(nodes: Iterable[ast.AST]) -> Kinds:
    """Nodes by their kind, those of one kind in their order."""
    found: dict[type[ast.AST], list[Any]] = defaultdict(list)
    for node in nodes:
        found[type(node)].append(node)
    return dict(found)


def plain(node: ast.AST | None) -> str:
    """An expression as a text that doesn't tell where it stood; "" for none."""
    if isinstance(node, ast.Name):
        return node.id
    return "" if node is None else ast.unparse(node)


def last_name(node: ast.AST) -> str:
    """What an attribute or a name is called: `c` for `a.b.c`; "" for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
