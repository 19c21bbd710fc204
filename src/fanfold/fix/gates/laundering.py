"""No type is made vaguer so that a type checker has nothing left to say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fanfold.fix.gates import proofs
from fanfold.fix.gates.comments import comments
from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import Function, plain
from fanfold.fix.gates.source import Source
from fanfold.syntax import parse_expression

ANY = frozenset(
    f"{module}.{name}"
    for module in ("typing", "typing_extensions", "_typeshed", "builtins")
    for name in ("Any", "Incomplete", "MaybeNone", "Unused")
)
OBJECT = "builtins.object"
CASTS = frozenset({"typing.cast", "typing_extensions.cast"})
WRAPPERS = frozenset({"Optional", "Union", "Annotated", "ClassVar", "Final", "Required", "NotRequired", "ReadOnly"})
TYPE_COMMENT = re.compile(r"#\s*type:\s*(?!ignore)\S")
FAMILY = {"typing.Dict": "dict", "typing.List": "list", "typing.Set": "set", "typing.Tuple": "tuple"}

TYPE_VARIABLES: tuple[Any, ...] = tuple(getattr(ast, name) for name in ("TypeVar",) if hasattr(ast, name))
"""The kind of node that is a type variable's, from Python 3.12 on."""

NONE, OBJECTLY, PART, WHOLE, TOP = range(5)
"""How much of an annotation says nothing: nothing, `object`, some argument, every argument, all of it."""


@dataclass(frozen=True)
class Slot:
    """A place that can be annotated; `starred` is one for further arguments."""

    annotation: ast.expr | None
    kind: str
    starred: bool = False


Place = tuple[str, str, str]


def check(edit: Edit) -> Iterator[str]:
    """No new Any, no cast, no annotation that is wider than before or gone."""
    before, after = _slots(edit.removed), _slots(edit.added)
    for place, slot in after.items():
        reason = _widened(edit, place, before.get(place), slot)
        if reason:
            yield reason
    yield from _new_names(edit)
    yield from _new_untyped(edit)
    yield from proofs.check(edit)
    for text in sorted(_loosened(edit.new) - _loosened(edit.old)):
        yield f"gives a function another name that takes and gives anything: {text[:80]}"
    for place, slot in before.items():
        if slot.annotation is not None and place in after and after[place].annotation is None:
            yield f"takes away the annotation of {_words(place)}"


def _new_names(edit: Edit) -> Iterator[str]:
    if _casts(edit.added) > _casts(edit.removed):
        yield "casts a value to a type instead of proving it"
    old = {re.sub(r"\s", "", text) for text in _type_comments(edit.before)}
    for text in _type_comments(edit.after):
        if re.sub(r"\s", "", text) not in old:
            yield f"gives a type in a comment: {text[:60]}"
    for name in sorted(_vague(edit.new) - _vague(edit.old)):
        yield f"gives a type that says nothing another name: {name}"


def _loosened(source: Source) -> set[str]:
    """Functions and classes that are there, under a name that is any callable."""
    there = {*source.names.imported.values(), *source.names.bound}
    return {
        plain(node)
        for node in source.of(ast.AnnAssign)
        if isinstance(node.value, ast.Name | ast.Attribute)
        if isinstance(node.annotation, ast.Subscript) and _says(source, node.annotation) >= PART
        if source.dotted(node.annotation.value).rpartition(".")[2] == "Callable"
        if source.dotted(node.value).partition(".")[0] in there
    }


def _type_comments(text: bytes) -> list[str]:
    return [comment.text for comment in comments(text) or () if TYPE_COMMENT.match(comment.text)]


def _casts(source: Source) -> int:
    return sum(name in CASTS and isinstance(node.ctx, ast.Load) for name, node in source.named)


def _vague(source: Source) -> set[str]:
    """Names that stand for Any: aliases, classes that are derived from it, type variables bound to it."""
    found = set()
    for name, value in source.names.aliases.items():
        if _says(source, value) == TOP and isinstance(value, ast.Name | ast.Attribute | ast.Subscript | ast.BinOp):
            found.add(name)
        if isinstance(value, ast.Call) and source.dotted(value.func).rpartition(".")[2] in {"TypeVar", "NewType"}:
            parts = (*value.args[1:], *(one.value for one in value.keywords if one.arg == "bound"))
            found |= {name} if any(_says(source, part) == TOP for part in parts) else set()
    found |= {one.name for one in source.of(*TYPE_VARIABLES) if _says(source, one.bound) == TOP}
    derived = {node.name for node in source.of(ast.ClassDef) if any(source.dotted(one) in ANY for one in node.bases)}
    return found | derived


def _slots(source: Source) -> Mapping[Place, Slot]:
    found: dict[Place, Slot] = {}
    for scope, node in source.scopes:
        if isinstance(node, Function):
            found[scope, "return", ""] = Slot(node.returns, "return")
            spec = node.args
            for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs):
                found[scope, "parameter", one.arg] = Slot(one.annotation, "parameter")
            for star in (spec.vararg, spec.kwarg):
                if star:
                    found[scope, "parameter", star.arg] = Slot(star.annotation, "parameter", starred=True)
        for part in source.own(node):
            for name, annotation in _variables(part):
                place = (scope, "variable", name)
                if place not in found or found[place].annotation is None:
                    found[place] = Slot(annotation, "variable")
    return found


