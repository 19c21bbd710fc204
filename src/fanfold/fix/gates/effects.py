"""What the statements of a scope do to the world, one after another, so that two versions can be laid side by side."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from fanfold.fix.gates.nodes import DEFINITIONS, children
from fanfold.fix.gates.source import Source

CONTAINERS = frozenset({"bytes", "str", "int", "float", "bool", "list", "tuple", "dict", "set", "frozenset"})


ACTING = (ast.Call, ast.Yield, ast.YieldFrom, ast.Await, ast.Attribute, ast.Subscript)


class Effect(NamedTuple):
    """A kind of effect, and on what: `call save`, `raise ValueError`, `store .name`."""

    kind: str
    name: str


@dataclass(frozen=True)
class Step:
    """A statement, or the head of one that holds others, with what it does by itself.

    Args:
        key: the same for the same code.
        lines: where it stands, and where the heads of all that it stands in do.
        effects: what it does, without what nobody would miss.
    """

    key: str
    node: ast.AST
    lines: frozenset[int]
    effects: Counter[Effect]


PURE = re.compile(
    r"""^(?:
        builtins\.(?:abs|all|any|ascii|bin|bool|bytearray|bytes|callable|chr|classmethod|complex|dict|dir|divmod|enumerate
            |filter|float|format|frozenset|getattr|hasattr|hash|hex|id|int|isinstance|issubclass|iter|len|list|map|max
            |memoryview|min|object|oct|ord|pow|property|range|repr|reversed|round|set|slice|sorted|staticmethod|str|sum
            |super|tuple|type|vars|zip|globals|locals
            |[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt|Iteration))
        |os\.path\.\w+|posixpath\.\w+|os\.(?:getcwd|getenv|environ\.get|getpid|fspath|cpu_count)
        |time\.(?:time|monotonic|perf_counter|process_time)(?:_ns)?|datetime\.\S+|math\.\w+|re\.(?:compile|escape)
        |itertools\.\w+|functools\.\w+|operator\.\w+|collections\.\S+|typing\.\w+|typing_extensions\.\w+|string\.\w+
        |textwrap\.\w+|copy\.\w+|pathlib\.\w+|dataclasses\.\w+|inspect\.\w+|platform\.\w+|six\.\S+|decimal\.\w+
        |fractions\.\w+|enum\.\w+|types\.\w+|json\.dumps|abc\.\w+|numbers\.\w+|struct\.calcsize|warnings\.catch_warnings
        |future\.\S+|past\.\S+|contextlib\.(?:suppress|nullcontext)|operator\.\w+|uuid\.UUID|io\.(?:StringIO|BytesIO)
    )$""",
    re.VERBOSE,
)
PURE_METHODS = frozenset(
    {
        "keys", "values", "items", "iterkeys", "itervalues", "iteritems", "viewkeys", "viewvalues", "viewitems",
        "format", "strip", "lstrip", "rstrip", "lower", "upper", "title", "encode", "decode", "join", "split", "rsplit",
        "splitlines", "startswith", "endswith", "replace", "get", "copy", "count", "index", "find", "rfind", "has_key",
        "isdigit", "isalpha", "isspace", "zfill", "ljust", "rjust", "center", "removeprefix", "removesuffix",
        "total_seconds", "isoformat", "strftime", "union", "intersection", "difference", "issubset", "issuperset",
        "capitalize", "partition", "rpartition", "casefold", "is_absolute", "exists", "is_file", "is_dir", "as_posix",
        "with_suffix", "with_name", "relative_to", "resolve", "most_common", "date", "timestamp", "bit_length",
        "hexdigest", "digest", "group", "groups",
    }
)  # fmt: skip
AMBIGUOUS = frozenset({"get", "copy", "replace", "index", "find", "resolve", "date", "group"})
"""Methods of plain values that functions of modules have the names of, such as `requests.get`."""
REWRITABLE = frozenset(
    {
        "append", "extend", "add", "update", "insert", "setdefault", "discard", "remove", "pop", "clear", "sort",
        "write", "writelines", "read", "readlines", "readline", "open", "close", "print", "print_", "warn", "warning",
        "exception", "error", "debug", "info", "log", "critical", "assertEqual", "assertTrue", "assertFalse",
        "assertIn", "assertIsNone", "assertIsNotNone", "assertIs", "assertNotEqual", "assertEquals", "assertRaises",
        "TypeVar", "TypedDict", "NamedTuple", "namedtuple", "ParamSpec", "NewType", "Field", "field", "Query",
        "Depends", "next", "exit", "quit", "_exit", "fromtimestamp", "utcnow", "now", "today",
    }
)  # fmt: skip
"""Calls that other code may stand for: loops become comprehensions, `open` becomes a method of a path."""


def is_pure(source: Source, call: ast.Call) -> bool:
    """Whether a call has no effect that anybody would miss, as far as its name tells."""
    name = source.dotted(call.func)
    if PURE.match(name):
        return True
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in PURE_METHODS:
        return False
    return call.func.attr not in AMBIGUOUS or name.split(".")[0] not in source.names.imported.values()


@lru_cache(maxsize=16)
def steps(source: Source) -> Mapping[str, tuple[Step, ...]]:
    """The statements of each scope in the order of the text, those of functions and classes in it left out."""
    found = {}
    for name, scope in source.scopes:
        outer = not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
        found[name] = tuple(_steps(source, scope.body, frozenset(), outer=outer))
    return found


@lru_cache(maxsize=16)
def effects(source: Source) -> Counter[Effect]:
    """All that a file does."""
    total: Counter[Effect] = Counter()
    for ones in steps(source).values():
        for step in ones:
            total.update(step.effects)
    return total


def _steps(source: Source, body: list[ast.stmt], above: frozenset[int], *, outer: bool) -> Iterator[Step]:
    for node in body:
        if isinstance(node, DEFINITIONS):
            continue
        own, blocks = _parts(node)
        last = node.end_lineno or node.lineno
        if blocks:
            last = max(
                (part.end_lineno or node.lineno for part in own if hasattr(part, "end_lineno")), default=node.lineno
            )
        lines = above | frozenset(range(node.lineno, last + 1))
        key = f"{type(node).__name__} {' ; '.join(map(ast.unparse, own))}"
        yield Step(key, node, lines, Counter(_effects(source, node, own, outer=outer)))
        for block in blocks:
            yield from _steps(source, block, lines, outer=outer)
        for handler in getattr(node, "handlers", ()):
            inner = lines | {handler.lineno}
            caught = "" if handler.type is None else ast.dump(handler.type)
            yield Step(f"except {caught} {handler.name}", handler, inner, Counter())
            yield from _steps(source, handler.body, inner, outer=outer)
        for case in getattr(node, "cases", ()):
            inner = lines | {case.pattern.lineno}
            yield Step(f"case {ast.dump(case.pattern)}", case, inner, Counter())
            yield from _steps(source, case.body, inner, outer=outer)


def _parts(node: ast.stmt) -> tuple[list[ast.AST], list[list[ast.stmt]]]:
    """A statement's own expressions, and the blocks of statements in it."""
    blocks = [
        getattr(node, name) for name in ("body", "orelse", "finalbody") if isinstance(getattr(node, name, None), list)
    ]
    if not blocks and not isinstance(node, ast.Match):
        return [node], []
    own = [
        part
        for name, value in ast.iter_fields(node)
        if name not in ("body", "orelse", "finalbody", "handlers", "cases")
        for part in (value if isinstance(value, list) else [value])
        if isinstance(part, ast.AST)
    ]
    return own, blocks


