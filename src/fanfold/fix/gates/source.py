"""A Python text with its tree, read once, and what its names mean."""

from __future__ import annotations

import ast
import builtins
import io
import tokenize
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TypeVar, overload

from fanfold.fix.gates.nodes import DEFINITIONS, Definition, Kinds, by_kind, definitions, own_nodes, walk
from fanfold.syntax import parse

BUILTINS = frozenset(dir(builtins))
NEWER = ("TypeVar", "ParamSpec", "TypeVarTuple")
"""Kinds of nodes of Python 3.12 that bind names."""
BINDING = frozenset(
    {
        ast.Name, ast.arg, *DEFINITIONS, ast.alias, ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping,
        ast.Global, ast.Nonlocal, *(getattr(ast, name) for name in NEWER if hasattr(ast, name)),
    }
)  # fmt: skip
One = TypeVar("One", bound=ast.AST)
Other = TypeVar("Other", bound=ast.AST)


@dataclass(frozen=True, eq=False)
class Names:
    """A whole tree, and what the names in it mean."""

    tree: ast.Module
    _own: dict[Definition | ast.Module, tuple[ast.AST, ...]] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All of the tree, outer nodes first."""
        return walk(self.tree)

    @cached_property
    def kinds(self) -> Kinds:
        """All of the tree by the kinds of nodes."""
        return by_kind(self.nodes)

    def own(self, scope: Definition | ast.Module) -> tuple[ast.AST, ...]:
        """All nodes of a scope without those of the functions and classes in it."""
        if scope not in self._own:
            self._own[scope] = tuple(own_nodes(scope))
        return self._own[scope]

    @cached_property
    def imported(self) -> Mapping[str, str]:
        """Where names that are imported anywhere in the file come from: `t` → `typing`, `A` → `typing.Any`."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for one in node.names:
                    found[one.asname or one.name.split(".")[0]] = one.name if one.asname else one.name.split(".")[0]
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                found |= {one.asname or one.name: f"{module}.{one.name}" for one in node.names}
        return found

    @cached_property
    def modules(self) -> frozenset[str]:
        """What the file calls the modules that it imports as such: `os.path`, `np`."""
        return frozenset(one.asname or one.name for node in self.kinds.get(ast.Import, ()) for one in node.names)

    @cached_property
    def aliases(self) -> Mapping[str, ast.expr]:
        """What is given a name once in the module, outside of functions and classes: `Whatever = Any`."""
        found: dict[str, list[ast.expr]] = {}
        for node in self.tree.body:
            for name, value in _named(node):
                found.setdefault(name, []).append(value)
        return {name: values[0] for name, values in found.items() if len(values) == 1}

    @cached_property
    def outer(self) -> frozenset[str]:
        """The names that the module itself binds, outside of its functions and classes."""
        own = (node for node in self.own(self.tree) if type(node) in BINDING and not isinstance(node, ast.arg))
        return frozenset(name for node in own for name in _bindings(node))

    @cached_property
    def bound(self) -> frozenset[str]:
        """All names that anything in the file binds."""
        binding = (node for kind in self.kinds.keys() & BINDING for node in self.kinds[kind])
        return frozenset(name for node in binding for name in _bindings(node))

    @cached_property
    def loaded(self) -> frozenset[str]:
        """All names that anything in the file reads."""
        return frozenset(node.id for node in self.kinds.get(ast.Name, ()) if isinstance(node.ctx, ast.Load))

    def dotted(self, node: ast.AST | None, *, depth: int = 8) -> str:
        """The full name of what an expression names, however the file calls it; "" where it is no name."""
        if isinstance(node, ast.Attribute):
            head = self.dotted(node.value, depth=depth)
            return f"{head}.{node.attr}" if head else ""
        if not isinstance(node, ast.Name):
            return ""
        if node.id in self.imported:
            return self.imported[node.id]
        alias = self.aliases.get(node.id)
        if alias is not None and depth and isinstance(alias, ast.Name | ast.Attribute):
            return self.dotted(alias, depth=depth - 1)
        return f"builtins.{node.id}" if node.id in BUILTINS and node.id not in self.outer else node.id


