"""What a gate looks at: one file before and after, read as Python where it is Python."""

from __future__ import annotations

import ast
import builtins
import io
import tokenize
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from fanfold.fix.findings.finding import Finding
from fanfold.syntax import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
BUILTINS = frozenset(dir(builtins))


def is_python(path: str) -> bool:
    """Whether a file of this name is Python source."""
    return path.endswith((".py", ".pyi"))


@dataclass(frozen=True)
class Edit:
    """A change of one file.

    Args:
        path: relative to the repository root.
        before: the text of the base, empty for a new file.
        after: the text to be judged.
        findings: what the checkers said of the text before, all that is known.
        is_test: whether the file belongs to the tests.
    """

    path: str
    before: bytes
    after: bytes
    findings: tuple[Finding, ...] = ()
    is_test: bool = False

    @cached_property
    def old(self) -> Source:
        """The text before; an empty one where it can't be read as Python."""
        return source_of(self.before) or Source(b"", ast.Module([], []))

    @cached_property
    def new(self) -> Source:
        """The text after; an empty one where it can't be read as Python."""
        return source_of(self.after) or Source(b"", ast.Module([], []))

    @property
    def readable(self) -> bool:
        """Whether both texts can be read as Python."""
        both = (source_of(self.before), source_of(self.after)) if is_python(self.path) else (None,)
        return None not in both

    def rules_at(self, lines: frozenset[int] | range) -> Iterator[Finding]:
        """The findings whose extent meets lines of the text before."""
        for finding in self.findings:
            if any(line in lines for line in range(finding.line, (finding.end_line or finding.line) + 1)):
                yield finding


@dataclass(frozen=True, eq=False)
class Source:
    """A Python text with its tree. Nobody may change the tree: it is shared."""

    text: bytes
    tree: ast.Module

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All of the tree, outer nodes first."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def scopes(self) -> tuple[tuple[str, Definition | ast.Module], ...]:
        """The module and every function and class with its qualified name; one that is there again gets a number."""
        seen: Counter[str] = Counter()
        found: list[tuple[str, Definition | ast.Module]] = [("", self.tree)]
        for name, node in _definitions(self.tree, ""):
            seen[name] += 1
            found.append((name if seen[name] == 1 else f"{name}#{seen[name]}", node))
        return tuple(found)

    @cached_property
    def owned(self) -> Mapping[Definition | ast.Module, tuple[ast.AST, ...]]:
        """All nodes of each scope without those of the functions and classes in it."""
        return {scope: tuple(_own(scope)) for _, scope in self.scopes}

    @cached_property
    def outer(self) -> frozenset[str]:
        """The names that the module itself binds, outside of its functions and classes."""
        own = self.owned[self.tree]
        return frozenset(name for node in own for name in _bindings(node) if not isinstance(node, ast.arg))

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
    def aliases(self) -> Mapping[str, ast.expr]:
        """What is given a name once in the module, outside of functions and classes: `Whatever = Any`."""
        found: dict[str, list[ast.expr]] = {}
        for node in self.tree.body:
            for name, value in _named(node):
                found.setdefault(name, []).append(value)
        return {name: values[0] for name, values in found.items() if len(values) == 1}

    @cached_property
    def bound(self) -> frozenset[str]:
        """All names that anything in the file binds."""
        return frozenset(name for node in self.nodes for name in _bindings(node))

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

    def may_be(self, node: ast.expr, names: Collection[str], *, depth: int = 4) -> bool:
        """Whether an expression names one of `names`, or holds one in a tuple, under whatever name."""
        if isinstance(node, ast.Tuple):
            return any(self.may_be(one, names, depth=depth) for one in node.elts)
        if isinstance(node, ast.Name) and depth and node.id in self.aliases:
            return self.may_be(self.aliases[node.id], names, depth=depth - 1)
        return self.dotted(node) in names

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call with the full name of what is called."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield self.dotted(node.func), node

    @cached_property
    def comments(self) -> tuple[str, ...]:
        """The comments, in their order."""
        return tuple(token.string for token in tokens(self.text) if token.type == tokenize.COMMENT)


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
        case _ if type(node).__name__ in {"TypeVar", "ParamSpec", "TypeVarTuple"}:  # nodes of Python 3.12
            yield node.name  # type: ignore[attr-defined]


@lru_cache(maxsize=16)
def source_of(text: bytes) -> Source | None:
    """The text as Python; None where it isn't."""
    try:
        return Source(text, parse(text))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


@lru_cache(maxsize=16)
def tokens(text: bytes) -> tuple[tokenize.TokenInfo, ...]:
    """The tokens of a Python text; none where it can't be read."""
    try:
        return tuple(tokenize.tokenize(io.BytesIO(text).readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return ()


def plain(node: ast.AST | None) -> str:
    """An expression as a text that doesn't tell where it stood; "" for none."""
    return "" if node is None else ast.unparse(node)


def last_name(node: ast.AST) -> str:
    """What an attribute or a name is called: `c` for `a.b.c`; "" for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield f"{prefix}{child.name}", child
            yield from _definitions(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.expr):
            yield from _definitions(child, prefix)


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    waiting = [*ast.iter_child_nodes(scope)]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Definition):
            waiting.extend(ast.iter_child_nodes(node))
