"""Options that may stand without their value."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.cli.optional import with_defaults


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("", ""),
        ("--new", "--new=auto"),
        ("--new --quiet", "--new=auto --quiet"),
        ("--new main", "--new=main"),
        ("--new main src", "--new=main src"),
        ("--new src", "--new=auto src"),
        ("--new=src src", "--new=src src"),
        ("--new -- main", "--new=auto -- main"),
        ("src -- --new", "src -- --new"),
        ("--newer", "--newer"),
    ],
)
def test_an_option_stands_alone_before_options_and_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path)
    assert with_defaults(given.split(), {"--new": "auto"}) == meant.split()
