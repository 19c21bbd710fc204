"""ty, pyrefly, basedpyright and pylint as checkers of the whole project, each of them the real program."""

from __future__ import annotations

import asyncio
import json
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fanfold.fix.checkers import Checked, Checker, Scope, checkers_for, run_checkers
from fanfold.fix.checkers.pylint import Pylint
from fanfold.fix.checkers.pyrefly import Pyrefly
from fanfold.fix.checkers.pyright import Basedpyright, Pyright
from fanfold.fix.checkers.ty import Ty
from fanfold.fix.errors import FixError
from fanfold.fix.project import Project

WRONG = '"""A module."""\n\n\ndef first(x: int) -> str:\n    """Return it."""\n    return x\n'
CLEAN = '"""A module."""\n\nNAME: int = 1\n'
UNDEFINED = '"""A module."""\n\nprint(nowhere)\n'

CHECKERS = [Ty(), Pyrefly(), Basedpyright(), Pylint()]
TYPES = [Ty(), Pyrefly(), Basedpyright()]

RULES = {
    "ty": ("invalid-explicit-return", "unresolved-reference", "invalid-syntax"),
    "pyrefly": ("bad-return", "unknown-name", "parse-error"),
    "basedpyright": ("reportReturnType", "reportUndefinedVariable", "syntax"),
    "pylint": ("", "undefined-variable", "syntax-error"),
}
CONFIGURED = {
    "ty": ("ty.toml", "", "[tool.ty.rules]\n"),
    "pyrefly": ("pyrefly.toml", "", "[tool.pyrefly]\nproject-includes = ['.']\n"),
    "basedpyright": (None, "", "[tool.basedpyright]\n"),
    "pyright": ("pyrightconfig.json", "{}", "[tool.pyright]\n"),
    "pylint": (".pylintrc", "[MAIN]\n", "[tool.pylint.main]\njobs = 1\n"),
}

Tree = Callable[..., Scope]

each = pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.name)
each_but_the_slowest = pytest.mark.parametrize("checker", [Ty(), Pyrefly(), Pylint()], ids=lambda checker: checker.name)
"""What is done for all of them in one place; basedpyright starts a Node, and can be asked for no rule."""
each_of_types = pytest.mark.parametrize("checker", TYPES, ids=lambda checker: checker.name)


OFF = {
    "ty": ("division-by-zero", "x = 1 / 0\n"),
    "pyrefly": ("implicit-any-parameter", "def f(x):\n    return 1\n"),
    "pylint": ("bad-inline-option", '"""A module."""\n\n# pylint: disable line-too-long\n'),
}
"""By checker a rule that is off by itself, and what it finds."""

FILES = {
    "clean.py": CLEAN,
    "undefined.py": UNDEFINED,
    "broken.py": "def broken(:\n",
    "pkg/__init__.py": "",
    "pkg/wrong.py": WRONG,
    "pkg/called.py": '"""A module."""\n\n\ndef f(x: int) -> int:\n    """Return it."""\n    return x\n',
    "pkg/calls.py": '"""A module."""\n\nfrom pkg.called import f\n\nf("text")\n',
}


@dataclass(frozen=True)
class Told:
    """What a checker said of a project that has some of everything, and what was there before and after."""

    checker: Checker
    answer: Checked
    before: set[str]
    after: set[str]

    def of(self, path: str) -> set[str]:
        """The rules of what is said of one file."""
        return {finding.rule for finding in self.answer.findings if finding.path == path}


@pytest.fixture(scope="module")
def told_by(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Checker], Told]:
    """What each checker says of that project, which is checked once."""
    made: dict[str, Told] = {}

    def told(checker: Checker) -> Told:
        if checker.name not in made:
            root, cache = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("cache")
            (root / "pkg").mkdir()
            for path, text in {**FILES, "off.py": OFF.get(checker.name, ("", CLEAN))[1]}.items():
                (root / path).write_text(text)
            before = names(root)
            answer = asyncio.run(checker.check(Scope(root, Project(root, Path(sys.executable)), cache)))
            made[checker.name] = Told(checker, answer, before, names(root))
        return made[checker.name]

    def names(root: Path) -> set[str]:
        return {path.relative_to(root).as_posix() for path in root.rglob("*")}

    return told


