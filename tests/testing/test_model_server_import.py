"""What a test's server needs is said where it is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_the_scripted_model_server_says_what_to_install(missing: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; import fanfold.testing.model_server"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: servers for tests need Starlette and uvicorn; run: pip install 'fanfold[testing]'"
    )
