"""Prompts are replaced by name, and refused where something in them has no meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.config import ConfigError
from fanfold.redact import redact
from fanfold.troubleshoot.prompts import PLACES, Prompts, PromptType

SYSTEM, ANSWER = PromptType.TROUBLESHOOT_SYSTEM, PromptType.TROUBLESHOOT_ANSWER


@pytest.mark.parametrize("kind", PromptType)
def test_each_prompt_of_ours_uses_all_of_its_places(kind: PromptType) -> None:
    places = {name: f"<{name} here>" for name in PLACES[kind]}
    text = Prompts.read().fill(kind, **places)
    assert all(place in text for place in places.values())


@pytest.mark.parametrize("kind", PromptType)
def test_nothing_in_prompts_of_ours_is_taken_for_a_secret(kind: PromptType) -> None:
    text = Prompts.read().texts[kind]
    assert redact(text) == text


def test_a_text_replaces_one_prompt_and_leaves_the_others() -> None:
    prompts = Prompts.read({"troubleshoot_system": "Classes: {causes}"})
    assert prompts.fill(SYSTEM, causes="none", language="English") == "Classes: none"
    assert prompts.texts[ANSWER] == Prompts.read().texts[ANSWER]


def test_files_of_a_folder_replace_prompts(tmp_path: Path) -> None:
    (tmp_path / "troubleshoot_answer.md").write_text("{incident} é isto: {evidence} {{sic}}", "utf-8")
    (tmp_path / "notes.txt").write_text("{whatever}")
    filled = Prompts.read(tmp_path).fill(ANSWER, incident="A", evidence="B", conclusions="C", left_out="D")
    assert filled == "A é isto: B {sic}"


def test_braces_in_what_is_filled_in_stay_as_they_are() -> None:
    prompts = Prompts.read({"troubleshoot_answer": "{incident}{evidence}"})
    assert prompts.fill(ANSWER, incident="{evidence}", evidence="{0.__class__}") == "{evidence}{0.__class__}"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("troubleshoot_sytem", "{causes}", "no prompt 'troubleshoot_sytem'"),
        ("troubleshoot_system", "{causes} {evidence}", "a place {evidence}"),
        ("troubleshoot_system", "{causes.__class__}", "a place {causes.__class__}"),
        ("troubleshoot_system", "{causes!r}", "a place {causes!r}"),
        ("troubleshoot_system", "{causes:>9}", "a place {causes:>9}"),
        ("troubleshoot_system", "be helpful", "no place {causes}"),
        ("troubleshoot_answer", "{incident}", "no place {evidence}"),
        ("troubleshoot_answer", '{incident} {evidence} {"json": 1}', "place"),
        ("troubleshoot_answer", "{incident} {evidence", "can't be read"),
    ],
)
def test_a_prompt_that_would_not_work_is_refused_with_a_hint(name: str, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Prompts.read({name: text})
    assert says in raised.value.message
    assert raised.value.hint


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        Prompts.read(tmp_path / "none")