def _variables(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(node, ast.AnnAssign):
        yield plain(node.target), node.annotation
    elif isinstance(node, ast.Assign):
        yield from ((plain(target), None) for target in node.targets if isinstance(target, ast.Name | ast.Attribute))


def _widened(edit: Edit, place: Place, old: Slot | None, new: Slot) -> str:
    if new.annotation is None or (old and plain(old.annotation) == plain(new.annotation)):
        return ""
    said = _says(edit.new, new.annotation)
    before = None if old is None or old.annotation is None else old.annotation
    level = NONE if before is None else _says(edit.old, before)
    where, what = _words(place), plain(new.annotation)
    if said == OBJECTLY:
        return "" if _object_may(place, before, level) else f"annotates {where} with {what}, which says nothing"
    if said == TOP:
        unsaid = new.starred and before is None and old is not None
        return "" if unsaid or level == TOP else f"annotates {where} with {what}"
    if before is not None and _is_free(edit.new, new.annotation) and not _is_free(edit.old, before):
        return f"annotates {where} with {what}, which may be anything"
    if said == WHOLE and level < WHOLE:
        return f"annotates {where} with {what}, all of which may be anything"
    if said == PART and before is not None and level < PART and not _same_base(edit, before, new.annotation):
        return f"widens the annotation of {where} from {plain(before)} to {what}"
    return ""


def _is_free(source: Source, annotation: ast.expr) -> bool:
    """Whether an annotation is a type variable without a bound."""
    if not isinstance(annotation, ast.Name):
        return False
    if any(one.name == annotation.id and one.bound is None for one in source.of(*TYPE_VARIABLES)):
        return True
    made = source.names.aliases.get(annotation.id)
    named = isinstance(made, ast.Call) and source.dotted(made.func).rpartition(".")[2] == "TypeVar"
    return (
        named and isinstance(made, ast.Call) and len(made.args) < 2 and all(one.arg != "bound" for one in made.keywords)
    )


def _untyped(source: Source) -> set[str]:
    """Functions none of whose parameters is annotated, nor what they return."""
    found = set()
    for name, node in source.scopes:
        if isinstance(node, Function) and node.returns is None:
            spec = node.args
            stars = [one for one in (spec.vararg, spec.kwarg) if one]
            if not any(one.annotation for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *stars)):
                found.add(name)
    return found


def _new_untyped(edit: Edit) -> Iterator[str]:
    """A file whose functions are all annotated gets none that type checkers leave alone."""
    old = {name for name, node in edit.old.scopes if isinstance(node, Function)}
    if old and not _untyped(edit.old):
        for name in sorted(_untyped(edit.new) - old):
            yield f"adds {name} without annotations to a file that has them"


def _object_may(place: Place, before: ast.expr | None, level: int) -> bool:
    """A parameter may be an object where it was nothing before, or where Python's own protocol has it so."""
    scope, kind, _ = place
    method = scope.rpartition(".")[2].partition("#")[0]
    if level in {TOP, OBJECTLY} or (method.startswith("__") and method.endswith("__")):
        return True
    return kind == "parameter" and before is None


def _same_base(edit: Edit, before: ast.expr, after: ast.expr) -> bool:
    """Whether an annotation only gained arguments: `dict` became `dict[str, Any]`."""
    now = _unquoted(after)
    if not isinstance(now, ast.Subscript):
        return False
    first, second = edit.old.dotted(_unquoted(before)), edit.new.dotted(now.value)
    return bool(first) and _base(first) == _base(second)


def _base(name: str) -> str:
    return FAMILY.get(name, name).removeprefix("builtins.").rpartition(".")[2].lower()


def _says(source: Source, annotation: ast.expr | None, depth: int = 8) -> int:
    """How much of an annotation says nothing, see NONE to TOP."""
    node = _unquoted(annotation)
    if node is None or not depth:
        return NONE
    name = source.dotted(node)
    if name in ANY:
        return TOP
    if name == OBJECT:
        return OBJECTLY
    if isinstance(node, ast.Name) and node.id in source.names.aliases:
        return _says(source, source.names.aliases[node.id], depth - 1)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return max(_says(source, node.left, depth - 1), _says(source, node.right, depth - 1))
    if isinstance(node, ast.Subscript):
        return _says_inside(source, node, depth)
    return NONE


def _says_inside(source: Source, node: ast.Subscript, depth: int) -> int:
    name = source.dotted(node.value).rpartition(".")[2]
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        return NONE
    if name == "Annotated":
        return _says(source, inner[0], depth - 1)
    said = [_says(source, one, depth - 1) for one in inner if not _is_dots(one)]
    if name in WRAPPERS:
        return max(said, default=NONE)
    if name == "Callable":
        parameters = inner[0].elts if isinstance(inner[0], ast.List) else []
        return PART if any(_says(source, one, depth - 1) >= PART for one in (*parameters, *inner[1:])) else NONE
    vague = [one for one in said if one >= PART]
    return WHOLE if said and min(said) >= WHOLE else PART if vague else NONE


def _is_dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _unquoted(node: ast.expr | None) -> ast.expr | None:
    """An annotation that stands in quotes, without them."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return parse_expression(node.value.strip())
        except (SyntaxError, ValueError):
            return None
    return node


def _words(place: Place) -> str:
    scope, kind, name = place
    if kind == "return":
        return f"what {scope} returns"
    return f"{name} of {scope}" if scope else name
