"""No value is used only so that it counts as used, and no expression is dressed up as something else."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Set

from fanfold.fix.gates import defaults, feigned
from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import Function, plain, walk
from fanfold.fix.gates.rules import UNDEFINED, UNUSED_IMPORT, UNUSED_VALUE, names_of
from fanfold.fix.gates.source import Source
from fanfold.syntax import parse

MISSING = frozenset({"builtins.ImportError", "builtins.ModuleNotFoundError"})
IDLE = frozenset(
    {
        "id", "type", "repr", "str", "len", "bool", "hash", "print", "isinstance", "callable", "vars", "dir", "list",
        "tuple", "set", "dict", "int", "iter", "float", "sorted", "format", "hasattr", "getattr", "any", "all",
    }
)  # fmt: skip
"""Builtins that do nothing with what they are given, as far as the program goes."""

VALUES = (
    ast.Attribute,
    ast.Subscript,
    ast.Tuple,
    ast.Compare,
    ast.BoolOp,
    ast.BinOp,
    ast.UnaryOp,
    ast.Lambda,
    ast.List,
    ast.Dict,
    ast.Set,
)


def check(edit: Edit) -> Iterator[str]:
    """No new statement whose only sense is that a name occurs in it."""
    yield from _idle_statements(edit)
    yield from _idle_branches(edit)
    yield from _dressed(edit)
    yield from _unused_kept(edit)
    yield from _held(edit)
    yield from _invented(edit)
    yield from defaults.check(edit)
    yield from _asked_in_vain(edit)
    yield from feigned.check(edit)


def _idle_statements(edit: Edit) -> Iterator[str]:
    idle = Counter(_idle(edit.added)) - Counter(_idle(edit.removed))
    assigned = {plain(node.value) for node in edit.old.of(ast.Assign)} if idle else set()
    for kind, text in idle:
        if (kind == "calls" and not (_unused(edit) & _words_of(text))) or (kind == "values" and text in assigned):
            continue
        yield f"uses a value only so that it counts as used: {text[:80]}"


def _unused(edit: Edit) -> set[str]:
    """What findings say that nobody uses."""
    return {name for one in edit.findings if one.rule in UNUSED_VALUE | UNUSED_IMPORT for name in names_of(one)}


def _words_of(text: str) -> set[str]:
    return {node.id for node in walk(parse(text)) if isinstance(node, ast.Name)}


def _idle(source: Source) -> Iterator[tuple[str, str]]:
    """Statements that do nothing, each with its kind and its text."""
    loaded = source.names.loaded
    for _, scope in source.scopes:
        nodes = source.own(scope)
        read = Counter(one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load))
        for node in (one for one in nodes if isinstance(one, (ast.stmt, ast.NamedExpr))):
            kind = _kept_or_deleted(node, loaded, read) or _evaluated(source, node)
            if kind:
                yield kind, plain(node.test if isinstance(node, ast.Assert) else node)


def _kept_or_deleted(node: ast.AST, loaded: Set[str], read: Counter[str]) -> str:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if not name.strip("_"):
            return "" if name in loaded else "keeps"
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=value)) if name == value:
            return "keeps"
        case ast.NamedExpr(target=ast.Name(id=name)) if not name.strip("_"):
            return "keeps"
        case ast.Delete(targets=targets) if _deletes_unread(targets, read):
            return "deletes"
    return ""


def _evaluated(source: Source, node: ast.AST) -> str:
    match node:
        case ast.Expr(value=ast.Name()):
            return "names"
        case ast.Expr(value=value) if isinstance(value, VALUES) and not _calls(value):
            return "values"
        case ast.Assert(test=ast.Name()):
            return "calls"
        case ast.Expr(value=ast.Call(func=func, args=[_, *_])):
            return "calls" if source.dotted(func).removeprefix("builtins.") in IDLE else ""
    return ""


def _calls(node: ast.expr) -> bool:
    return any(isinstance(one, ast.Call | ast.Await | ast.Yield | ast.YieldFrom) for one in walk(node))


def _deletes_unread(targets: list[ast.expr], read: Counter[str]) -> bool:
    return any(isinstance(one, ast.Name) and not read[one.id] for one in targets)


def _idle_branches(edit: Edit) -> Iterator[str]:
    after = Counter(plain(node.test) for node in edit.new.of(ast.If, ast.While) if _is_empty(node))
    before = Counter(plain(node.test) for node in edit.old.of(ast.If, ast.While)) if after else Counter()
    for text, count in after.items():
        if count > before[text]:
            yield f"asks something and does nothing with the answer: {text[:80]}"


def _is_empty(node: ast.If | ast.While) -> bool:
    return not node.orelse and all(map(_is_nothing, node.body))


def _is_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _dressed(edit: Edit) -> Iterator[str]:
    """An expression statement that nobody needs is removed or put to use, not wrapped into something harmless."""
    useless = Counter(_expressions(edit.removed)) - Counter(_expressions(edit.added))
    if not useless:
        return
    asserted = Counter(plain(node.test) for node in edit.added.of(ast.Assert))
    asserted -= Counter(plain(node.test) for node in edit.removed.of(ast.Assert))
    for text in useless if not edit.is_test else ():
        if text in asserted:
            yield f"turns an expression without effect into an assertion: {text[:80]}"
    for text, wrapped in Counter(_wrapped(edit.added)) - Counter(_wrapped(edit.removed)):
        if text in useless:
            yield f"keeps an expression without effect in another form: {wrapped[:80]}"


def _expressions(source: Source) -> Iterator[str]:
    for node in source.of(ast.Expr):
        if not isinstance(node.value, ast.Constant) and not _acts(node.value):
            yield plain(node.value)


def _acts(node: ast.expr) -> bool:
    return isinstance(node, ast.Call | ast.Await | ast.Yield | ast.YieldFrom)


def _wrapped(source: Source) -> Iterator[tuple[str, str]]:
    """Expressions that are held by a statement whose result nobody reads."""
    loaded = source.names.loaded
    for node in source.nodes:
        match node:
            case ast.Expr(value=ast.Call(args=[inner, *_], func=func)) if (
                source.dotted(func).removeprefix("builtins.") in IDLE
            ):
                yield plain(inner), plain(node)
            case ast.Expr(value=ast.Call(func=ast.Lambda(body=inner))):
                yield plain(inner), plain(node)
            case ast.Assign(targets=[ast.Name(id=name)], value=inner) if name not in loaded:
                yield plain(inner), plain(node)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as inner) if name not in loaded:
                yield plain(inner), plain(node)


def _unused_kept(edit: Edit) -> Iterator[str]:
    """An import that nobody needs goes, except out of a package's `__init__`, which is there to pass names on."""
    if edit.path.rpartition("/")[2] == "__init__.py":
        return
    for name in sorted(_doubled(edit.new) - _doubled(edit.old)):
        yield f"imports {name} under its own name, so that it counts as used"
    unused = {name for one in edit.findings if one.rule in UNUSED_IMPORT for name in names_of(one)}
    listed = _listed(edit.new) - _listed(edit.old) if unused else set()
    for name in sorted(listed & unused & edit.new.names.imported.keys()):
        yield f"lists {name} in __all__, so that it counts as used"


