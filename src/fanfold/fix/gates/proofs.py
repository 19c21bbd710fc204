"""No function claims a type that it doesn't look at."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import Function, plain
from fanfold.fix.gates.source import Source

GUARDS = frozenset({"TypeGuard", "TypeIs"})
WRITERS = frozenset({"json.dumps", "pickle.dumps", "marshal.dumps", "yaml.dump", "yaml.safe_dump", "builtins.repr"})
READERS = frozenset(
    {"json.loads", "pickle.loads", "marshal.loads", "yaml.load", "yaml.safe_load", "ast.literal_eval"}
)  # fmt: skip


def check(edit: Edit) -> Iterator[str]:
    """No guard that says yes to anything, no lambda of another type, no value that lost its type on a round trip."""
    for name in sorted(set(_blind_guards(edit.added)) - set(_blind_guards(edit.removed))):
        yield f"adds the type guard {name}, which doesn't look at what it is given"
    for text in Counter(_claimed(edit.added)) - Counter(_claimed(edit.removed)):
        yield f"claims a type by a lambda that takes anything: {text[:80]}"
    if edit.old.tree.body and not edit.is_test:
        yield from _round_trips(edit)


def _blind_guards(source: Source) -> Iterator[str]:
    for name, node in source.scopes:
        if not isinstance(node, Function) or not isinstance(node.returns, ast.Subscript):
            continue
        if source.dotted(node.returns.value).rpartition(".")[2] in GUARDS and not _looks(source, node):
            yield name


def _looks(source: Source, node: Function) -> bool:
    """Whether what a guard returns depends on what it is given."""
    given = {one.arg for one in (*node.args.posonlyargs, *node.args.args)} - {"self", "cls"}
    read = {one.id for part in node.body for one in ast.walk(part) if isinstance(one, ast.Name)}
    answers = [one.value for one in source.own(node) if isinstance(one, ast.Return) and one.value]
    return bool(given & read) and not all(_is_yes(source, one) for one in answers)


def _is_yes(source: Source, answer: ast.expr) -> bool:
    if isinstance(answer, ast.Call) and source.dotted(answer.func) == "builtins.isinstance":
        return len(answer.args) == 2 and source.dotted(answer.args[1]) == "builtins.object"
    return isinstance(answer, ast.Constant) and bool(answer.value)


def _claimed(source: Source) -> Iterator[str]:
    for node in source.of(ast.AnnAssign):
        match node:
            case ast.AnnAssign(value=ast.Lambda(args=ast.arguments(args=[_, *_]), body=body)) if _takes_anything(
                source, node
            ) and not isinstance(body, ast.Constant):
                yield plain(node)


def _takes_anything(source: Source, node: ast.AnnAssign) -> bool:
    if not isinstance(node.annotation, ast.Subscript) or not isinstance(node.annotation.slice, ast.Tuple):
        return False
    taken = node.annotation.slice.elts[0]
    named = [
        source.dotted(one).rpartition(".")[2] for one in ast.walk(taken) if isinstance(one, ast.Name | ast.Attribute)
    ]
    return "Any" in named or (isinstance(taken, ast.Constant) and taken.value is Ellipsis)


def _round_trips(edit: Edit) -> Iterator[str]:
    """What is written and read back in one place is of any type, and the same as before."""
    before = dict(_trips(edit.removed))
    for name, count in _trips(edit.added):
        if count > before.get(name, 0):
            yield f"writes a value and reads it back{f' in {name}' if name else ''}, after which it is of any type"


def _trips(source: Source) -> Iterator[tuple[str, int]]:
    for name, scope in source.scopes:
        called = [source.dotted(one.func) for one in source.own(scope) if isinstance(one, ast.Call)]
        yield name, min(sum(one in WRITERS for one in called), sum(one in READERS for one in called))
