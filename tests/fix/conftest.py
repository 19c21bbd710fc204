"""Projects that are really installed into environments of their own, each built once for all tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fanfold.fix.project import Project, find_project

CORE = "def total(prices: list[int]) -> int:\n    return sum(prices)\n"
PACKAGE = {
    "__init__.py": "",
    "py.typed": "",
    "core.py": CORE,
    "__main__.py": "from shop.core import total\n\nprint(total([1, 2]))\n",
}
TESTS = """\
import subprocess
import sys

from shop.core import total


def test_total():
    assert total([1, 2]) == 3


def test_process():
    assert subprocess.run([sys.executable, "-m", "shop"], capture_output=True, cwd="/").stdout == b"3\\n"


def test_process_in_an_environment_of_its_own():
    assert subprocess.run([sys.executable, "-m", "shop"], capture_output=True, cwd="/", env={}).stdout == b"3\\n"
"""
PROJECT = '[project]\nname = "shop"\nversion = "1"\n'


def build_system(requires: str, backend: str) -> str:
    return f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'


HATCHLING = build_system("hatchling", "hatchling.build")
SETUPTOOLS = build_system("setuptools", "setuptools.build_meta")
UV_BUILD = build_system("uv_build", "uv_build")


@dataclass(frozen=True)
class Recipe:
    """How a project is laid out, built and installed; `folder` holds the package."""

    folder: str
    pyproject: str
    installer: str = "uv"
    options: tuple[str, ...] = ("-e",)


RECIPES = {
    "hatchling src": Recipe("src/shop", HATCHLING, "pip"),
    "hatchling flat": Recipe("shop", HATCHLING),
    "hatchling exact": Recipe("src/shop", HATCHLING + "[tool.hatch.build]\ndev-mode-exact = true\n"),
    "setuptools src": Recipe("src/shop", SETUPTOOLS),
    "setuptools flat": Recipe("shop", SETUPTOOLS + '[tool.setuptools]\npackages = ["shop"]\n'),
    "setuptools mapped": Recipe(
        "code/impl", SETUPTOOLS + '[tool.setuptools]\npackages = ["shop"]\npackage-dir = {shop = "code/impl"}\n'
    ),
    "setuptools strict": Recipe(
        "src/shop", SETUPTOOLS, options=("--config-setting", "editable_mode=strict", "-e")
    ),
    "uv_build src": Recipe("src/shop", UV_BUILD),
    "uv_build flat": Recipe("shop", UV_BUILD + '[tool.uv.build-backend]\nmodule-root = ""\n'),
}  # fmt: skip
COPIES = {"copy of hatchling src": Recipe("src/shop", HATCHLING, options=())}


@dataclass(frozen=True)
class Installed:
    """A project installed into `.venv` of its main checkout."""

    project: Project
    folder: str
    tracked: tuple[str, ...] = field(default=())

    @property
    def main(self) -> Path:
        return self.project.root

    def workspace(self, root: Path) -> Path:
        """A working tree of the project's own files alone."""
        for name in self.tracked:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.main / name, root / name)
        return root

    def break_core(self, root: Path) -> None:
        """Make the package return what its tests don't expect."""
        (root / self.folder / "core.py").write_text(CORE.replace("sum(prices)", "0"))

    def change_core(self, root: Path) -> None:
        """Make the package return something else, and its tests expect that."""
        self.break_core(root)
        tests = root / "tests/test_shop.py"
        tests.write_text(tests.read_text().replace("== 3", "== 0").replace('b"3', 'b"0'))

    def mistype_core(self, root: Path) -> None:
        """Make a caller of the package, `tests/caller.py`, wrong in its types."""
        (root / self.folder / "core.py").write_text(CORE.replace("list[int]", "str").replace("sum(prices)", "0"))

    @contextlib.contextmanager
    def mistyped(self) -> Iterator[None]:
        """The same in the main checkout, for a while."""
        self.mistype_core(self.main)
        try:
            yield
        finally:
            (self.main / self.folder / "core.py").write_text(CORE)


def make_environment(where: Path, installer: str) -> Path:
    """A virtual environment that sees the packages of the running one, build backends among them."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    command = (
        [sys.executable, "-m", "venv", "--without-pip"]
        if installer == "pip"
        else [uv, "venv", "-q", "-p", sys.executable]
    )
    subprocess.run([*command, str(where)], check=True)
    site = next(where.glob("lib/python3*/site-packages"))
    (site / "00-shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return where / "bin" / "python"


def install(root: Path, recipe: Recipe) -> Installed:
    files = {f"{recipe.folder}/{name}": text for name, text in PACKAGE.items()}
    files |= {"tests/test_shop.py": TESTS, "pyproject.toml": PROJECT + recipe.pyproject}
    files["tests/caller.py"] = "from shop.core import total\n\nprint(total([1, 2]))\n"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    python = make_environment(root / ".venv", recipe.installer)
    offline = ["--no-build-isolation", "--no-deps", "-q", *recipe.options, str(root)]
    if recipe.installer == "pip":
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", *offline]
    else:
        command = [str(Path(sys.executable).parent / "uv"), "pip", "install", "-p", str(python), "--offline", *offline]
    # Backends may start programs of their own.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert done.returncode == 0, done.stderr
    return Installed(find_project(root, {}), recipe.folder, tuple(files))


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Installed]:
    """Installed projects by the name of their recipe; never to be changed, only their workspaces are."""
    made: dict[str, Installed] = {}

    def get(name: str) -> Installed:
        if name not in made:
            root = tmp_path_factory.mktemp(name.replace(" ", "-")) / "checkout"
            made[name] = install(root, {**RECIPES, **COPIES}[name])
        return made[name]

    return get
