from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.agents import AgentError
from fanfold.agents.draft import Draft, Edit, Fix, FixId
from fanfold.agents.ruff import Ruff, Target, apart, covers


@pytest.mark.parametrize(
    ("selector", "rule", "meant"),
    [
        ("F", "F401", True),
        ("F", "FBT001", False),
        ("F4", "F401", True),
        ("F401", "F401", True),
        ("F401", "F811", False),
        ("E", "ERA001", False),
        ("PL", "PLR2004", True),
        ("PLR", "PLE0101", False),
        ("D2", "D200", True),
        ("ALL", "D200", True),
        ("ruff", "D200", True),
        ("ruff:D", "D200", True),
        ("ruff:F", "D200", False),
        ("mypy", "D200", False),
        ("mypy:D", "D200", False),
        ("C4", "C408", True),
        ("C4", "C901", False),
    ],
)
def test_selectors_mean_what_they_mean_to_ruff(selector: str, rule: str, meant: bool) -> None:
    assert covers(selector, rule) is meant


def fix_of(rule: str, *edits: Edit) -> Fix:
    return Fix(FixId(edits[0].start, 0, rule), edits)


def test_fixes_that_touch_wait_for_the_next_pass() -> None:
    first, beside, apart_from_both = (fix_of("A", Edit(at, at + 2, "")) for at in (0, 2, 6))
    assert apart([beside, first, apart_from_both], "x" * 9) == [first, apart_from_both]


def test_fixes_that_share_an_edit_go_together() -> None:
    shared = Edit(0, 0, "import x\n")
    both = [fix_of("A", shared, Edit(3, 4, "")), fix_of("B", shared, Edit(6, 7, ""))]
    assert apart(both, "y" * 9) == both


def test_two_statements_of_one_block_are_not_deleted_at_once() -> None:
    text = "if x:\n    import a\n    import b\nif y:\n    import c\n"
    a, b, c = (fix_of("F401", Edit(at := text.index(f"    import {name}"), at + 13, "")) for name in "abc")
    assert apart([a, b, c], text) == [a, c]


async def test_a_command_that_ruff_refuses_is_an_error_with_its_words(tmp_path: Path, ruff: str) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    broken = Ruff((ruff, "check", "--no-such-option"), tmp_path, "a.py")
    with pytest.raises(AgentError, match="no-such-option"):
        await broken.offers()


async def test_output_options_of_the_checkers_command_are_not_given_twice(tmp_path: Path, ruff: str) -> None:
    (tmp_path / "a.py").write_text("import os\n")
    command = (ruff, "check", "--isolated", "--output-format", "json", "--output-format=json")
    assert [offer.rule for offer in await Ruff(command, tmp_path, "a.py").offers()] == ["F401"]
    await Ruff(command, tmp_path, "a.py").fix(unsafe=False)
    assert (tmp_path / "a.py").read_text() == ""


async def test_a_file_name_is_never_an_option(tmp_path: Path, ruff: str) -> None:
    (tmp_path / "--fix.py").write_text("import os\n")
    command = (ruff, "check", "--isolated", "--no-cache")
    assert [offer.rule for offer in await Ruff(command, tmp_path, "--fix.py").offers()] == ["F401"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfimport os; x = dict(a=1); import sys\r\ny = dict(b='\xf0\x9d\x84\x9e'); z = dict(c=2)\r\n",
        b"import os\rx = dict(a=1)\ry = dict(b=2)\r",
        b"if 1:\n\timport os\n\timport re\nx = '\xc3\xa9' if 1 else dict(a=1)\n\x0c\nimport sys",
    ],
)
async def test_places_are_read_as_ruff_means_them(tmp_path: Path, ruff: str, content: bytes) -> None:
    path = tmp_path / "a.py"
    command = (ruff, "check", "--isolated", "--no-cache", "--extend-select", "C4")
    path.write_bytes(content)
    await Ruff(command, tmp_path, "a.py").fix(unsafe=True)
    expected = path.read_bytes()
    assert expected != content
    path.write_bytes(content)
    target, text = Target.open(path)
    draft = Draft.of(text)
    while fixes := [offer.fix(draft) for offer in await Ruff(command, tmp_path, "a.py").offers() if offer.kind]:
        draft = draft.apply(apart(fixes, draft.text))
        target.write(draft.text)
    assert path.read_bytes() == expected