Ask = Callable[[Checker], Told]


@each_of_types
def test_findings_have_relative_paths_places_from_one_and_an_address(checker: Checker, told_by: Ask) -> None:
    answer = told_by(checker).answer
    assert answer.error is None
    assert answer.version is not None
    (finding,) = [finding for finding in answer.findings if finding.rule == RULES[checker.name][0]]
    assert (finding.path, finding.line, finding.column) == ("pkg/wrong.py", 6, 12)
    assert (finding.end_line, finding.end_column) == (6, 13)
    assert (finding.checker, finding.severity) == (checker.name, "error")
    assert "int" in finding.message
    assert (finding.url or "").startswith("https://")


def test_what_pylint_finds_has_its_place(told_by: Ask) -> None:
    (finding,) = [finding for finding in told_by(Pylint()).answer.findings if finding.path == "undefined.py"]
    assert (finding.line, finding.column, finding.end_line, finding.end_column) == (3, 7, 3, 14)
    assert finding.url == "https://pylint.readthedocs.io/en/stable/user_guide/messages/error/undefined-variable.html"


@each
async def test_a_clean_tree_has_no_findings_and_no_error(checker: Checker, tree: Tree) -> None:
    answer = await checker.check(tree({"a.py": CLEAN}))
    assert (answer.findings, answer.error) == ((), None)


@each
def test_an_undefined_name_and_a_syntax_error_are_findings_at_their_places(checker: Checker, told_by: Ask) -> None:
    answer = told_by(checker).answer
    _, undefined, syntax = RULES[checker.name]
    found = {(finding.path, finding.line, finding.rule) for finding in answer.findings}
    assert answer.error is None
    assert {("undefined.py", 3, undefined), ("broken.py", 1, syntax)} <= found
    assert told_by(checker).of("clean.py") == set()


@each_but_the_slowest
async def test_asked_for_some_paths_it_answers_for_those(checker: Checker, tree: Tree) -> None:
    scope = tree({"a.py": UNDEFINED, "b.py": UNDEFINED})
    answer = await checker.check(replace(scope, paths=("b.py",)))
    assert {finding.path for finding in answer.findings} == {"b.py"}


@each_of_types
def test_an_error_that_crosses_files_is_seen(checker: Checker, told_by: Ask) -> None:
    told = told_by(checker)
    assert (told.of("pkg/called.py"), told.of("pkg/calls.py") != set()) == (set(), True)


@each
def test_nothing_is_written_into_the_tree(checker: Checker, told_by: Ask) -> None:
    assert told_by(checker).after == told_by(checker).before


@each
async def test_a_program_that_says_nothing_could_not_check(
    checker: Checker, tree: Tree, environment: Callable[..., Path]
) -> None:
    for script in (
        "",
        "raise SystemExit(1)",
        "print('[]'); raise SystemExit(1)",
        "print('{}')",
        "raise SystemExit(64)",
    ):
        home = environment(checker.name, f"import sys\nif '--version' in sys.argv:\n    sys.exit()\n{script}")
        scope = tree({"a.py": WRONG})
        scope = replace(scope, project=Project(scope.root, Path(sys.executable), home))
        answer = await checker.check(scope)
        assert answer.findings == ()
        assert checker.name in (answer.error or ""), script


@each
async def test_an_answer_of_another_shape_could_not_check(
    checker: Checker, tree: Tree, environment: Callable[..., Path]
) -> None:
    shapes = {"ty": '[{"check_name": 1}]', "pyrefly": '{"errors": [{}]}', "pylint": '{"messages": [{"symbol": "x"}]}'}
    shape = shapes.get(checker.name, '{"generalDiagnostics": [{"severity": "error"}]}')
    home = environment(checker.name, f"print({shape!r})")
    scope = tree({"a.py": WRONG})
    answer = await checker.check(replace(scope, project=Project(scope.root, Path(sys.executable), home)))
    assert answer.findings == ()
    assert "can't be read" in (answer.error or "")


