"""No code is hidden from the checkers, and none is hidden from running."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import Function, last_name, plain
from fanfold.fix.gates.source import Source

COMPARING = re.compile(r"(?:assert\w*|isclose|approx|eq|is_|__eq__|compare_digest)$")
ANSWERS = frozenset({"__eq__", "__contains__", "__le__", "__ge__", "__instancecheck__", "__subclasscheck__"})


def check(edit: Edit) -> Iterator[str]:
    """No condition that is always the same, nothing but imports for type checkers only, no catch-all attributes."""
    before, after = _found(edit.removed), _found(edit.added)
    for what, count in after.items():
        if count > before[what]:
            yield what
    for left in _tautologies(edit.added) - _tautologies(edit.removed):
        yield f"compares {left[:80]} with itself"
    needless = list(dict.fromkeys(_needless(edit.added)))
    asked = {plain(node.test) for node in edit.old.of(ast.If, ast.IfExp)} if needless else set()
    yield from (f"does the same whatever the answer is: {text[:80]}" for text in needless if text not in asked)
    yield from _starred(edit)


def _found(source: Source) -> Counter[str]:
    told = (node for node in source.nodes if not isinstance(node, ast.expr) or isinstance(node, ast.IfExp | ast.BoolOp))
    return Counter(found for node in told for found in _seen(source, node))


def _needless(source: Source) -> Iterator[str]:
    """What is asked with one thing to do for either answer."""
    return (plain(node.test) for node in source.of(ast.If, ast.IfExp) if _is_same(node.body, node.orelse))


def _tautologies(source: Source) -> Counter[str]:
    """What is compared with itself, by an operator or by a method of a test."""
    pairs = [(node.left, node.comparators[0]) for node in source.of(ast.Compare) if len(node.ops) == 1]
    calls = (node for node in source.of(ast.Call) if len(node.args) == 2 and COMPARING.match(last_name(node.func)))
    pairs += [(node.args[0], node.args[1]) for node in calls]
    return Counter(plain(left) for left, right in pairs if type(left) is type(right) and plain(left) == plain(right))


def _seen(source: Source, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        yield from _constant(source, node)
    if isinstance(node, ast.BoolOp):
        yield from _decided(node)
    if isinstance(node, ast.If) and _is_typing(source, node.test):
        yield from _typing_only(source, node)
    if isinstance(node, ast.If) and isinstance(node.test, ast.UnaryOp) and _is_typing(source, node.test.operand):
        yield "hides code from type checkers"
    if isinstance(node, ast.For | ast.AsyncFor) and _is_empty(node.iter):
        yield "adds a loop that never runs"
    for name in ("body", "orelse", "finalbody"):
        if isinstance(statements := getattr(node, name, None), list):
            yield from _dead(statements)
    if isinstance(node, Function) and node.name in {"__getattr__", "__getattribute__"}:
        yield f"adds {node.name}, with which every attribute is there"
    if isinstance(node, ast.FunctionDef) and node.name in ANSWERS and _always_agrees(node):
        yield f"adds {node.name}, which says yes to anything"


def _always_agrees(node: ast.FunctionDef) -> bool:
    body = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return [plain(one) for one in body] == ["return True"]


def _is_same(one: ast.expr | list[ast.stmt], other: ast.expr | list[ast.stmt]) -> bool:
    if isinstance(one, list) or isinstance(other, list):
        return bool(other) and [plain(node) for node in _listed(one)] == [plain(node) for node in _listed(other)]
    return plain(one) == plain(other)


def _listed(nodes: ast.expr | list[ast.stmt]) -> Sequence[ast.AST]:
    return nodes if isinstance(nodes, list) else [nodes]


def _is_empty(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return not node.elts
    return (isinstance(node, ast.Dict) and not node.keys) or (isinstance(node, ast.Constant) and not node.value)


def _dead(statements: list[ast.stmt]) -> Iterator[str]:
    """Statements that come after the way out of their block; a bare `yield` there makes a generator."""
    ways_out = ast.Return | ast.Raise | ast.Continue | ast.Break
    for one, following in itertools.pairwise(statements):
        makes_generator = isinstance(following, ast.Expr) and isinstance(following.value, ast.Yield)
        if isinstance(one, ways_out) and not makes_generator:
            yield f"puts code where it never runs: {plain(following).splitlines()[0][:80]}"


def _decided(node: ast.BoolOp) -> Iterator[str]:
    """A constant in an `and` or an `or` that the rest does not matter for, or that does nothing itself."""
    last = node.values[-1]
    ends = isinstance(last, ast.Constant) and isinstance(last.value, bool) and last.value is isinstance(node.op, ast.Or)
    if ends or any(isinstance(one, ast.Constant) for one in node.values[:-1]):
        yield f"asks for what is always the same: {plain(node)[:80]}"


def _constant(source: Source, node: ast.If | ast.While | ast.IfExp | ast.Assert) -> Iterator[str]:
    test = node.test.operand if isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not) else node.test
    same = isinstance(test, ast.Constant | ast.Tuple | ast.List | ast.Dict | ast.Lambda | ast.JoinedStr)
    if isinstance(test, ast.Call) and source.dotted(test.func) in {"builtins.bool", "builtins.int"}:
        same = not test.args or isinstance(test.args[0], ast.Constant)
    if isinstance(test, ast.Name):
        same = isinstance(source.names.aliases.get(test.id), ast.Constant) and test.id.lstrip("_").isupper()
    if isinstance(test, ast.Compare):
        same = isinstance(test.left, ast.Constant) and all(isinstance(one, ast.Constant) for one in test.comparators)
    endless = isinstance(node, ast.While) and isinstance(test, ast.Constant) and bool(test.value) and test is node.test
    failing = isinstance(node, ast.Assert) and isinstance(test, ast.Constant) and not test.value
    if same and not endless and not failing:
        yield f"asks for what is always the same: {plain(node.test)[:80]}"


def _is_typing(source: Source, test: ast.expr) -> bool:
    return source.dotted(test) in {"typing.TYPE_CHECKING", "typing_extensions.TYPE_CHECKING", "TYPE_CHECKING"}


def _typing_only(source: Source, node: ast.If) -> Iterator[str]:
    """What type checkers see and Python doesn't, imports and names of types left aside."""
    for one in node.body:
        if isinstance(one, ast.Import | ast.ImportFrom | ast.Pass | ast.If | ast.Try):
            continue
        name = getattr(one, "name", None) or plain(one).splitlines()[0]
        if not _is_alias(source, one):
            yield f"shows type checkers what does not run: {str(name)[:80]}"
    for one in node.orelse:
        if not isinstance(one, ast.Import | ast.ImportFrom | ast.Pass):
            yield f"hides from type checkers what runs: {plain(one).splitlines()[0][:80]}"


def _is_alias(source: Source, node: ast.stmt) -> bool:
    """Whether a statement gives a type a name that the file has nowhere else."""
    if type(node).__name__ == "TypeAlias":
        return True
    if isinstance(node, ast.AnnAssign):
        return source.dotted(node.annotation).endswith("TypeAlias")
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Subscript | ast.BinOp | ast.Attribute)


def _starred(edit: Edit) -> Iterator[str]:
    """Named parameters may not disappear in `*args` and `**kwargs`."""
    after = dict(edit.added.scopes)
    for name, old in edit.removed.scopes:
        new = after.get(name)
        if not isinstance(old, Function) or not isinstance(new, type(old)):
            continue
        gone = _named(old) - _named(new)
        if gone and len(_stars(new)) > len(_stars(old)):
            yield f"takes anything instead of {', '.join(sorted(gone))} in {name}"


def _named(node: Function) -> set[str]:
    return {one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}


def _stars(node: Function) -> list[ast.arg]:
    return [one for one in (node.args.vararg, node.args.kwarg) if one]
