"""No default that calls share is only given another name, or taken from callers that count on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import Function, plain, walk
from fanfold.fix.gates.source import Source

MUTABLE = frozenset({"builtins.list", "builtins.dict", "builtins.set", "collections.defaultdict", "builtins.bytearray"})


def check(edit: Edit) -> Iterator[str]:
    """A default that calls share is replaced by one that can't be shared, not by another name for it."""
    after = dict(edit.added.scopes)
    for name, scope in edit.removed.scopes:
        new = after.get(name)
        if isinstance(scope, Function) and isinstance(new, type(scope)):
            old_defaults, new_defaults = _defaults_of(scope), _defaults_of(new)
            for one, default in old_defaults.items():
                if not _is_mutable(edit.old, default):
                    continue
                if one not in new_defaults:
                    if one in _parameters(new) and not name.rpartition(".")[2].startswith("_"):
                        yield f"takes the default of {one} of {name} away, which callers may count on"
                    continue
                now = new_defaults[one]
                if _is_mutable(edit.new, now) and plain(now) != plain(default):
                    yield f"still shares the default of {one} between the calls of {name}"
                elif isinstance(now, ast.Constant) and now.value is None and not _asks_for(new, one):
                    yield f"makes None of the default of {one} of {name}, which does not expect it"


def _parameters(node: Function) -> set[str]:
    return {one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}


def _defaults_of(node: Function) -> dict[str, ast.expr]:
    spec = node.args
    positional = [*spec.posonlyargs, *spec.args]
    found = dict(
        zip((one.arg for one in positional[len(positional) - len(spec.defaults) :]), spec.defaults, strict=True)
    )
    return found | {one.arg: value for one, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if value}


def _is_mutable(source: Source, node: ast.expr, depth: int = 4) -> bool:
    if isinstance(node, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    if isinstance(node, ast.Name) and depth and node.id in source.names.aliases:
        return _is_mutable(source, source.names.aliases[node.id], depth - 1)
    if isinstance(node, ast.BoolOp):
        return any(_is_mutable(source, one, depth) for one in node.values)
    if not isinstance(node, ast.Call):
        return False
    inner = node.func
    if isinstance(inner, ast.Lambda):
        return _is_mutable(source, inner.body, depth)
    if isinstance(inner, ast.Attribute) and _is_mutable(source, inner.value, depth):
        return True
    return source.dotted(inner) in MUTABLE or source.dotted(inner) in {"copy.copy", "copy.deepcopy"}


def _asks_for(node: Function, name: str) -> bool:
    """Whether a function looks at an argument before it uses it, or only hands it on."""
    for part in walk(node):
        match part:
            case ast.Compare(left=ast.Name(id=left)) if left == name:
                return True
            case ast.BoolOp(values=values) if any(isinstance(one, ast.Name) and one.id == name for one in values):
                return True
            case ast.If(test=test) | ast.IfExp(test=test) if plain(test) in {name, f"not {name}"}:
                return True
    used = [
        part for part in walk(node) if isinstance(part, ast.Attribute | ast.Subscript | ast.For | ast.comprehension)
    ]
    return not any(plain(getattr(part, "iter", None) or getattr(part, "value", None)) == name for part in used)
