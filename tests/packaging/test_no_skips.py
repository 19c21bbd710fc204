"""Where everything is installed, a test that skips has failed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPING = {
    "a test": "import pytest\n@pytest.mark.skipif(True, reason='no bwrap')\ndef test_it(): pass\n",
    "a test inside": "import pytest\ndef test_it(): pytest.skip('no bwrap')\n",
    "a module": "import pytest\npytest.skip('no bwrap', allow_module_level=True)\n",
}
EXPECTED_TO_FAIL = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"


def suite(text: str, checkout: Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(checkout / "tests" / "conftest.py", folder)
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    argv = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "FANFOLD_"))}
    return subprocess.run(argv, cwd=folder, env=environment | variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text", SKIPPING.values(), ids=SKIPPING)
def test_a_skip_fails_where_none_is_allowed(text: str, checkout: Path, tmp_path: Path) -> None:
    done = suite(text, checkout, tmp_path, FANFOLD_NO_SKIPS="1")
    assert done.returncode != 0
    assert "no bwrap" in done.stdout


@pytest.mark.parametrize("text", SKIPPING.values(), ids=SKIPPING)
def test_a_skip_elsewhere_tells_its_reason(text: str, checkout: Path, tmp_path: Path) -> None:
    done = suite(text, checkout, tmp_path)
    assert done.returncode in (0, 5), done.stdout
    assert "no bwrap" in done.stdout


def test_an_expected_failure_is_no_skip(checkout: Path, tmp_path: Path) -> None:
    assert suite(EXPECTED_TO_FAIL, checkout, tmp_path, FANFOLD_NO_SKIPS="1").returncode == 0
