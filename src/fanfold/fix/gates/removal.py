"""No code that does something is taken away without any other in its place."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.effects import REWRITABLE, Effect, Step, effects, is_constant, steps
from fanfold.fix.gates.nodes import Function
from fanfold.fix.gates.rules import ANYTHING, ASSERTING, lets_go
from fanfold.fix.gates.source import Source

CLOSING = frozenset({"close", "aclose", "release", "acquire", "shutdown", "terminate", "start", "stop", "cleanup"})
TELLING = frozenset({"debug", "info", "warn", "warning", "error", "exception", "critical", "log"})
PRINT = Effect("call", "print")
"""What stands for nothing else."""
WORDS = {"raise": "raises", "return": "returns what it computed", "yield": "yields", "await": "awaits", "store": "sets"}


@dataclass(frozen=True)
class Region:
    """Steps of a scope that were replaced by others, or by none."""

    scope: str
    old: Sequence[Step]
    new: Sequence[Step]
    kept: frozenset[str] = frozenset()


def check(edit: Edit) -> Iterator[str]:
    """Effects that the file has no longer, by the place where they were."""
    gone = effects(edit.removed) - (effects(edit.added) - _unreached(edit))
    if not gone:
        return
    for region in _regions(edit.removed, edit.added):
        yield from dict.fromkeys(_lost(edit, region, gone))


def _unreached(edit: Edit) -> Counter[Effect]:
    """What is done by functions that are new and that nothing in the file speaks of."""
    known = {name.partition("#")[0] for name, _ in edit.old.scopes}
    made = [(name, node) for name, node in edit.added.scopes if name.partition("#")[0] not in known]
    named = _mentioned(edit.new) if made else set()
    found: Counter[Effect] = Counter()
    for name, node in made:
        last = name.partition("#")[0].rpartition(".")[2]
        is_called = last in named or last.startswith("__")
        if isinstance(node, Function) and not node.decorator_list and not is_called:
            found.update(one for step in steps(edit.added)[name] for one in step.effects.elements())
    return found


def _mentioned(source: Source) -> set[str]:
    """The names that a text speaks of, those in strings too."""
    texts = {node.value for node in source.of(ast.Constant) if isinstance(node.value, str)}
    return texts | {node.id for node in source.of(ast.Name)} | {node.attr for node in source.of(ast.Attribute)}


def _regions(old: Source, new: Source) -> Iterator[Region]:
    """Where the scopes that both texts have differ; what became of whole definitions is no question here."""
    after = steps(new)
    for name, before in steps(old).items():
        if name in after:
            yield from _differences(name, before, after[name])


def _differences(name: str, before: Sequence[Step], after: Sequence[Step]) -> Iterator[Region]:
    matcher = SequenceMatcher(None, [one.key for one in before], [one.key for one in after], autojunk=False)
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind in ("delete", "replace"):
            yield Region(name, before[first:last], after[start:end], frozenset(one.key for one in after))


def _lost(edit: Edit, region: Region, gone: Counter[Effect]) -> Iterator[str]:
    here = sum((one.effects for one in region.new), Counter[Effect]())
    there = sum((_kept(edit, one) for one in region.old if not _merged(one, region)), Counter[Effect]())
    here[PRINT] = min(here[PRINT], there[PRINT])
    here = +here
    lost = Counter(
        {
            effect: count
            for effect, count in (there - here).items()
            if gone[effect] and not _replaced(edit, region, effect)
        }
    )
    if not lost:
        return
    where = f" in {region.scope}" if region.scope else ""
    if not _does_something(here):
        for effect in lost:
            yield f"no longer {_words(effect)}{where}"
        return
    yield from (f"no longer {_words(effect)}{where}" for effect in _dropped(region, there, here, lost))


def _merged(step: Step, region: Region) -> bool:
    """Whether the same statement is still there, once for several branches that were made one."""
    return step.key in region.kept and any(
        isinstance(one.node, ast.If | ast.ExceptHandler) for one in (*region.old, *region.new)
    )


def _replaced(edit: Edit, region: Region, effect: Effect) -> bool:
    """Whether something stands for an effect that isn't one of its kind."""
    if effect.kind == "name":
        return effect.name in edit.new.names.bound
    if effect.kind == "raise":
        return _ends_generator(effect, region)
    if effect.kind == "return":
        return _was_constant(region)
    if effect.kind == "call" and (_is_named(effect.name, region) or _is_spelt_alike(effect.name, region)):
        return True
    return effect.kind == "call" and effect.name in CLOSING and _contexts(edit.added) > _contexts(edit.removed)


