"""No error is made to vanish instead of its cause."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import walk
from fanfold.fix.gates.rules import REMOVES, UNUSED_IMPORT
from fanfold.fix.gates.source import Source

BROAD = frozenset({"builtins.Exception", "builtins.BaseException", "builtins.BaseExceptionGroup"})
OWN_FAULTS = frozenset(
    f"builtins.{name}Error" for name in ("Attribute", "Type", "Name", "UnboundLocal", "Assertion", "NotImplemented")
)
"""What is raised because the code is wrong: handling it hides that."""
UNSAID = frozenset({"S110", "S112", "BLE001", "B110", "B112", "broad-exception-caught", "W0718"})
"""Findings that an error should be told of, or be a certain one."""
NEVER_MEANT = frozenset({"builtins.AssertionError", "builtins.NameError", "builtins.SyntaxError"})
MANY = 6
SUPPRESSIBLE = frozenset({"SIM105"})
QUIET = ast.Pass | ast.Continue | ast.Break


def check(edit: Edit) -> Iterator[str]:
    """No more handlers that do nothing, and none that catch everything, than there were."""
    quiet = _quiet(edit.added) - _quiet(edit.removed)
    if quiet > 0 and (quiet := quiet - _emptied(edit)) > 0:
        yield f"swallows errors in {quiet} more place{'s' if quiet > 1 else ''}"
    broad = _broad(edit.added) - _broad(edit.removed)
    if broad > 0:
        yield f"catches every error, or errors of the code itself, in {broad} more place{'s' if broad > 1 else ''}"
    yield from _elsewhere(edit)
    if _drowned(edit.added) > _drowned(edit.removed):
        yield "leaves a finally clause, which swallows the error on its way"
    if _exits(edit.added) > _exits(edit.removed):
        yield "swallows errors in __exit__"


def _quiet(source: Source) -> int:
    """Handlers that do nothing with an error, and what stands for them."""
    return len(_quiet_handlers(source)) + len(_suppressing(source))


def _quiet_handlers(source: Source) -> list[ast.ExceptHandler]:
    return [node for node in source.of(ast.ExceptHandler) if all(map(_says_nothing, node.body))]


def _suppressing(source: Source) -> list[ast.Call]:
    return [call for name, call in source.calls if name == "contextlib.suppress"]


def _elsewhere(edit: Edit) -> Iterator[str]:
    """What catches everything still does under another name, and what suppresses it says no more than before."""
    if _indirect(edit.added) > _indirect(edit.removed):
        yield "catches every error under another name"
    rules = {finding.rule for finding in edit.findings}
    suppressed = _suppressed(edit.added) - _suppressed(edit.removed)
    wider = suppressed["builtins.BaseException"] and _unbounded(edit.added) > _unbounded(edit.removed)
    if wider or (suppressed and rules & UNSAID and not rules & SUPPRESSIBLE):
        yield "suppresses every error without a word"
    if rules & UNSAID and _busy(edit.added) > _busy(edit.removed):
        yield "swallows errors by a statement that does nothing"
    if rules & UNSAID and _in_parts(edit.added) > _in_parts(edit.removed):
        yield "catches every error by its parts"
    if rules & UNSAID and _unwatched(edit.added) > _unwatched(edit.removed):
        yield "leaves errors to where nobody asks for them"


def _busy(source: Source) -> int:
    """Handlers that do nothing and look as though they did."""
    return sum(
        any(isinstance(one, ast.AugAssign | ast.Assign) for one in each.body) for each in _quiet_handlers(source)
    )


def _in_parts(source: Source) -> int:
    """Handlers of so many kinds that hardly any error is left, or of failed assertions and unknown names."""
    caught = (node.type for node in source.of(ast.ExceptHandler))
    kinds = ([source.dotted(one) for one in each.elts] for each in caught if isinstance(each, ast.Tuple))
    return sum(
        sum(one.startswith("builtins.") for one in ones) >= MANY or not NEVER_MEANT.isdisjoint(ones) for ones in kinds
    )


def _unwatched(source: Source) -> int:
    """What runs elsewhere, where nobody asks for its errors."""
    calls = (node.value for node in source.of(ast.Expr) if isinstance(node.value, ast.Call))
    return sum(_starts(source, call.func) for call in calls)


def _starts(source: Source, called: ast.expr) -> bool:
    match called:
        case ast.Attribute(attr="start", value=ast.Call(func=made)):
            return source.dotted(made).rpartition(".")[2] in {"Thread", "Process", "Timer"}
        case ast.Attribute(attr=name):
            return name in {"submit", "apply_async", "create_task", "ensure_future", "run_in_executor"}
    return False


def _indirect(source: Source) -> int:
    """Handlers of everything that can't be told from their own words."""
    return sum(
        isinstance(caught, ast.Name | ast.Tuple) and source.may_be(caught, BROAD) and _named(caught) not in BROAD
        for caught in (node.type for node in source.of(ast.ExceptHandler))
    )


