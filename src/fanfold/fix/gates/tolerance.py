"""What a test asserts is not made to hold by a way round: a tolerance, another reason, any error at all."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import last_name, plain
from fanfold.fix.gates.source import Source

NEAR = frozenset(
    {
        "approx",
        "isclose",
        "allclose",
        "assert_allclose",
        "assertAlmostEqual",
        "assertNotAlmostEqual",
        "assertAlmostEquals",
    }
)
BOUNDS = frozenset({"abs", "rel", "abs_tol", "rel_tol", "atol", "rtol", "delta"})
RAISING = frozenset({"raises", "assertRaises", "assertRaisesRegex"})
EVERYTHING = frozenset({"builtins.Exception", "builtins.BaseException", "builtins.object"})
TINY = 1e-6


def check(edit: Edit) -> Iterator[str]:
    """No tolerance, no alternative and no wider error than before."""
    for text in Counter(_tolerant(edit.added)) - Counter(_tolerant(edit.removed)):
        yield f"lets a result be off: {text[:80]}"
    choices = [one for one in _asserted(edit.added) if isinstance(one, ast.BoolOp) and isinstance(one.op, ast.Or)]
    asserted = {part for test in _asserted(edit.old) for part in _conjuncts(test)} if choices else set()
    for test in choices:
        if asserted & set(map(plain, test.values)) and plain(test) not in asserted:
            yield f"lets a test pass for another reason, too: {plain(test)[:80]}"
    if _any_error(edit.added) > _any_error(edit.removed):
        yield "expects any error, by another name"


def _tolerant(source: Source) -> Iterator[str]:
    """Comparisons that are not exact, with a bound that is more than rounding, or of whole numbers."""
    for node in source.of(ast.Call):
        if last_name(node.func) in NEAR:
            bounds = [one.value for one in node.keywords if one.arg in BOUNDS]
            whole = any(isinstance(one, ast.Constant) and isinstance(one.value, int) for one in node.args[:2])
            if whole or any(not _is_tiny(one) for one in bounds) or any(one.arg == "places" for one in node.keywords):
                yield ", ".join(map(plain, (*node.args, *(one.value for one in node.keywords if one.arg != "msg"))))


def _is_tiny(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value <= TINY


def _asserted(source: Source) -> list[ast.expr]:
    return [node.test for node in source.of(ast.Assert)]


def _conjuncts(test: ast.expr) -> list[str]:
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else []
    return [plain(test), *map(plain, parts)]


def _any_error(source: Source) -> int:
    """Where any error is expected, and not by a plain name that every linter knows."""
    calls = (node for node in source.of(ast.Call) if last_name(node.func) in RAISING)
    return sum(not _is_plain(one) and source.may_be(one, EVERYTHING) for call in calls for one in call.args[:1])


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"}
