"""Paths as the repository has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.checkers.paths import OutsideTree, Tree, arguments, chunks, wrong_code

NAMES = st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=9), max_size=40)


@given(NAMES, st.integers(1, 40))
def test_chunks_are_all_paths_in_order_and_none_is_too_big(names: list[str], max_bytes: int) -> None:
    groups = list(chunks(names, max_bytes=max_bytes))
    assert [name for group in groups for name in group] == names
    assert all(len(group) == 1 or sum(len(os.fsencode(one)) + 1 for one in group) <= max_bytes for group in groups)
    assert all(groups)


def test_no_argument_looks_like_an_option_or_a_file_of_arguments() -> None:
    assert arguments(["-x.py", "@y.py", "a/b.py"]) == ["./-x.py", "./@y.py", "./a/b.py"]


@pytest.mark.parametrize("name", ["a.py", "./a.py", "sub/../a.py", "{root}/a.py", "{link}/a.py", "{root}/sub/../a.py"])
def test_any_way_to_name_a_file_gives_its_path(tmp_path: Path, name: str) -> None:
    root, link = tmp_path / "root", tmp_path / "link"
    root.mkdir()
    link.symlink_to(root)
    given_name = name.format(root=root, link=link)
    assert Tree(root).relative(given_name) == "a.py"
    assert Tree(link).relative(given_name) == "a.py"


@pytest.mark.parametrize("name", ["../a.py", "/etc/passwd", "{root}-more/a.py", "{root}", "."])
def test_files_outside_are_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(OutsideTree):
        Tree(root).relative(name.format(root=root))


def test_link_that_leads_outside_keeps_its_path(tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    assert Tree(tmp_path).relative("link.py") == "link.py"


def test_name_that_a_tool_couldnt_print_is_recovered_where_it_is_clear(tmp_path: Path) -> None:
    raw = [b"d\xff/a\xe9.py", b"d\xff/b\xe9.py", b"d\xff/b\xe8.py", "replaced\ufffd.py".encode()]
    for name in raw:
        path = tmp_path / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    tree = Tree(tmp_path)
    assert tree.relative("d\ufffd/a\ufffd.py") == os.fsdecode(raw[0])
    assert tree.relative("d\ufffd/b\ufffd.py") == os.fsdecode(b"d\xff/") + "b\ufffd.py"
    assert tree.relative("replaced\ufffd.py") == "replaced\ufffd.py"
    assert tree.relative("gone\ufffd/x.py") == "gone\ufffd/x.py"


def test_wrong_code_is_the_users_checkout_or_nowhere(tmp_path: Path) -> None:
    checkout, home = tmp_path / "checkout", tmp_path / "checkout" / ".venv"
    for path in (
        checkout / "a.py",
        home / "lib" / "b.py",
        tmp_path / "lib" / "site-packages" / "c.py",
        tmp_path / "d.h",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert wrong_code([str(checkout / "a.py")], checkout, home) == str(checkout / "a.py")
    assert wrong_code([str(tmp_path / "gone.py")], checkout, home) == str(tmp_path / "gone.py")
    harmless = [home / "lib" / "b.py", tmp_path / "lib" / "site-packages" / "c.py", tmp_path / "d.h"]
    assert wrong_code(map(str, harmless), checkout, home) is None
