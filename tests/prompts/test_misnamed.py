"""Advice that nobody will read is told, with what may have been meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.prompts import misnamed
from fanfold.prompts.advice import FOLDER, known_rules

RULES = {"ruff": {"F401", "B006"}, "mypy": {"arg-type", "return"}, "eslint": set[str]()}


def told(root: Path, *files: str) -> tuple[str, ...]:
    for file in files:
        path = root / FOLDER / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Ask first.\n")
    return misnamed(root, RULES, complete=("ruff",))


def test_what_is_read_is_not_told(tmp_path: Path) -> None:
    assert told(tmp_path) == ()
    files = ("ruff/F401.md", "mypy/arg-type.md", "mypy/of-a-plugin.md", "eslint/@typescript/no-any.md", "ruff/.keep")
    assert told(tmp_path, *files) == ()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("rufff/F401.md", "there is no checker 'rufff'; did you mean ruff?"),
        ("tea/F401.md", "there is no checker 'tea'"),
        ("ruff/F4O1.md", "ruff has no rule 'F4O1'; did you mean F401?"),
        ("ruff/f401.md", "ruff has no rule 'f401'; did you mean F401?"),
        ("mypy/arg_type.md", "mypy has no rule 'arg_type'; did you mean arg-type?"),
        ("ruff/F401.txt", "its name doesn't end in .md"),
        ("F401.md", "it belongs into a folder that is called like a checker"),
    ],
)
def test_what_is_not_read_is_told(tmp_path: Path, file: str, words: str) -> None:
    (line,) = told(tmp_path, file, "ruff/B006.md")
    assert line == f"advice in '{FOLDER}/{file}' is not read: {words}" or words in line
    assert f"'{FOLDER}/{file}'" in line


def test_a_link_is_told_and_what_a_name_holds_can_t_steer_a_terminal(tmp_path: Path) -> None:
    told(tmp_path, "ruff/F401.md")
    (tmp_path / FOLDER / "ruff" / "B006.md").symlink_to(tmp_path / FOLDER / "ruff" / "F401.md")
    assert "it is a link" in told(tmp_path)[0]
    (tmp_path / FOLDER / "ruff" / "B006.md").unlink()
    assert "\x1b" not in told(tmp_path, "ruff/\x1b[2J.md")[0]


@pytest.mark.parametrize("linked", [FOLDER, ".fanfold"])
def test_of_a_folder_that_is_a_link_nothing_is_told_but_that(tmp_path: Path, linked: str) -> None:
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere" / "advice"
    elsewhere.mkdir(parents=True)
    (elsewhere / "private.md").touch()
    (root / linked).parent.mkdir(parents=True)
    (root / linked).symlink_to(elsewhere if linked == FOLDER else elsewhere.parent)
    assert misnamed(root, RULES) == (f"advice in '{FOLDER}' is not read: it is a link, or in one",)


def test_of_many_some_are_told(tmp_path: Path) -> None:
    lines = told(tmp_path, *(f"rufff/F{number}.md" for number in range(20)))
    assert len(lines) == 6
    assert lines[-1] == "15 more files of advice are not read"


def test_rules_with_advice_are_known() -> None:
    rules = known_rules()
    assert "F401" in rules["ruff"]
    assert "arg-type" in rules["mypy"]
    assert rules["basedpyright"] == rules["pyright"] > {"reportUnusedImport"}
