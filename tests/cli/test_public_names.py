from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import fanfold


@pytest.mark.parametrize("name", fanfold.__all__)
def test_public_name_is_there(name: str) -> None:
    assert getattr(fanfold, name) is not None
    assert name in dir(fanfold)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(fanfold, "nothing")  # noqa: B009  mypy knows the names


def test_version_is_that_of_the_installed_package() -> None:
    assert fanfold.__version__ == version("fanfold")


def test_import_of_the_package_loads_nothing_else() -> None:
    script = "import sys, fanfold; print(sorted(name for name in sys.modules if name.startswith('fanfold.')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