def _effects(source: Source, node: ast.stmt, own: list[ast.AST], *, outer: bool) -> Iterator[Effect]:
    raised = node.exc if isinstance(node, ast.Raise) else None
    for part in own:
        for one in _run(part):
            if isinstance(one, ACTING) and one is not raised:
                yield from _of_expression(source, one)
    yield from _of_statement(node)
    if outer and isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = (one.id for one in targets if isinstance(one, ast.Name))
        yield from (Effect("name", name) for name in names if not name.startswith("_"))


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """All of an expression that is run with its statement: what a lambda does is not."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if not isinstance(one, ast.Lambda):
            waiting.extend(children(one))


def _of_expression(source: Source, node: ast.AST) -> Iterator[Effect]:
    if isinstance(node, ast.Call) and not is_pure(source, node):
        yield _called(source, node)
    elif isinstance(node, ast.Yield | ast.YieldFrom):
        yield Effect("yield", "")
    elif isinstance(node, ast.Await):
        yield Effect("await", "")
    elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        yield Effect("store", f".{node.attr}" if isinstance(node, ast.Attribute) else "[]")


def _of_statement(node: ast.stmt) -> Iterator[Effect]:
    match node:
        case ast.Raise(exc=exc):
            name = _last(exc) if exc else ""
            yield Effect("raise", "NotImplementedError" if name == "NotImplemented" else name)
        case ast.Return(value=ast.expr() as value) if not is_constant(value):
            yield Effect("return", "")
        case ast.AugAssign(target=ast.Name(id=name)):
            yield Effect("store", name)
        case ast.Assert(test=test) if not (isinstance(test, ast.Constant) and test.value):
            yield Effect("assert", "")


def _called(source: Source, call: ast.Call) -> Effect:
    if source.dotted(call.func) in {"builtins.setattr", "builtins.delattr"}:
        name = call.args[1] if len(call.args) > 1 else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return Effect("store", f".{name.value}")
    return Effect("call", _last(call.func))


def is_constant(node: ast.expr) -> bool:
    """Whether an expression is the same each time, a container of such too."""
    if isinstance(node, ast.UnaryOp):
        return is_constant(node.operand)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return all(is_constant(one) for one in node.elts)
    if isinstance(node, ast.Dict):
        return all(is_constant(one) for one in (*node.values, *(key for key in node.keys if key)))
    if isinstance(node, ast.Call):
        plain = isinstance(node.func, ast.Name) and node.func.id in CONTAINERS
        return plain and all(map(is_constant, (*node.args, *(one.value for one in node.keywords))))
    return isinstance(node, ast.Constant)


def _last(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return _last(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else type(node).__name__
