"""Tests stay, and ask for no less than before."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from fanfold.fix.gates import tolerance
from fanfold.fix.gates.edit import Edit, is_python
from fanfold.fix.gates.effects import is_constant
from fanfold.fix.gates.nodes import Function, inner, plain
from fanfold.fix.gates.source import Source, source_of

ASSERTING = re.compile(r"^(assert\w*|fail|fail(If|Unless)\w*|raises|warns|deprecated_call|AssertionError)$")
SKIPPING = re.compile(r"^(skip|skipif|skipIf|skipUnless|xfail|expectedFailure|SkipTest|importorskip|skipTest|exit)$")
HOOKS = re.compile(r"^(pytest_\w+|collect_ignore(_glob)?|__test__|pytestmark|load_tests)$")
"""What tells pytest and unittest what to run."""
EQUAL = re.compile(r"^assert(Equals?|\w+Equal|Almost\w+|Is|CountEqual)$")
WIDE = frozenset({"Exception", "BaseException", "object"})


def check(edit: Edit) -> Iterator[str]:
    """Test files keep tests and assertions; no file is taken out of what is tested."""
    if not is_python(edit.path):
        return
    if edit.is_test:
        yield from keeps_tests(edit.before, edit.after)
    if not edit.readable:
        return
    if edit.is_test:
        yield from _weaker(edit)
        yield from tolerance.check(edit)
    elif (skips := _skips(edit.added) - _skips(edit.removed)) > 0:
        yield f"skips tests in {skips} more place{'s' if skips > 1 else ''}"
    for name in sorted(filter(HOOKS.match, edit.new.names.bound - edit.old.names.bound)):
        yield f"steers the tests by {name}"


def keeps_tests(before: bytes, after: bytes) -> tuple[str, ...]:
    """A test file has no fewer tests and no fewer assertions than before."""
    old, new = _tests(before), _tests(after)
    if old is None or new is None:
        return () if before == after else ("a test file that can't be parsed was changed",)
    reasons = [f"removes the test {name}" for name in sorted(old.cases.keys() - new.cases.keys())]
    common = sorted(old.cases.keys() & new.cases.keys())
    reasons += [f"has fewer cases of the test {name}" for name in common if new.cases[name] < old.cases[name]]
    if new.assertions < old.assertions:
        reasons.append(f"has {new.assertions} assertions where there were {old.assertions}")
    if new.skips > old.skips:
        reasons.append(f"skips tests in {new.skips} places where there were {old.skips}")
    return tuple(reasons)


@dataclass
class _Tests:
    cases: dict[str, int]
    assertions: int = 0
    skips: int = 0
    equal: int = 0
    wide: int = 0
    returns: int = 0
    expected: Counter[str] = field(default_factory=Counter)


@lru_cache(maxsize=16)
def _tests(text: bytes) -> _Tests | None:
    source = source_of(text)
    if source is None:
        return None
    found = _Tests({})
    _collect(source.tree, "", found)
    for test in (node.test for node in source.of(ast.Assert)):
        found.assertions += len(_parts(test))
        found.equal += sum(map(_is_equal, _parts(test)))
        found.expected.update(text for one in _parts(test) for text in _expected(one))
    for name, count in Counter(map(_name_of, source.of(ast.Name, ast.Attribute))).items():
        found.assertions += count * bool(ASSERTING.match(name))
        found.skips += count * bool(SKIPPING.match(name))
    for call in source.of(ast.Call):
        called = _name_of(call.func)
        if EQUAL.match(called):
            found.equal += not any(map(_is_plain, call.args[:2]))
            found.expected.update(_values(call.args[:2]))
        found.wide += called in {"raises", "assertRaises"} and any(_name_of(one) in WIDE for one in call.args[:1])
    for name, scope in source.scopes:
        if name.rpartition(".")[2].startswith("test"):
            found.returns += sum(isinstance(one, ast.Return) and one.value is None for one in source.own(scope))
    return found


def _weaker(edit: Edit) -> Iterator[str]:
    """The same number of assertions may ask for less."""
    old, new = _tests(edit.before), _tests(edit.after)
    if old is None or new is None:
        return
    # A comparison with True, False or None is no stronger than what linters make of it.
    if new.equal < old.equal:
        yield f"compares {new.equal} results where it compared {old.equal}"
    if new.wide > old.wide:
        yield "expects any error where it expected a certain one"
    if new.returns > old.returns:
        yield "leaves a test early"
    lost, made = old.expected - new.expected, new.expected - old.expected
    if lost and made:
        yield f"expects {next(iter(made))} where it expected {next(iter(lost))}"


def _parts(test: ast.expr) -> list[ast.expr]:
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]


def _is_equal(test: ast.expr) -> bool:
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
        return isinstance(test, ast.UnaryOp) and isinstance(test.operand, ast.Compare) and _is_unequal(test.operand)
    sides = (test.left, *test.comparators)
    return not any(map(_is_plain, sides))


def _is_plain(node: ast.expr) -> bool:
    """What a comparison with is often written without the comparison."""
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool) or not node.value)


def _is_unequal(test: ast.Compare) -> bool:
    return isinstance(test.ops[0], ast.NotEq)


def _expected(test: ast.expr) -> Iterator[str]:
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        yield from _values((test.left, test.comparators[0]))


def _values(nodes: Iterable[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if (
            is_constant(node)
            and not isinstance(node, ast.Call)
            and not (isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool)))
        ):
            yield plain(node).replace("u'", "'")


def _name_of(node: ast.AST) -> str:
    """The last part of a name that is read: `fail` of `self.fail`, `raises` of `pytest.raises`."""
    if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
        return node.attr if isinstance(node, ast.Attribute) else node.id
    return ""


def _skips(source: Source) -> int:
    """Marks and calls by which pytest or unittest leave tests out."""
    names = [name for name, _ in source.named if name.startswith(("pytest.", "unittest."))]
    return sum(bool(SKIPPING.match(name.rpartition(".")[2])) for name in names)


def _collect(node: ast.AST, prefix: str, found: _Tests) -> None:
    for child in inner(node):
        if isinstance(child, ast.ClassDef):
            _collect(child, f"{prefix}{child.name}.", found)
        elif isinstance(child, Function):
            if child.name.startswith("test"):
                found.cases[f"{prefix}{child.name}"] = _cases(child)
        else:
            _collect(child, prefix, found)


def _cases(test: Function) -> int:
    """How many cases the decorators of a test spell out."""
    count = 1
    for call in test.decorator_list:
        if isinstance(call, ast.Call) and _name_of(call.func) == "parametrize":
            values = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "argvalues")]
            count *= sum(len(value.elts) for value in values if isinstance(value, ast.List | ast.Tuple | ast.Set)) or 1
    return count
