"""What a test asserts is not made to hold by a way round: a tolerance, another reason, any error at all."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from fanfold.fix.gates.edit import Edit, Source, plain

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
    for text in Counter(_tolerant(edit.new)) - Counter(_tolerant(edit.old)):
        yield f"lets a result be off: {text[:80]}"
    asserted = {part for test in _asserted(edit.old) for part in _conjuncts(test)}
    for test in _asserted(edit.new):
        alternatives = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else []
        if asserted & set(map(plain, alternatives)) and plain(test) not in asserted:
            yield f"lets a test pass for another reason, too: {plain(test)[:80]}"
    if _any_error(edit.new) > _any_error(edit.old):
        yield "expects any error, by another name"


def _tolerant(source: Source) -> Iterator[str]:
    """Comparisons that are not exact, with a bound that is more than rounding, or of whole numbers."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and _last(node.func) in NEAR:
            bounds = [one.value for one in node.keywords if one.arg in BOUNDS]
            whole = any(isinstance(one, ast.Constant) and isinstance(one.value, int) for one in node.args[:2])
            if whole or any(not _is_tiny(one) for one in bounds) or any(one.arg == "places" for one in node.keywords):
                yield ", ".join(map(plain, (*node.args, *(one.value for one in node.keywords if one.arg != "msg"))))


def _is_tiny(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value <= TINY


def _asserted(source: Source) -> list[ast.expr]:
    return [node.test for node in source.nodes if isinstance(node, ast.Assert)]


def _conjuncts(test: ast.expr) -> list[str]:
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else []
    return [plain(test), *map(plain, parts)]


def _any_error(source: Source) -> int:
    """Where any error is expected, and not by a plain name that every linter knows."""
    calls = (node for node in source.nodes if isinstance(node, ast.Call) and _last(node.func) in RAISING)
    return sum(not _is_plain(one) and source.may_be(one, EVERYTHING) for call in calls for one in call.args[:1])


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"}


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