@dataclass(frozen=True, eq=False)
class Source:
    """A Python text with its tree, or a part of one. Nobody may change the tree: it is shared.

    Args:
        text: all of it.
        names: what its names mean in all of it.
        left_out: functions and classes that don't belong to the part, with all that is in them.
    """

    text: bytes
    names: Names
    left_out: frozenset[Definition] = frozenset()

    @property
    def has_code_in_strings(self) -> bool:
        """Whether there are f-strings, or the like of a newer Python."""
        return any(kind.__name__ in {"JoinedStr", "TemplateStr"} for kind in self._kinds)

    @property
    def tree(self) -> ast.Module:
        """The tree of the whole text."""
        return self.names.tree

    @cached_property
    def encoding(self) -> str:
        """What the bytes of the text are letters in."""
        return encoding_of(self.text)

    @cached_property
    def _lines(self) -> list[bytes]:
        return self.text.splitlines(keepends=True)

    def text_of(self, node: Definition | ast.expr) -> bytes:
        """The lines on which a node stands, decorators too."""
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        return b"".join(self._lines[first - 1 : node.end_lineno])

    def without(self, definitions: frozenset[Definition]) -> Source:
        """The part that is in none of these functions and classes."""
        return Source(self.text, self.names, definitions)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes, outer ones first."""
        return walk(self.tree, self.left_out) if self.left_out else self.names.nodes

    @cached_property
    def _kinds(self) -> Kinds:
        return by_kind(self.nodes) if self.left_out else self.names.kinds

    @overload
    def of(self, kind: type[One], /) -> Sequence[One]: ...

    @overload
    def of(self, kind: type[One], other: type[Other], /) -> Sequence[One | Other]: ...

    def of(self, *kinds: type[ast.AST]) -> Sequence[ast.AST]:
        """All nodes of one kind, those of another one after them."""
        return [node for kind in kinds for node in self._kinds.get(kind, ())]

    @cached_property
    def scopes(self) -> tuple[tuple[str, Definition | ast.Module], ...]:
        """The module and every function and class with its qualified name; one that is there again gets a number."""
        seen: Counter[str] = Counter()
        found: list[tuple[str, Definition | ast.Module]] = [("", self.tree)]
        for name, node in definitions(self.tree):
            seen[name] += 1
            found.append((name if seen[name] == 1 else f"{name}#{seen[name]}", node))
        return tuple((name, node) for name, node in found if node not in self.left_out)

    def own(self, scope: Definition | ast.Module) -> tuple[ast.AST, ...]:
        """All nodes of a scope without those of the functions and classes in it."""
        return self.names.own(scope)

    def dotted(self, node: ast.AST | None) -> str:
        """The full name of what an expression names, however the file calls it; "" where it is no name."""
        return self.names.dotted(node)

    def may_be(self, node: ast.expr, names: Collection[str], *, depth: int = 4) -> bool:
        """Whether an expression names one of `names`, or holds one in a tuple, under whatever name."""
        if isinstance(node, ast.Tuple):
            return any(self.may_be(one, names, depth=depth) for one in node.elts)
        if isinstance(node, ast.Name) and depth and node.id in self.names.aliases:
            return self.may_be(self.names.aliases[node.id], names, depth=depth - 1)
        return self.dotted(node) in names

    @cached_property
    def named(self) -> tuple[tuple[str, ast.Name | ast.Attribute], ...]:
        """Every name and attribute with its full name, see `dotted`."""
        return tuple((self.dotted(node), node) for node in self.of(ast.Name, ast.Attribute))

    @cached_property
    def calls(self) -> tuple[tuple[str, ast.Call], ...]:
        """Every call with the full name of what is called."""
        return tuple((self.dotted(node.func), node) for node in self.of(ast.Call))


@lru_cache(maxsize=16)
def source_of(text: bytes) -> Source | None:
    """The text as Python; None where it isn't."""
    try:
        return Source(text, Names(parse(text)))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def encoding_of(text: bytes) -> str:
    """What the bytes of a Python text are letters in; "unknown" where it says so wrongly."""
    try:
        return tokenize.detect_encoding(io.BytesIO(text).readline)[0].removesuffix("-sig")
    except (SyntaxError, ValueError):
        return "unknown"


def _named(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case _ if type(node).__name__ == "TypeAlias":  # a node of Python 3.12
            yield node.name.id, node.value  # type: ignore[attr-defined]


def _bindings(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=asname):
            yield asname or name.split(".")[0]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
        case _ if type(node).__name__ in NEWER:
            yield node.name  # type: ignore[attr-defined]