def _held(edit: Edit) -> Iterator[str]:
    """Nothing is kept by a name that nobody reads, or in a function that nobody calls."""
    unused = _unused(edit)
    known = edit.new.names.loaded | edit.old.names.bound if unused else frozenset()
    for name, node in edit.added.scopes if unused else ():
        for part in edit.added.own(node):
            if not isinstance(part, ast.Assign) or not isinstance(part.targets[0], ast.Name):
                continue
            target = part.targets[0].id
            if target in known or target.startswith("__"):
                continue
            if target.lstrip("_") in unused or {one.id for one in walk(part) if isinstance(one, ast.Name)} & unused:
                yield f"keeps a value by a name that nobody reads: {plain(part)[:80]}"
        private = name.startswith("_") and not name.startswith("__") and "." not in name
        if private and name.partition("#")[0] not in known:
            yield f"adds {name}, which nobody calls"


def _invented(edit: Edit) -> Iterator[str]:
    """A name that isn't there is not made up."""
    unknown = {name for one in edit.findings if one.rule in UNDEFINED for name in names_of(one)}
    for node in edit.added.of(ast.Assign) if unknown else ():
        if isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in unknown - edit.old.names.bound and isinstance(node.value, ast.Constant | ast.Lambda):
                yield f"makes up {name}: {plain(node)[:80]}"
    if unknown:
        for text in Counter(_instead(edit.added)) - Counter(_instead(edit.removed)):
            yield f"makes up what can't be imported: {text[:80]}"


def _instead(source: Source) -> Iterator[str]:
    """What a name is where its import fails, if it is nothing of use."""
    for node in source.of(ast.ExceptHandler):
        if source.dotted(node.type) in MISSING:
            yield from (
                plain(one) for one in node.body if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant)
            )


def _doubled(source: Source) -> set[str]:
    return {one.name for node in source.of(ast.Import, ast.ImportFrom) for one in node.names if one.asname == one.name}


def _listed(source: Source) -> set[str]:
    return {
        part.value
        for node in (*source.of(ast.Assign, ast.AugAssign), *source.of(ast.AnnAssign, ast.Call))
        if _is_all(node)
        for part in walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def _is_all(node: ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Call) -> bool:
    """Whether something is put in `__all__`."""
    if isinstance(node, ast.Call):
        return plain(node.func).split(".")[0] == "__all__"
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(one, ast.Name) and one.id == "__all__" for one in targets)


def _asked_in_vain(edit: Edit) -> Iterator[str]:
    """An argument that nobody needs is not compared with what it never is."""
    unused = {name for one in edit.findings if one.rule in UNUSED_VALUE for name in names_of(one)}
    for scope, node in edit.added.scopes if unused else ():
        if isinstance(node, Function):
            compared = Counter(_identities(node))
            read = Counter(one.id for one in walk(node) if isinstance(one, ast.Name) and one.id in unused)
            for name in sorted(read.keys() & set(_never_none(node))):
                if compared[name] == read[name]:
                    yield f"asks in {scope} for what {name} never is, so that it counts as used"


def _identities(node: ast.AST) -> Iterator[str]:
    for part in walk(node):
        if isinstance(part, ast.Compare) and all(isinstance(one, ast.Is | ast.IsNot) for one in part.ops):
            yield from (one.id for one in (part.left, *part.comparators) if isinstance(one, ast.Name))


def _never_none(node: Function) -> Iterator[str]:
    for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        if one.annotation and not re.search(r"None|Optional|Any|object", plain(one.annotation)):
            yield one.arg