def _was_constant(region: Region) -> bool:
    """Whether what was returned under a name is what is returned now without one."""
    values = {
        step.node.targets[0].id: step.node.value
        for step in region.old
        if isinstance(step.node, ast.Assign) and isinstance(step.node.targets[0], ast.Name)
    }
    given = [step.node.value for step in region.old if isinstance(step.node, ast.Return)]
    names = [one.id for one in given if isinstance(one, ast.Name)]
    return bool(names) and all(name in values and is_constant(values[name]) for name in names)


def _is_named(name: str, region: Region) -> bool:
    """Whether a function is handed on instead of called: `partial(save)`, `map(save)`."""
    return any(name in _handed_on(step.node) for step in region.new if not isinstance(step.node, ast.FunctionDef))


def _is_spelt_alike(name: str, region: Region) -> bool:
    """Whether the function's sister is called that has a text for a file: `dumps` for `dump`."""
    sister = {"dump": "dumps", "load": "loads"}.get(name)
    parts = (part for step in region.new for part in ast.walk(step.node))
    return sister is not None and any(isinstance(one, ast.Attribute) and one.attr == sister for one in parts)


def _handed_on(node: ast.AST) -> set[str]:
    """What is named in a statement, but not called."""
    called = {id(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
    named = [part for part in ast.walk(node) if id(part) not in called]
    names = {part.id for part in named if isinstance(part, ast.Name)}
    return names | {part.attr for part in named if isinstance(part, ast.Attribute)}


def _contexts(source: Source) -> int:
    return sum(len(node.items) for node in source.of(ast.With, ast.AsyncWith))


def _kept(edit: Edit, step: Step) -> Counter[Effect]:
    """What of a step's effects no finding asks to be taken away."""
    if not step.effects:
        return step.effects
    findings = list(edit.rules_at(step.lines))
    going = lets_go(findings)
    if going == ANYTHING or "*" in going:
        return Counter()
    if isinstance(step.node, ast.Expr) and any(kind == "call" and name in going for kind, name in step.effects):
        return Counter()
    asserts = any(finding.rule in ASSERTING for finding in findings)
    return Counter(
        {
            effect: count
            for effect, count in step.effects.items()
            if not (effect.kind == "call" and effect.name in going) and not (effect.kind == "assert" and asserts)
        }
    )


def _does_something(effects: Counter[Effect]) -> bool:
    stub = Effect("raise", "NotImplementedError")
    return any(effect != stub for effect in effects)


def _dropped(region: Region, there: Counter[Effect], here: Counter[Effect], lost: Counter[Effect]) -> Iterator[Effect]:
    """What other code can't stand for: there is less of its kind, and none of its name."""
    for effect in lost:
        fewer = _of_kind(here, effect.kind) < _of_kind(there, effect.kind)
        if (
            (effect.kind == "call" and fewer and not here[effect] and not _is_rewritable(effect.name, here - there))
            or (effect.kind == "raise" and fewer)
            or (effect.kind == "return" and fewer and any(_returns_constant(one) for one in region.new))
            or (effect.kind in {"store", "name"} and fewer and not here[effect] and not _of_kind(here, "call"))
            or (effect.kind == "assert" and fewer and not _of_kind(here, "raise"))
        ):
            yield effect


def _is_rewritable(name: str, more: Counter[Effect]) -> bool:
    """Whether other code may stand for a call; for one that tells somebody, code that wasn't there before."""
    if name in TELLING and not more:
        return False
    return name in REWRITABLE or name.startswith(("assert", "fail"))


def _of_kind(effects: Counter[Effect], kind: str) -> int:
    return sum(count for effect, count in effects.items() if effect.kind == kind)


def _ends_generator(effect: Effect, region: Region) -> bool:
    ways_out = (ast.Return,)
    if effect.name == "StopIteration" and any(isinstance(one.node, ways_out) for one in region.new):
        return True
    return effect.name == "AssertionError" and any(isinstance(one.node, ast.Assert) for one in region.new)


def _returns_constant(step: Step) -> bool:
    return isinstance(step.node, ast.Return) and (step.node.value is None or is_constant(step.node.value))


def _words(effect: Effect) -> str:
    if effect.kind == "call":
        return f"calls {effect.name}"
    if effect.kind == "name":
        return f"has {effect.name}"
    if effect.kind == "assert":
        return "asserts what it did"
    return f"{WORDS[effect.kind]} {effect.name}".rstrip()
