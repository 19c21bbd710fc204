"""What `pip install .` gives a user."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import fanfold


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(argv, cwd=checkout, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_module_the_type_marker_and_the_licence(wheel: Path, checkout: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {str(path.relative_to(checkout / "src")) for path in (checkout / "src").rglob("*.py")}
    assert modules <= names
    assert "fanfold/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_holds_nothing_but_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert tops == {"fanfold", f"fanfold-{fanfold.__version__}.dist-info"}


def test_the_unpacked_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import sys; sys.path.insert(0, '.'); from fanfold.cli.main import main; sys.argv[1:] = ['--version']; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert fanfold.__version__ in done.stdout, done.stderr


def test_metadata_and_module_agree_on_the_version() -> None:
    assert version("fanfold") == fanfold.__version__


@pytest.mark.parametrize("group", ["fanfold.checkers", "fanfold.agents"])
def test_every_entry_point_loads(group: str) -> None:
    found = [point for point in entry_points(group=group) if point.dist and point.dist.name == "fanfold"]
    assert found
    for point in found:
        assert point.load()


def test_the_extra_all_is_the_sum_of_the_others(checkout: Path) -> None:
    extras = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (everything,) = extras.pop("all")
    assert everything == f"fanfold[{','.join(sorted(extras))}]"
