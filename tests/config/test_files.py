"""The files of settings come with a repository: whatever lies in their place is told, and none is read without end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fanfold.config import ConfigError, files, find_table

NAMES = ["fanfold.toml", "pyproject.toml"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "folder"])
def test_what_has_no_end_and_what_is_no_file_is_not_read(tmp_path: Path, name: str, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / name).symlink_to(tmp_path / place)
    with pytest.raises(ConfigError, match=f"{name} can't be read: it is no regular file"):
        find_table(tmp_path, "fix")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_nested_too_deeply_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(f"x = {'[' * 100_000}")
    with pytest.raises(ConfigError, match=f"{name} is nested too deeply"):
        find_table(tmp_path, "fix")


def test_of_a_large_file_no_more_is_read_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    (tmp_path / "fanfold.toml").write_text("[fix]\njobs = 3\n".ljust(100))
    assert find_table(tmp_path, "fix") is not None
    (tmp_path / "fanfold.toml").write_text("[fix]\njobs = 3\n".ljust(101))
    with pytest.raises(ConfigError, match=r"fanfold\.toml has more than 100 bytes"):
        find_table(tmp_path, "fix")


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "shared.toml").write_text("[fix]\njobs = 3\n")
    (tmp_path / "fanfold.toml").symlink_to(tmp_path / "shared.toml")
    found = find_table(tmp_path, "fix")
    assert found is not None
    assert found.values == {"jobs": 3}
