"""Files that say what a project is checked and tested with come with it, and may be links to what has no end."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanfold.fix.checkers.config import ini_section, value_of
from fanfold.fix.suite.files import configures_pytest

GIB = 1024**3


@pytest.fixture
def _memory() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4 * GIB, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.usefixtures("_memory")
def test_a_link_to_what_has_no_end_says_nothing(tmp_path: Path) -> None:
    for name in ("setup.cfg", "mypy.ini", "tox.ini", "pyrefly.toml"):
        (tmp_path / name).symlink_to("/dev/zero")
    assert ini_section(tmp_path, "setup.cfg", "mypy") is None
    assert value_of(tmp_path, "pyrefly.toml", "tool") is None
    assert not configures_pytest(tmp_path)