def _named(node: ast.expr) -> str:
    return f"builtins.{node.id}" if isinstance(node, ast.Name) else ""


def _unbounded(source: Source) -> int:
    """Where even what ends the program is caught."""
    handlers = source.of(ast.ExceptHandler)
    caught = sum(one.type is None or source.dotted(one.type) == "builtins.BaseException" for one in handlers)
    return caught + _suppressed(source)["builtins.BaseException"]


def _suppressed(source: Source) -> Counter[str]:
    """What of everything is suppressed, by name."""
    names = (source.dotted(one) for call in _suppressing(source) for one in call.args)
    return Counter(name for name in names if name in BROAD)


def _emptied(edit: Edit) -> int:
    """Handlers that a finding empties: they only import what nobody needs, or print."""
    return sum(
        not all(map(_says_nothing, node.body)) and all(_says_nothing(one) or _goes(edit, one) for one in node.body)
        for node in edit.old.of(ast.ExceptHandler)
    )


def _goes(edit: Edit, node: ast.stmt) -> bool:
    rules = [one.rule for one in edit.rules_at(range(node.lineno, (node.end_lineno or node.lineno) + 1))]
    return any(rule in UNUSED_IMPORT or REMOVES.get(rule) for rule in rules)


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Return):
        return node.value is None or isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant | ast.Name)
    if isinstance(node, ast.Assign):
        return all(isinstance(one, ast.Name) and not one.id.strip("_") for one in node.targets)
    if isinstance(node, ast.AugAssign):
        return isinstance(node.value, ast.Constant) and node.value.value in (0, "") and isinstance(node.op, ast.Add)
    return isinstance(node, QUIET | ast.Delete)


def _broad(source: Source) -> int:
    handlers = sum(
        _is_broad(source, node.type) and not any(isinstance(one, ast.Raise) for part in node.body for one in walk(part))
        for node in source.of(ast.ExceptHandler)
    )
    return handlers + sum(any(_is_broad(source, one) for one in call.args) for call in _suppressing(source))


def _is_broad(source: Source, caught: ast.expr | None, depth: int = 4) -> bool:
    if caught is None:
        return True
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(source, one, depth) for one in caught.elts)
    if isinstance(caught, ast.Starred):
        return _is_broad(source, caught.value, depth)
    if isinstance(caught, ast.Name) and depth and caught.id in source.names.aliases:
        return _is_broad(source, source.names.aliases[caught.id], depth - 1)
    return source.dotted(caught) in BROAD | OWN_FAULTS


def _drowned(source: Source) -> int:
    """Ways out of a finally clause."""
    return sum(
        isinstance(part, ast.Return | ast.Break | ast.Continue)
        for node in source.of(ast.Try)
        for one in node.finalbody
        for part in walk(one)
    )


def _exits(source: Source) -> int:
    return sum(
        isinstance(part, ast.Return) and isinstance(part.value, ast.Constant) and part.value.value is True
        for name, node in source.scopes
        if name.rpartition(".")[2] in {"__exit__", "__aexit__"}
        for part in source.own(node)
    )
