"""Nothing is put in place only to look like what a finding asked for."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import Definition, Function, plain
from fanfold.fix.gates.rules import UNDEFINED, UNUSED_VALUE, names_of
from fanfold.fix.gates.source import Source

PLACEHOLDERS = frozenset(
    {
        "todo", "doc",
        "fixme", "xxx", "tbd", "docstring", "docs", "documentation", "document", "placeholder", "missing",
        "undocumented", "description", "summary", "na", "n", "a", "add", "this", "the", "none", "noqa", "later", "me",
        "write", "here", "_summary_", "_description_", "insert", "fill", "in", "for", "module", "class", "function",
        "method", "package",
    }
)  # fmt: skip


def check(edit: Edit) -> Iterator[str]:
    """No docstring without a word of sense, no helper without a body, no case made for one test."""
    yield from _speechless(edit)
    yield from _helpers(edit)
    yield from _all_at_once(edit)
    yield from _raised(edit)
    yield from _made_for_a_test(edit)


def _speechless(edit: Edit) -> Iterator[str]:
    before = {name for name, _ in _empty_docstrings(edit.removed)}
    for name, text in _empty_docstrings(edit.added):
        if name not in before and not edit.is_test:
            yield f"documents {name or 'the module'} without saying anything: {text[:80]!r}"


def _empty_docstrings(source: Source) -> Iterator[tuple[str, str]]:
    for name, node in source.scopes:
        text = ast.get_docstring(node)
        if text is not None and set(re.findall(r"\w+", text.lower())) <= PLACEHOLDERS:
            yield name, text


def _helpers(edit: Edit) -> Iterator[str]:
    """A name that is missing is not defined as something that does nothing."""
    unknown = {name for one in edit.findings if one.rule in UNDEFINED for name in names_of(one)} - edit.old.names.bound
    for name, node in edit.new.scopes:
        if name in unknown and isinstance(node, Definition) and _does_nothing(node):
            yield f"makes up {name}, which does nothing"
        elif name in unknown & sys.stdlib_module_names and isinstance(node, Definition):
            yield f"makes up {name}, which is a module of Python's own"


def _does_nothing(node: Definition) -> bool:
    if isinstance(node, ast.ClassDef):
        return not node.bases and all(_is_idle(one, set()) for one in node.body)
    spec = node.args
    given = {one.arg for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg) if one}
    return all(_is_idle(one, given) for one in node.body)


def _is_idle(node: ast.stmt, given: set[str]) -> bool:
    """Whether a statement only hands on what it was given, or a constant, or refuses to do anything."""
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.Return(value=None | ast.Constant()):
            return True
        case ast.Return(value=ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name))):
            return name in given
        case ast.Return(value=ast.List(elts=[]) | ast.Dict(keys=[]) | ast.Tuple(elts=[])):
            return True
        case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError"))):
            return True
    return False


def _all_at_once(edit: Edit) -> Iterator[str]:
    """Every local name counts as used where all of them are asked for."""
    if not any(finding.rule in UNUSED_VALUE for finding in edit.findings):
        return
    if _asked_for_all(edit.added) > _asked_for_all(edit.removed):
        yield "asks for all local names, so that each counts as used"


def _asked_for_all(source: Source) -> int:
    tables = {"builtins.locals", "builtins.vars", "builtins.dir"}
    return sum(name in tables and not node.args for name, node in source.calls)


def _raised(edit: Edit) -> Iterator[str]:
    """An assertion is one in whatever words: an expression without effect does not become one."""
    useless = Counter(_useless(edit.removed)) - Counter(_useless(edit.added))
    if edit.is_test or not useless:
        return
    before = set(map(plain, edit.old.of(ast.If)))
    for node in edit.added.of(ast.If):
        raises = len(node.body) == 1 and _is_assertion(edit.new, node.body[0])
        if raises and plain(node) not in before:
            yield f"turns an expression without effect into an assertion: {plain(node.test)[:80]}"


def _useless(source: Source) -> Iterator[str]:
    for node in source.of(ast.Expr):
        if isinstance(node.value, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Name):
            yield plain(node.value)


def _is_assertion(source: Source, node: ast.stmt) -> bool:
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return source.dotted(raised) == "builtins.AssertionError"


def _made_for_a_test(edit: Edit) -> Iterator[str]:
    """No answer stands in the code for the one input that a test gives."""
    if edit.is_test or not any(finding.case or finding.checker == "pytest" for finding in edit.findings):
        return
    before = set(_special_cases(edit.removed))
    for text in _special_cases(edit.added):
        if text not in before:
            yield f"knows the answer to one input: {text[:80]}"


def _special_cases(source: Source) -> Iterator[str]:
    """`if x == [1, 2, 3]: return 6`; what is asked of edges and of words may be honest."""
    for name, scope in source.scopes:
        if not isinstance(scope, Function):
            continue
        for node in source.own(scope):
            match node:
                case ast.If(test=test, body=[ast.Return(value=ast.expr() as value)]) if _is_fixed(value):
                    if any(_is_odd(side) for side in _compared(test)):
                        yield f"{name}: {plain(test)}"
                case ast.IfExp(test=test, body=value) if _is_fixed(value):
                    if any(_is_odd(side) for side in _compared(test)):
                        yield f"{name}: {plain(test)}"


def _compared(test: ast.expr) -> Iterator[ast.expr]:
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and all(isinstance(one, ast.Eq | ast.Is | ast.In) for one in node.ops):
            yield from (node.left, *node.comparators)


def _is_fixed(node: ast.expr) -> bool:
    """Whether a value has no name in it and is no plain yes, no or nothing."""
    bare = isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))
    return not bare and not any(isinstance(one, ast.Name) for one in ast.walk(node))


def _is_odd(node: ast.expr) -> bool:
    """Whether a value is one that nobody would ask for but for one input: no edge such as 0, no word."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return not -1 <= number <= 2
        case ast.UnaryOp(operand=operand):
            return _is_odd(operand)
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return bool(elements) and all(_is_fixed(one) for one in elements)
        case ast.Dict(values=values):
            return bool(values) and all(_is_fixed(one) for one in values)
    return False
