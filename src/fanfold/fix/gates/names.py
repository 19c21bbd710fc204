"""No name is used that is nowhere: in the file, in Python, in the project, in what it has installed."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator

from fanfold.fix.gates.edit import BUILTINS, Edit, Source

ALWAYS = frozenset(
    {
        "__file__", "__name__", "__doc__", "__path__", "__package__", "__spec__", "__loader__", "__builtins__",
        "__class__", "__debug__", "__module__", "__qualname__", "__annotations__", "__dict__", "WindowsError",
        "unicode", "reveal_type", "reveal_locals",
    }
)  # fmt: skip


def check(edit: Edit) -> Iterator[str]:
    """Names, and attributes of self, that the change brings along and nothing defines."""
    for module in sorted(_starred(edit.new) - _starred(edit.old)):
        yield f"imports whatever there is in {module}"
    for name in sorted(_unknown(edit.new) - _unknown(edit.old)):
        yield f"uses the name {name}, which nothing defines"
    for name in sorted(_unknown_attributes(edit.new) - _unknown_attributes(edit.old)):
        yield f"uses {name}, which nothing defines"


def _starred(source: Source) -> set[str]:
    modules = (node for node in source.nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*")
    return {node.module or "." for node in modules}


def _unknown(source: Source) -> set[str]:
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in source.nodes):
        return set()
    loaded = {node.id for node in source.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return loaded - source.bound - BUILTINS - ALWAYS


def _unknown_attributes(source: Source) -> set[str]:
    """Methods and attributes that a class uses of itself and neither has nor inherits."""
    classes = {node.name: node for node in source.nodes if isinstance(node, ast.ClassDef)}
    found = set()
    for name, node in classes.items():
        known = _attributes(source, classes, node)
        if known is None:
            continue
        for method in (one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)):
            found |= {f"{name}.{one}" for one in _used_of_self(method) if one not in known and not one.startswith("__")}
    return found


def _used_of_self(method: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    first = next(iter((*method.args.posonlyargs, *method.args.args)), None)
    if first is None or first.arg not in {"self", "cls"}:
        return set()
    return {
        node.attr
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == first.arg
    }


def _attributes(
    source: Source, classes: dict[str, ast.ClassDef], node: ast.ClassDef, depth: int = 8
) -> set[str] | None:
    """What a class and its bases define; None where that can't be known from this file."""
    if node.decorator_list and any(source.dotted(one) not in PLAIN for one in node.decorator_list):
        return None
    if node.keywords or not depth:
        return None
    found = _defined(source, node)
    if "__getattr__" in found or "__getattribute__" in found or "setattr" in _calls_of(node):
        return None
    for base in node.bases:
        if source.dotted(base) == "builtins.object":
            continue
        inherited = isinstance(base, ast.Name) and base.id in classes and classes[base.id] is not node
        more = _attributes(source, classes, classes[base.id], depth - 1) if inherited else None  # type: ignore[attr-defined]
        if more is None:
            return None
        found |= more
    return found


CONDITIONS = frozenset({"TYPE_CHECKING", "version_info", "platform", "name", "hasattr", "find_spec"})
PLAIN = frozenset({"dataclasses.dataclass", "typing.final", "functools.total_ordering", "functools.cache"})


def _defined(source: Source, node: ast.ClassDef) -> set[str]:
    own = {name for part in source.owned[node] for name in _bound(part)}
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store | ast.Del):
            own.add(part.attr)
    own |= {one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {
        one.name for one in source.owned[node] if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    slots = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
    return own | {one for one in slots if isinstance(one, str)}


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.alias):
        yield node.asname or node.name


def _calls_of(node: ast.AST) -> Collection[str]:
    return {
        one.func.id if isinstance(one.func, ast.Name) else getattr(one.func, "attr", "")
        for one in ast.walk(node)
        if isinstance(one, ast.Call)
    }


def new_imports(edit: Edit) -> frozenset[str]:
    """The full names of what the change imports and the text before didn't: a module, or a name of one."""
    return frozenset((_imports(edit.new) - _imports(edit.old)).keys())


def _conditional(source: Source) -> set[int]:
    """What the code may go on without: it is tried, asked for by a version, or only there for type checkers."""
    return {
        id(part)
        for node in source.nodes
        if isinstance(node, ast.Try) or (isinstance(node, ast.If) and CONDITIONS & set(_words(source, node.test)))
        for part in ast.walk(node)
    }


def _words(source: Source, node: ast.expr) -> Iterator[str]:
    yield from (source.dotted(part).rpartition(".")[2] for part in ast.walk(node))


def _imports(source: Source) -> Counter[str]:
    """Imports that have to work."""
    optional = _conditional(source)
    found: Counter[str] = Counter()
    for node in source.nodes:
        if id(node) in optional:
            continue
        if isinstance(node, ast.Import):
            found.update(one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found.update(f"{module}:{one.name}" for one in node.names)
    return found


def new_attributes(edit: Edit) -> frozenset[str]:
    """The full names of attributes of imported modules that the change uses and the text before didn't."""
    return _of_modules(edit.new) - _of_modules(edit.old)


def _of_modules(source: Source) -> frozenset[str]:
    optional = _conditional(source)
    return frozenset(
        source.dotted(node)
        for node in source.nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and _root(node) in source.imported
        and id(node) not in optional
    )


def _root(node: ast.Attribute) -> str:
    inner = node.value
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner.id if isinstance(inner, ast.Name) else ""
