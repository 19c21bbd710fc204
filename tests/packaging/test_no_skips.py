"""Where everything is installed, a test that skips has failed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

SKIPPING = {
    "test_marked.py": "import pytest\n@pytest.mark.skipif(True, reason='no bwrap')\ndef test_it(): pass\n",
    "test_inside.py": "import pytest\ndef test_it(): pytest.skip('no bwrap')\n",
    "test_module.py": "import pytest\npytest.skip('no bwrap', allow_module_level=True)\n",
}
FILES = SKIPPING | {"test_known.py": "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"}


@pytest.fixture(scope="module")
def suite(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, str]]:
    """What becomes of each file of a suite that is run with these variables, in words of pytest's summary."""

    @cache
    def told(**variables: str) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("suite")
        shutil.copy(checkout / "tests" / "conftest.py", folder)
        (folder / "pytest.ini").write_text("[pytest]\n")
        for name, text in FILES.items():
            (folder / name).write_text(text)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "FANFOLD_"))}
        argv = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", str(folder)]
        argv += ["--continue-on-collection-errors"]
        done = subprocess.run(
            argv,
            cwd=folder,
            env=kept | {"COLUMNS": "1000", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == ("FANFOLD_NO_SKIPS" in variables), done.stdout + done.stderr
        summary = done.stdout.partition("short test summary info")[2].splitlines()
        return {name: next((line for line in summary if name in line), "") for name in FILES}

    return told


@pytest.mark.parametrize("name", SKIPPING)
def test_a_skip_fails_where_none_is_allowed(name: str, suite: Callable[..., dict[str, str]]) -> None:
    told = suite(FANFOLD_NO_SKIPS="1")[name]
    assert told.startswith(("FAILED", "ERROR"))
    assert "no bwrap" in told


@pytest.mark.parametrize("name", SKIPPING)
def test_a_skip_elsewhere_tells_its_reason(name: str, suite: Callable[..., dict[str, str]]) -> None:
    told = suite()[name]
    assert told.startswith("SKIPPED")
    assert "no bwrap" in told


def test_an_expected_failure_is_no_skip(suite: Callable[..., dict[str, str]]) -> None:
    assert suite(FANFOLD_NO_SKIPS="1")["test_known.py"].startswith("XFAIL")
