"""No name is looked up at run time where a checker can't follow, and no code hides in a text."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from fanfold.fix.gates import hidden
from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.source import Source

RUNNING = frozenset({"builtins.exec", "builtins.eval", "builtins.compile", "builtins.__import__"})
TABLES = frozenset({"builtins.globals", "builtins.locals", "builtins.vars"})
LOOKUPS = frozenset({"builtins.getattr", "builtins.setattr", "builtins.delattr"})
MODULES = frozenset({"importlib.import_module", "importlib.reload", "runpy.run_path", "runpy.run_module"})
INTERPRETERS = frozenset(
    {
        "code.InteractiveInterpreter", "code.InteractiveConsole", "code.interact", "codeop.compile_command",
        "codeop.CommandCompiler", "codeop.Compile", "types.FunctionType", "types.CodeType", "timeit.timeit",
        "timeit.repeat", "timeit.Timer", "pdb.run", "pdb.runeval", "pdb.runcall", "bdb.Bdb", "profile.run",
        "cProfile.run", "doctest.run_docstring_examples", "trace.Trace",
    }
)  # fmt: skip
"""What else runs a text, or code that was put together, as Python."""
INTERNAL = frozenset({"__dict__", "__getattribute__", "__class__", "__builtins__", "__globals__", "__code__"})
NAMELESS = "calls a function without a name, which hides what it is given"
BLOB = re.compile(r"[A-Za-z0-9+/=_-]{160,}")


def check(edit: Edit) -> Iterator[str]:
    """Nothing is looked up, run or replaced behind the checkers' back that was not so before."""
    before, after = Counter(_found(edit.removed)), Counter(_found(edit.added))
    for (what, one), count in after.items():
        if count > before[what, one] and not (edit.is_test and what == NAMELESS):
            yield what
    yield from _dodged(edit)
    yield from hidden.check(edit)


def _found(source: Source) -> Iterator[tuple[str, str]]:
    """What is done behind the checkers' back, with what tells one of a kind from another."""
    for name, node in source.named:
        if isinstance(node.ctx, ast.Load):
            yield from _named(name, node)
            yield from _asked(source, node)
        elif isinstance(node, ast.Attribute):
            yield from _stores(name, node)
    for name, call in source.calls:
        yield from _calls(source, name, call)
    for subscript in source.of(ast.Subscript):
        yield from _subscripts(source, subscript)
        if not isinstance(subscript.ctx, ast.Load):
            yield from _stores(source.dotted(subscript.value), subscript)
    for constant in source.of(ast.Constant):
        text = constant.value.decode("latin-1") if isinstance(constant.value, bytes) else constant.value
        if isinstance(text, str) and BLOB.search(text):
            yield "adds a long text that nobody can read", ""


def _named(name: str, node: ast.Name | ast.Attribute) -> Iterator[tuple[str, str]]:
    if name in RUNNING and name != "builtins.compile":
        yield f"uses {name.removeprefix('builtins.')}, which hides code from the checkers", ""
    if name in {"sys.modules", "sys.meta_path", "sys.path_hooks"}:
        yield f"reaches into {name}", ""
    if isinstance(node, ast.Attribute) and node.attr in {"__builtins__", "__globals__", "__code__"}:
        yield f"reaches into {node.attr}", ""


def _calls(source: Source, name: str, node: ast.Call) -> Iterator[tuple[str, str]]:
    if name in LOOKUPS and len(node.args) >= 2 and (attribute := _text(node.args[1])):
        optional = name == "builtins.getattr" and len(node.args) == 3
        if not optional:
            yield f"looks {attribute!r} up by {name.removeprefix('builtins.')}", attribute
    if name in MODULES and node.args and _text(node.args[0]):
        yield f"imports {_text(node.args[0])!r} behind the checkers' back", ""
    if name == "operator.attrgetter" or name == "operator.methodcaller":
        yield f"looks an attribute up by {name}", ""
    yield from _runs(name)
    if isinstance(node.func, ast.Attribute) and node.func.attr in {"__getattribute__", "__getattr__"}:
        inner = node.func.value
        if not (isinstance(inner, ast.Call) and source.dotted(inner.func) == "builtins.super"):
            yield f"calls {node.func.attr} itself", ""
    if isinstance(node.func, ast.Lambda):
        yield NAMELESS, ""
    if name == "builtins.type" and len(node.args) == 3:
        yield "makes a class that no checker sees", ""


def _runs(name: str) -> Iterator[tuple[str, str]]:
    if name in INTERPRETERS:
        yield f"runs code of a text by {name}", ""
    if name == "builtins.compile":
        yield "uses compile, which hides code from the checkers", ""


def _asked(source: Source, node: ast.Name | ast.Attribute) -> Iterator[tuple[str, str]]:
    """Methods of tables of names, which give one or set it."""
    match node:
        case ast.Attribute(value=ast.Call() as table, attr="get" | "pop" | "__getitem__" | "setdefault" | "update"):
            if source.dotted(table.func) in TABLES:
                yield f"looks a name up in {plain_call(source, table)}", ""


def _subscripts(source: Source, node: ast.Subscript) -> Iterator[tuple[str, str]]:
    value = node.value
    if isinstance(value, ast.Call) and source.dotted(value.func) in TABLES:
        yield f"looks a name up in {plain_call(source, value)}", ""
    if isinstance(value, ast.Attribute) and value.attr in INTERNAL and _text(node.slice):
        yield f"looks {_text(node.slice)!r} up in {value.attr}", ""


def plain_call(source: Source, node: ast.Call) -> str:
    """`globals()` for a call of it, by whatever name."""
    return f"{source.dotted(node.func).removeprefix('builtins.')}()"


def _stores(name: str, node: ast.Attribute | ast.Subscript) -> Iterator[tuple[str, str]]:
    """Names of other modules that are replaced."""
    if name.startswith(("builtins.", "typing.")) or name == "typing.TYPE_CHECKING":
        yield f"replaces {name}", ""
    if isinstance(node, ast.Attribute) and node.attr in {"__class__", "__dict__", "__code__", "__bases__"}:
        yield f"replaces {node.attr} of something", ""


def _dodged(edit: Edit) -> Iterator[str]:
    """A look-up with a default is honest, but not in the place of an attribute that a checker doesn't know."""
    gone = _attributes(edit.removed) - _attributes(edit.added)
    before, after = _optional(edit.removed), _optional(edit.added)
    for name in (after - before).keys() & gone.keys():
        own = name.startswith("__") and name.endswith("__")  # Python gives these to some objects and not to others
        if not own and not _asked_before(edit.old, name):
            yield f"looks {name!r} up by getattr instead of using the attribute"


def _attributes(source: Source) -> Counter[str]:
    return Counter(node.attr for node in source.of(ast.Attribute))


def _optional(source: Source) -> Counter[str]:
    return Counter(
        _text(node.args[1])
        for name, node in source.calls
        if name == "builtins.getattr" and len(node.args) == 3 and _text(node.args[1])
    )


def _asked_before(source: Source, attribute: str) -> bool:
    """Whether the code was about to ask whether the attribute is there."""
    return any(
        name == "builtins.hasattr" and len(node.args) == 2 and _text(node.args[1]) == attribute
        for name, node in source.calls
    ) or any(source.dotted(node.type) == "builtins.AttributeError" for node in source.of(ast.ExceptHandler))


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
