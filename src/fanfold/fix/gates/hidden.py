"""What a finding is about is not written in another way that its rule doesn't see."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from typing import TypeGuard

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import plain
from fanfold.fix.gates.source import Source

SECRET = frozenset({"S105", "S106", "S107", "B105", "B106", "B107", "hardcoded_password_string"})
QUERY = frozenset({"S608", "B608", "hardcoded_sql_expressions"})
ENDLESS = frozenset({"S113", "B113", "request_without_timeout", "missing-timeout", "W3101"})
DECODERS = re.compile(
    r"""^(?:base64\.\w*(?:decode|decodebytes)
        |binascii\.(?:a2b_\w+|unhexlify)|codecs\.decode|zlib\.decompress|gzip\.decompress|bz2\.decompress
        |builtins\.(?:bytes|bytearray)\.fromhex
    )$""",
    re.VERBOSE,
)
SQL = re.compile(
    r"\b(?:select|insert\s+into|delete\s+from|update|where|from|values|set|join|order\s+by)\b", re.IGNORECASE
)
FORBIDDING = re.compile(r"^(?:S[2-6]\d\d|B[1-7]\d\d|ASYNC\d+|DTZ\d+|T20\d|TID\d+)$")
"""Rules that forbid to call something at all."""
MAX_WAIT_S = 86_400


def check(edit: Edit) -> Iterator[str]:
    """No computed name, no encoded text, no keyword or query that only looks other than before."""
    before, after = Counter(_computed(edit.removed)), Counter(_computed(edit.added))
    for what, count in after.items():
        if count > before[what] and not edit.is_test:
            yield what
    rules = {finding.rule for finding in edit.findings}
    if rules & SECRET:
        yield from _pieced_together(edit)
        yield from _fallen_back_on(edit)
    if rules & QUERY:
        yield from _pasted(edit)
    if rules & ENDLESS:
        yield from _endless(edit)
    yield from _expanded(edit)
    yield from _renamed(edit)


def _computed(source: Source) -> Iterator[str]:
    """Names of modules' members that are worked out at run time, and constants that nobody can read."""
    for name, call in source.calls:
        if name == "builtins.getattr" and len(call.args) == 2:
            of, attribute = call.args
            if plain(of) in source.names.modules or (
                _is_made_of_constants(attribute) and not isinstance(attribute, ast.Constant)
            ):
                yield f"looks a name up by getattr: {plain(call)[:80]}"
        if DECODERS.match(name) and call.args and _is_made_of_constants(call.args[0]):
            yield f"decodes a text that it holds itself: {plain(call)[:80]}"


def _is_made_of_constants(node: ast.AST) -> bool:
    """Whether an expression is the same each time, however it is worked out."""
    return not any(isinstance(one, ast.Name) for one in ast.walk(node))


def _pieced_together(edit: Edit) -> Iterator[str]:
    """A secret in pieces is still in the source."""
    pieces = [(name, one) for name, one in _assigned(edit.added) if _is_made_of_constants(one) and _is_text(one)]
    old = {plain(value) for _, value in _assigned(edit.old)} if pieces else set()
    for name, value in pieces:
        if plain(value) not in old:
            yield f"puts {name} together from what stands in the source"


def _fallen_back_on(edit: Edit) -> Iterator[str]:
    """A secret that is used where another isn't set is still in the source, and works."""
    secrets = {
        plain(node)
        for node in edit.old.of(ast.Constant)
        if isinstance(node.value, str) and node.value
        if any(one.rule in SECRET for one in edit.rules_at(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
    }
    before = {plain(value) for _, value in _assigned(edit.old)}
    for name, value in _assigned(edit.added):
        held = {plain(one) for one in ast.walk(value) if isinstance(one, ast.Constant)}
        if isinstance(value, ast.Call | ast.BoolOp | ast.IfExp) and secrets & held and plain(value) not in before:
            yield f"keeps the secret as what {name} falls back on"


def _assigned(source: Source) -> Iterator[tuple[str, ast.expr]]:
    for node in source.nodes:
        match node:
            case (
                ast.Assign(targets=[target, *_], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value)
            ):
                yield plain(target), value
            case ast.keyword(arg=str(name), value=value):
                yield name, value


def _is_text(node: ast.expr) -> bool:
    """Whether it takes some work, and a text, to make a value."""
    texts = [one for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str | bytes)]
    return bool(texts) and isinstance(node, ast.BinOp | ast.Call | ast.JoinedStr | ast.Subscript)


def _pasted(edit: Edit) -> Iterator[str]:
    """A query with values pasted into its text is one by whatever means they are."""
    built = [node for node in edit.added.nodes if _builds_text(node) and _is_query(edit.new, node)]
    old = {plain(node) for node in edit.old.nodes if _builds_text(node)} if built else set()
    for text in [text for text in map(plain, built) if text not in old][:1]:
        yield f"pastes values into a query: {text[:80]}"


def _is_query(source: Source, node: ast.AST) -> bool:
    for made in (node, *_listed(source, node)):
        texts = (one.value for one in ast.walk(made) if isinstance(one, ast.Constant))
        if not _is_made_of_constants(made) and SQL.search(" ".join(filter(_is_str, texts))):
            return True
    return False


def _listed(source: Source, node: ast.AST) -> Iterator[ast.expr]:
    """The lists that a name which is joined stands for."""
    match node:
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.Name(id=name)]):
            made = (value for target, value in _assigned(source) if target == name)
            yield from (value for value in made if isinstance(value, ast.List | ast.Tuple))


