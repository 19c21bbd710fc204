"""Mypy as a checker, with the real mypy."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from fanfold.fix.checkers.mypy import Mypy
from fanfold.fix.checkers.protocol import Scope
from fanfold.fix.errors import FixError
from fanfold.fix.project import Project

WRONG = "def f(x: int) -> str:\n    return x\n"
UNDEFINED_AT_TIMES = "def f(x: bool) -> int:\n    if x:\n        y = 1\n    return y\n"
"""Nothing by itself: the code that it is found with is off."""

Tree = Callable[..., Scope]


@pytest.fixture(scope="module")
def standard_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy keeps of the standard library's types, which take it longer than all else."""
    root, cache = tmp_path_factory.mktemp("nothing"), tmp_path_factory.mktemp("cache")
    (root / "nothing.py").touch()
    assert asyncio.run(Mypy().check(Scope(root, Project(root, Path(sys.executable)), cache))).error is None
    return cache


@pytest.fixture
def tree(tree: Tree, standard_library: Path, tmp_path: Path) -> Tree:
    """As for any checker, for a mypy that has run before on some other tree."""
    shutil.copytree(standard_library, tmp_path / "cache")
    return tree


async def test_findings_have_relative_paths_and_places_from_one(tree: Tree) -> None:
    answer = await Mypy().check(tree({"pkg/__init__.py": "", "pkg/a.py": WRONG}))
    assert answer.error is None
    assert answer.version is not None
    (finding,) = answer.findings
    assert (finding.path, finding.line, finding.column, finding.end_line, finding.end_column) == (
        "pkg/a.py",
        2,
        12,
        2,
        13,
    )
    assert (finding.checker, finding.rule, finding.severity) == ("mypy", "return-value", "error")
    assert finding.url == "https://mypy.rtfd.io/en/stable/_refs.html#code-return-value"


async def test_clean_tree_has_no_findings_and_no_error(tree: Tree) -> None:
    answer = await Mypy().check(tree({"a.py": "x: int = 1\n", "b.py": UNDEFINED_AT_TIMES}))
    assert (answer.findings, answer.error) == ((), None)


async def test_notes_belong_to_their_error_and_are_none_by_themselves(tree: Tree) -> None:
    source = (
        "class A:\n    def f(self, a: int) -> None: ...\n\n\n"
        "class B(A):\n    def f(self, a: str) -> None: ...\n\n\nreveal_type(A)\n"
    )
    answer = await Mypy().check(tree({"a.py": source}))
    (finding,) = answer.findings
    assert finding.rule == "override"
    assert "Liskov" in finding.message


async def test_syntax_error_is_a_finding_and_the_rest_was_not_checked(tree: Tree) -> None:
    answer = await Mypy().check(tree({"a.py": "def f(:\n    pass\n", "b.py": WRONG}))
    assert {(finding.path, finding.rule) for finding in answer.findings} == {("a.py", "syntax")}
    assert (answer.findings[0].line, answer.findings[0].column) == (1, 7)
    assert (answer.error or "").startswith("mypy stopped at a syntax error, nothing else was checked: a.py:1: ")


async def test_what_mypy_says_of_itself_is_could_not_check(tree: Tree) -> None:
    answer = await Mypy().check(tree({"setup.py": "", "other/setup.py": "", "a.py": WRONG}))
    assert answer.findings == ()
    assert "Duplicate module named" in (answer.error or "")


async def test_broken_configuration_is_could_not_check(tree: Tree) -> None:
    answer = await Mypy().check(tree({"mypy.ini": "[mypy]\nplugins = nowhere.py\n", "a.py": WRONG}))
    assert answer.findings == ()
    assert "nowhere" in (answer.error or "")


async def test_notes_on_the_configuration_do_not_hide_the_findings(tree: Tree) -> None:
    unused = (
        "[mypy]\npython_version = 3.7\nwarn_unused_configs = True\n[mypy-colorama.*]\nignore_missing_imports = True\n"
    )
    answer = await Mypy().check(tree({"mypy.ini": unused, "a.py": WRONG}))
    assert answer.error is None
    assert [finding.rule for finding in answer.findings] == ["return-value"]


async def test_configured_files_are_the_ones_checked(tree: Tree) -> None:
    files = {"pyproject.toml": '[tool.mypy]\nfiles = ["src"]\n', "src/a.py": WRONG, "other/b.py": WRONG}
    answer = await Mypy().check(tree(files))
    assert [finding.path for finding in answer.findings] == ["src/a.py"]


