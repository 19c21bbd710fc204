"""No name is used that is nowhere: in the file, in Python, in the project, in what it has installed."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from functools import lru_cache

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import Function, own_nodes, walk
from fanfold.fix.gates.source import BUILTINS, Source

ALWAYS = frozenset(
    {
        "__file__", "__name__", "__doc__", "__path__", "__package__", "__spec__", "__loader__", "__builtins__",
        "__class__", "__debug__", "__module__", "__qualname__", "__annotations__", "__dict__", "WindowsError",
        "unicode", "reveal_type", "reveal_locals",
    }
)  # fmt: skip


PLAIN = frozenset({"dataclasses.dataclass", "typing.final", "functools.total_ordering", "functools.cache"})
CONDITIONS = frozenset({"TYPE_CHECKING", "version_info", "platform", "name", "hasattr", "find_spec"})

Classes = Mapping[str, ast.ClassDef]


def check(edit: Edit) -> Iterator[str]:
    """Names, and attributes of self, that the change brings along and nothing defines."""
    for module in sorted(_starred(edit.new) - _starred(edit.old)):
        yield f"imports whatever there is in {module}"
    for name in sorted(_unknown(edit.new) - _unknown(edit.old)):
        yield f"uses the name {name}, which nothing defines"
    if unknown := _unknown_attributes(edit.new, edit.added.left_out):
        yield from (f"uses {name}, which nothing defines" for name in sorted(unknown - _unknown_attributes(edit.old)))


def _starred(source: Source) -> set[str]:
    return {node.module or "." for node in source.of(ast.ImportFrom) if node.names[0].name == "*"}


def _unknown(source: Source) -> Set[str]:
    return set() if _starred(source) else source.names.loaded - source.names.bound - BUILTINS - ALWAYS


def _unknown_attributes(source: Source, same: Set[ast.AST] = frozenset()) -> set[str]:
    """Methods and attributes that a class uses of itself and neither has nor inherits, but for the `same` classes."""
    classes = {node.name: node for node in source.of(ast.ClassDef)}
    found = set()
    for name, node in classes.items():
        if _is_same(classes, node, same) or (known := _attributes(source, classes, node)) is None:
            continue
        for method in (one for one in node.body if isinstance(one, Function)):
            found |= {f"{name}.{one}" for one in _used_of_self(method) if one not in known and not one.startswith("__")}
    return found


def _is_same(classes: Classes, node: ast.ClassDef, same: Set[ast.AST], depth: int = 8) -> bool:
    """Whether a class and all that it inherits are `same`."""
    bases = (classes[one.id] for one in node.bases if isinstance(one, ast.Name) and one.id in classes)
    return node in same and bool(depth) and all(_is_same(classes, base, same, depth - 1) for base in bases)


def _used_of_self(method: Function) -> set[str]:
    first = next(iter((*method.args.posonlyargs, *method.args.args)), None)
    if first is None or first.arg not in {"self", "cls"}:
        return set()
    return {
        node.attr
        for node in walk(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == first.arg
    }


def _attributes(source: Source, classes: Classes, node: ast.ClassDef, depth: int = 8) -> set[str] | None:
    """What a class and its bases define; None where that can't be known from this file."""
    if node.decorator_list and any(source.dotted(one) not in PLAIN for one in node.decorator_list):
        return None
    names = [one for one in node.bases if source.dotted(one) != "builtins.object"]
    bases = [classes[one.id] for one in names if isinstance(one, ast.Name) and one.id in classes]
    if node.keywords or not depth or node in bases or len(bases) < len(names) or (found := _defined(node)) is None:
        return None
    for base in bases:
        more = _attributes(source, classes, base, depth - 1)
        if more is None:
            return None
        found |= more
    return found


def _defined(node: ast.ClassDef) -> set[str] | None:
    """All that a class may have; None where it makes attributes as it goes."""
    found: set[str] = set()
    for part in walk(node):
        match part:
            case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()) | ast.Constant(value=str(name)):
                found.add(name)
            case ast.Call(func=ast.Name(id="setattr") | ast.Attribute(attr="setattr")):
                return None
    for one in own_nodes(node):
        match one:
            case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=asname):
                found.add(asname or name)
    return None if {"__getattr__", "__getattribute__"} & found else found


def new_imports(edit: Edit) -> frozenset[str]:
    """The full names of what the change imports and the text before didn't: a module, or a name of one."""
    return frozenset((_imports(edit.new) - _imports(edit.old)).keys())


@lru_cache(maxsize=16)
def _conditional(source: Source) -> Set[ast.AST]:
    """What the code may go on without: it is tried, asked for by a version, or only there for type checkers."""
    asked = (node for node in source.of(ast.If) if CONDITIONS & set(_words(source, node.test)))
    found: set[ast.AST] = set()
    for node in (*source.of(ast.Try), *asked):
        found.update(walk(node) if node not in found else ())
    return found


def _words(source: Source, node: ast.expr) -> Iterator[str]:
    yield from (source.dotted(part).rpartition(".")[2] for part in walk(node))


def _imports(source: Source) -> Counter[str]:
    """Imports that have to work."""
    needed = (node for node in source.of(ast.Import) if node not in _conditional(source))
    found = Counter(one.name for node in needed for one in node.names)
    for node in source.of(ast.ImportFrom):
        if node not in _conditional(source):
            module = "." * node.level + (node.module or "")
            found.update(f"{module}:{one.name}" for one in node.names)
    return found


def new_attributes(edit: Edit) -> frozenset[str]:
    """The full names of attributes of imported modules that the change uses and the text before didn't."""
    return _of_modules(edit.new) - _of_modules(edit.old)


def _of_modules(source: Source) -> frozenset[str]:
    return frozenset(
        source.dotted(node)
        for node in source.of(ast.Attribute)
        if isinstance(node.ctx, ast.Load) and _root(node) in source.names.imported and node not in _conditional(source)
    )


def _root(node: ast.Attribute) -> str:
    inner = node.value
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner.id if isinstance(inner, ast.Name) else ""