@each
async def test_a_rule_that_it_does_not_know_is_refused(checker: Checker, tree: Tree) -> None:
    with pytest.raises(FixError, match="no-such-rule"):
        await run_checkers([checker], replace(tree({"a.py": CLEAN}), select=(f"{checker.name}:no-such-rule",)))


@each_but_the_slowest
def test_a_rule_that_is_off_can_be_asked_for(checker: Checker, tree: Tree, told_by: Ask) -> None:
    rule, text = OFF[checker.name]
    assert rule not in told_by(checker).of("off.py")
    asked = asyncio.run(checker.check(replace(tree({"a.py": text}), select=(f"{checker.name}:{rule}",))))
    assert rule in {finding.rule for finding in asked.findings}


async def test_rules_that_the_configuration_has_wrong_hide_nothing(tree: Tree) -> None:
    files: Mapping[str, str] = {"ty.toml": '[rules]\nno-such-rule = "error"\n', "a.py": UNDEFINED}
    answer = await Ty().check(tree(files))
    assert [finding.rule for finding in answer.findings] == ["unresolved-reference"]


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_project_that_configures_it_is_checked_with_it(name: str, tmp_path: Path) -> None:
    own, text, table = CONFIGURED[name]
    assert [checker.name for checker in checkers_for(tmp_path)] == ["ruff"]
    if own is not None:
        (tmp_path / own).write_text(text)
        assert [checker.name for checker in checkers_for(tmp_path)] == [name]
        (tmp_path / own).unlink()
    (tmp_path / "pyproject.toml").write_text(table)
    assert [checker.name for checker in checkers_for(tmp_path)] == [name]


async def test_pyright_is_called_and_read_as_its_fork_is(tree: Tree, environment: Callable[..., Path]) -> None:
    scope = tree({"a.py": UNDEFINED})
    place = {"start": {"line": 2, "character": 6}, "end": {"line": 2, "character": 13}}
    said = {"file": str(scope.root / "a.py"), "severity": "error", "message": "m", "rule": "x", "range": place}
    home = environment("pyright", f"print({json.dumps({'generalDiagnostics': [said]})!r}); raise SystemExit(1)")
    scope = replace(scope, project=Project(scope.root, Path(sys.executable), home))
    assert Pyright().command(scope)[1:] == Basedpyright().command(scope)[1:]
    (finding,) = (await Pyright().check(scope)).findings
    assert (finding.checker, finding.rule, finding.line, finding.column) == ("pyright", "x", 3, 7)


@pytest.fixture(scope="session")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose package stands in `lib`, with an environment that has it installed editable."""
    checkout = tmp_path_factory.mktemp("checkout")
    package = checkout / "lib" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "py.typed").write_text("")
    (package / "prices.py").write_text("def price(item: str) -> int:\n    return 1\n")
    venv.create(checkout / ".venv", symlinks=True)
    site = next((checkout / ".venv" / "lib").glob("python*")) / "site-packages"
    (site / "shop.pth").write_text(f"{checkout / 'lib'}\n")
    return checkout


@each_of_types
async def test_the_tree_counts_and_not_the_checkout_that_is_installed(
    checker: Checker, tree: Tree, editable: Path
) -> None:
    changed = 'def price(item: str) -> str:\n    return "1"\n'
    user = "from shop.prices import price\n\ntotal: int = price('tea')\n"
    files = {"lib/shop/__init__.py": "", "lib/shop/prices.py": changed, "lib/shop/cart.py": user}
    project = Project(editable, editable / ".venv/bin/python", editable / ".venv")
    if checker.name == "basedpyright":
        told = await checker.check(replace(tree(files), project=project))
        assert told.findings == ()
        assert 'extraPaths = ["lib"]' in (told.error or "")
        files["pyrightconfig.json"] = '{"extraPaths": ["lib"]}'
    answer = await checker.check(replace(tree(files), project=project))
    assert answer.error is None
    errors = [finding.path for finding in answer.findings if finding.severity == "error"]
    assert errors == ["lib/shop/cart.py"]