async def test_asked_for_paths_it_answers_for_those_only(tree: Tree) -> None:
    scope = tree({"a.py": WRONG, "b.py": WRONG})
    answer = await Mypy().check(dataclasses.replace(scope, paths=("b.py",)))
    assert [finding.path for finding in answer.findings] == ["b.py"]


async def test_a_change_shows_in_the_files_that_use_it(tree: Tree) -> None:
    scope = tree({"a.py": "def f() -> int:\n    return 1\n", "b.py": "from a import f\n\nx: int = f()\n"})
    assert (await Mypy().check(scope)).findings == ()
    (scope.root / "a.py").write_text('def f() -> str:\n    return "1"\n')
    answer = await Mypy().check(scope)
    assert [(finding.path, finding.rule) for finding in answer.findings] == [("b.py", "assignment")]


async def test_nothing_is_written_into_the_tree_whatever_the_configuration_asks_for(
    tree: Tree, names_below: Callable[[Path], set[str]]
) -> None:
    ini = "[mypy]\ncache_dir = here\njunit_xml = junit.xml\nlinecount_report = lines\npretty = True\n"
    plugin = "from mypy.plugin import Plugin\n\n\ndef plugin(version: str) -> type[Plugin]:\n    return Plugin\n"
    scope = tree({"mypy.ini": f"{ini}plugins = own.py\ninstall_types = True\n", "own.py": plugin, "a.py": WRONG})
    answer = await Mypy().check(scope)
    assert answer.error is None
    assert [finding.rule for finding in answer.findings] == ["return-value"]
    assert names_below(scope.root) == {"mypy.ini", "own.py", "a.py"}


async def test_selected_code_is_checked_besides_configured_ones(tree: Tree) -> None:
    scope = tree({"a.py": UNDEFINED_AT_TIMES})
    answer = await Mypy().check(dataclasses.replace(scope, select=("F401", "possibly-undefined", "mypy")))
    assert answer.error is None
    assert [finding.rule for finding in answer.findings] == ["possibly-undefined"]


async def test_unknown_selected_code_is_the_users_mistake(tree: Tree) -> None:
    with pytest.raises(FixError, match="mypy knows no error code 'arg-tpye'"):
        await Mypy().check(dataclasses.replace(tree({"a.py": WRONG}), select=("arg-tpye",)))


async def test_strange_names_come_back_as_they_are(tree: Tree) -> None:
    names = ["a b/x.py", "ünï/y.py", "with-dash.py", "new\nline/z.py"]
    answer = await Mypy().check(tree(dict.fromkeys(names, WRONG)))
    assert answer.error is None
    assert sorted(finding.path for finding in answer.findings) == sorted(names)


async def test_name_that_mypy_stumbles_over_is_could_not_check(tree: Tree) -> None:
    answer = await Mypy().check(tree({os.fsdecode(b"raw\xff/z.py"): WRONG}))
    assert answer.findings or answer.error