def _is_str(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


def _builds_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in {
            "join", "format", "format_map", "replace", "substitute", "safe_substitute", "__add__", "__mod__",
        }  # fmt: skip
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod))


def _endless(edit: Edit) -> Iterator[str]:
    """Whoever waits for days has no timeout."""
    given = Counter(_waits(edit.added)) - Counter(_waits(edit.removed))
    for text in given:
        yield f"gives a timeout that never comes: {text}"


def _waits(source: Source) -> Iterator[str]:
    for node in source.of(ast.keyword):
        if node.arg == "timeout" and _is_forever(source, node.value):
            yield plain(node.value)


def _is_forever(source: Source, node: ast.expr, depth: int = 4) -> bool:
    match node:
        case ast.Constant(value=int() | float() as seconds):
            return seconds >= MAX_WAIT_S
        case ast.Constant(value=None):
            return True
        case ast.Call(args=[ast.Constant(value=str(text))]) if source.dotted(node.func) == "builtins.float":
            return "inf" in text.lower()
        case ast.BinOp(left=left, op=ast.Pow() | ast.Mult(), right=right):
            both = isinstance(left, ast.Constant) and isinstance(right, ast.Constant)
            return both and _power(node) >= MAX_WAIT_S
        case ast.Name(id=name) if depth and name in source.names.aliases:
            return _is_forever(source, source.names.aliases[name], depth - 1)
    return source.dotted(node) in {"math.inf", "sys.maxsize", "threading.TIMEOUT_MAX"}


def _power(node: ast.BinOp) -> float:
    left, right = (one.value if isinstance(one, ast.Constant) else 0 for one in (node.left, node.right))
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return 0
    if isinstance(node.op, ast.Mult):
        return left * right
    return MAX_WAIT_S if right > 20 and left > 1 else float(left) ** float(min(right, 20))


def _renamed(edit: Edit) -> Iterator[str]:
    """What a finding forbids to call is not called by another name."""
    if not any(FORBIDDING.match(one.rule) for one in edit.findings):
        return
    said = {
        name
        for name, node in edit.old.calls
        if any(FORBIDDING.match(one.rule) for one in edit.rules_at(range(node.lineno, node.lineno + 1)))
    }
    before = {plain(value) for _, value in _assigned(edit.old)}
    for value in (node.value for node in edit.added.of(ast.Assign, ast.AnnAssign)):
        is_new = isinstance(value, ast.Attribute | ast.Name) and plain(value) not in before
        if is_new and edit.new.dotted(value) in said - {""}:
            yield f"calls {plain(value)} by another name"


def _expanded(edit: Edit) -> Iterator[str]:
    """Keywords of a call that a finding is about don't go into a dictionary where no rule sees them."""
    hidden = [(node, name) for node in edit.new.of(ast.Call) for name in _hidden_keywords(edit.new, node)]
    calls = edit.old.of(ast.Call)
    before = Counter((_called(edit.old, node), name) for node in calls for name in _hidden_keywords(edit.old, node))
    now = Counter((_called(edit.new, node), name) for node, name in hidden)
    said = {(_called(edit.old, node), name) for node in edit.old.of(ast.Call) for name in _said(edit, node) if hidden}
    for node, name in hidden:
        here = _called(edit.new, node), name
        if here in said and now[here] > before[here]:
            yield f"hides the argument {name} of {plain(node.func)} in a dictionary"


def _hidden_keywords(source: Source, call: ast.Call) -> list[str]:
    hidden = [name for one in call.keywords if one.arg is None for name in sorted(_keys(source, one.value))]
    return [name for name in hidden if name not in {one.arg for one in call.keywords}]


def _said(edit: Edit, call: ast.Call) -> list[str]:
    """The keywords of a call that a finding is about."""
    names = [one.arg for one in call.keywords if one.arg]
    return names if names and any(edit.rules_at(range(call.lineno, (call.end_lineno or call.lineno) + 1))) else []


def _called(source: Source, call: ast.Call) -> str:
    return source.dotted(call.func) or plain(call.func)


def _keys(source: Source, node: ast.expr) -> set[str]:
    """The texts that are keys of a dictionary, as far as the file tells."""
    if isinstance(node, ast.Name):
        values = [value for name, value in _assigned(source) if name == node.id]
        return set().union(*(_keys(source, value) for value in values if not isinstance(value, ast.Name)))
    if isinstance(node, ast.Call) and source.dotted(node.func) == "builtins.dict":
        return {one.arg for one in node.keywords if one.arg}
    if isinstance(node, ast.Dict):
        return {one.value for one in node.keys if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return set()
