"""What a change imports has to be there, for the project's own Python."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fanfold.fix.gates import Edit, Modules


async def missing(root: Path, before: str, after: str, path: str = "pkg/app.py") -> tuple[str, ...]:
    (root / "pkg").mkdir(exist_ok=True)
    (root / "pkg" / "__init__.py").write_text("")
    (root / "pkg" / "core.py").write_text("def load():\n    return 1\n")
    return await Modules(Path(sys.executable), root).missing(Edit(path, before.encode(), after.encode()))


@pytest.mark.parametrize(
    "code",
    [
        "import no_such_module_anywhere",
        "from no_such_module_anywhere import thing",
        "from pkg.core import save",
        "from pkg import nothing",
        "import pkg.nothing",
        "from textwrap import dedentt",
        "import os\nos.path.combine('a', 'b')",
        "import json\njson.load_string('1')",
        "import time\ntime.sleep_ms(1)",
        "import pkg.core\npkg.core.save()",
    ],
)
async def test_what_is_nowhere_is_named(tmp_path: Path, code: str) -> None:
    assert await missing(tmp_path, "", code)


@pytest.mark.parametrize(
    "code",
    [
        "from pkg.core import load",
        "import core",
        "import pkg.core\npkg.core.load()",
        "from . import core",
        "from collections.abc import Iterable",
        "import os\nos.path.join('a', 'b')",
        "import importlib.util\nimportlib.util.find_spec('a')",
        "import pytest\npytest.mark.anything",
        "import math\nmath.sqrt(1)",
        "from pathlib import Path\nPath.home()",
        "try:\n    import no_such_module_anywhere\nexcept ImportError:\n    x = 1",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from _typeshed import StrPath",
        "import sys\nif sys.platform == 'win32':\n    sys.getwindowsversion()",
    ],
)
async def test_what_is_there_passes(tmp_path: Path, code: str) -> None:
    assert await missing(tmp_path, "", code) == ()


async def test_module_that_becomes_another_one_may_have_any_name(tmp_path: Path) -> None:
    text = "import json\nimport sys\nsys.modules[{}] = json\n"
    (tmp_path / "same.py").write_text(text.format("__name__"))
    (tmp_path / "other.py").write_text(text.format("'json'"))
    assert await missing(tmp_path, "", "from same import loads\n") == ()
    assert await missing(tmp_path, "", "from other import loads\n")


async def test_what_was_used_before_is_not_asked_for(tmp_path: Path) -> None:
    code = "import no_such_module_anywhere\nno_such_module_anywhere.run()\n"
    assert await missing(tmp_path, code, code + "x = 1\n") == ()