async def test_root_may_be_a_link(tree: Tree, tmp_path: Path) -> None:
    scope = tree({"mypy.ini": "[mypy]\nshow_absolute_path = True\n", "sub/a.py": WRONG})
    link = tmp_path / "link"
    link.symlink_to(scope.root)
    answer = await Mypy().check(dataclasses.replace(scope, root=link))
    assert [finding.path for finding in answer.findings] == ["sub/a.py"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A checkout with a `src` layout, installed editable in an environment of its own."""
    root = tmp_path_factory.mktemp("checkout")
    (root / "src" / "shop").mkdir(parents=True)
    (root / "src" / "shop" / "py.typed").touch()
    (root / "src" / "shop" / "__init__.py").write_text("def price() -> int:\n    return 1\n")
    home = root / ".venv"
    venv.create(home, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "_shop.pth").write_text(f"{root / 'src'}\n")
    return Project(root, home / "bin" / "python", home)


USES_SHOP = "from shop import price\n\ntotal: int = price()\n"


@pytest.mark.parametrize("configuration", ["files = tests\n", "files = tests\nexplicit_package_bases = True\n"])
async def test_code_of_the_tree_wins_over_an_editable_install(
    tree: Tree, installed: Project, configuration: str
) -> None:
    changed = 'def price() -> str:\n    return "1"\n'
    files = {"mypy.ini": f"[mypy]\n{configuration}", "src/shop/py.typed": "", "src/shop/__init__.py": changed}
    scope = dataclasses.replace(tree({**files, "tests/test_shop.py": USES_SHOP}), project=installed)
    answer = await Mypy().check(scope)
    assert answer.error is None
    assert [(finding.path, finding.rule) for finding in answer.findings] == [("tests/test_shop.py", "assignment")]


async def test_the_checkout_itself_can_be_checked(tree: Tree, installed: Project) -> None:
    answer = await Mypy().check(Scope(installed.root, installed, tree({}).cache, exclude=(".venv",)))
    assert (answer.findings, answer.error) == ((), None)


async def test_a_finding_in_the_checkout_means_that_the_wrong_code_was_checked(
    tree: Tree, installed: Project, environment: Callable[..., Path]
) -> None:
    place = '"line": 1, "column": 0, "message": "m", "severity": "error"'
    item = f'{{"file": "{installed.root}/src/shop/__init__.py", {place}}}'
    scope = tree({"a.py": WRONG})
    project = dataclasses.replace(installed, environment=environment("mypy", f"print({item!r}); raise SystemExit(1)"))
    answer = await Mypy().check(dataclasses.replace(scope, project=project))
    assert answer.findings == ()
    assert "src/shop/__init__.py, which is not in the tree" in (answer.error or "")


async def test_types_are_those_of_the_projects_interpreter(tree: Tree, installed: Project) -> None:
    (site,) = (installed.environment or Path()).glob("lib/python*/site-packages")
    (site / "only_there.py").write_text("x = 1\n")
    (site / "only_there-stubs").mkdir()
    (site / "only_there-stubs" / "__init__.pyi").write_text("x: int\n")
    scope = dataclasses.replace(tree({"a.py": "from only_there import x\n\ny: int = x\n"}), project=installed)
    answer = await Mypy().check(scope)
    assert (answer.findings, answer.error) == ((), None)


async def test_search_path_of_the_user_is_kept_and_moved(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "stubs").mkdir(parents=True)
    monkeypatch.setenv("MYPYPATH", f"{checkout}/stubs")
    scope = tree(
        {
            "mypy.ini": "[mypy]\nfiles = a.py\n",
            "stubs/extra.pyi": "x: str\n",
            "a.py": "from extra import x\n\ny: int = x\n",
        }
    )
    project = dataclasses.replace(scope.project, root=checkout)
    answer = await Mypy().check(dataclasses.replace(scope, project=project))
    assert [(finding.path, finding.rule) for finding in answer.findings] == [("a.py", "assignment")]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("print('{\"file\": ')", "can't be read"),
        ("print('Success')", "can't be read: Success"),
        ("print('[1]')", "can't be read"),
        ("print('{}'); raise SystemExit(1)", "can't be read"),
        ("import sys; sys.exit('no such planet')", "ended with exit code 1: no such planet"),
        ("import sys; sys.exit(3)", "ended with exit code 3"),
        ("import sys; sys.exit(2)", "ended with exit code 2"),
        ("import os; os.abort()", "was ended by SIGABRT"),
        (
            "import sys; print('mypy: error: unrecognized arguments: -O', file=sys.stderr); sys.exit(2)",
            "this mypy can't write JSON (mypy 1.11 or newer can)",
        ),
    ],
)
async def test_whatever_else_mypy_does_is_could_not_check(
    tree: Tree, environment: Callable[..., Path], script: str, words: str
) -> None:
    scope = tree({"a.py": WRONG})
    project = dataclasses.replace(scope.project, environment=environment("mypy", script))
    answer = await Mypy().check(dataclasses.replace(scope, project=project))
    assert answer.findings == ()
    assert words in (answer.error or "")


async def test_missing_mypy_is_could_not_check(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = await Mypy().check(tree({"a.py": WRONG}))
    assert (answer.error or "").startswith("mypy isn't installed")


@pytest.mark.parametrize(
    ("name", "text", "configured"),
    [
        ("pyproject.toml", "[tool.mypy]\nstrict = true\n", True),
        ("pyproject.toml", "[tool.ruff]\n", False),
        ("mypy.ini", "[mypy]\n", True),
        (".mypy.ini", "[mypy]\n", True),
        ("setup.cfg", "[mypy]\nstrict = true\n", True),
        ("setup.cfg", "[mypy-requests.*]\nignore_errors = true\n", False),
        ("tox.ini", "[mypy]\n", False),
    ],
)
def test_configured_where_mypy_reads_it(tree: Tree, name: str, text: str, configured: bool) -> None:
    assert Mypy.configured(tree({name: text}).root) is configured
