"""What sources come to as it may be kept: secrets masked before anything is cut, names and codes in one short line."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.testing.sources import PIECES, CannedSource
from fanfold.troubleshoot.ask import (
    LONGEST_SECRET_CHARS,
    MOST_CHARS,
    MOST_NAME_CHARS,
    MOST_PIECES,
    MOST_READ_CHARS,
    ask,
    clean,
    clean_text,
)
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.protocol import SourceError

TOKEN = "glpat-" + "Ab3dEf6hIj9k" * 3
INCIDENT = Incident(message="it failed", now=datetime(2025, 1, 1, tzinfo=UTC))


def note(**more: object) -> Evidence:
    return Evidence(**{"source": "notes", "kind": "note", "subject": "it", "text": "of note", **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("most", [MOST_CHARS, MOST_READ_CHARS])
@pytest.mark.parametrize("shown", range(8, len(TOKEN), 6))
def test_secret_that_stands_where_text_is_cut_is_masked(most: int, shown: int) -> None:
    text = f"{'x' * (most - shown - 1)} {TOKEN} and {'more ' * 20_000}"
    cleaned = clean_text(text)
    assert "glpat-" not in cleaned
    assert len(cleaned) <= MOST_CHARS + 2


def test_half_a_secret_where_reading_ends_is_left_out_however_much_masking_shortens_the_rest() -> None:
    secrets = f"{TOKEN} " * (MOST_READ_CHARS // (len(TOKEN) + 1) + 10)
    assert set(clean_text(secrets).split()) == {"***", "…"}
    assert len(TOKEN) < LONGEST_SECRET_CHARS


@given(st.text(max_size=50), st.integers(0, 200))
def test_cleaning_again_changes_nothing(text: str, times: int) -> None:
    cleaned = clean_text(text * times)
    assert clean_text(cleaned) == cleaned


def test_codes_and_names_of_facts_are_one_short_line() -> None:
    codes = ("s0c7", "RC=\x1b[31m12\x1b[0m", "A\nB", "\x00", "X" * 5_000, "S0C7")
    piece = clean(note(codes=codes, facts={"ev\x07il\nname": "a\x1b[2Jb", "y" * 5_000: 1, "\x00": 2}))
    assert piece.codes[:3] == ("S0C7", "RC=12", "A B")
    assert len(piece.codes) == 4
    assert all(len(code) <= MOST_NAME_CHARS + 2 for code in piece.codes)
    assert next(iter(piece.facts.items())) == ("evil name", "ab")
    assert len(piece.facts) == 2
    assert all(len(name) <= MOST_NAME_CHARS + 2 for name in piece.facts)


def test_there_are_no_more_codes_and_facts_than_can_be_told() -> None:
    piece = clean(note(codes=tuple(map(str, range(1_000))), facts={str(number): number for number in range(1_000)}))
    assert (len(piece.codes), len(piece.facts)) == (MOST_PIECES, MOST_PIECES)


@pytest.mark.parametrize("error", [SourceError(f"refused {TOKEN}\x1b[2J"), RuntimeError(f"refused {TOKEN}\x1b[2J")])
async def test_what_a_source_fails_with_is_cleaned_too(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    source = CannedSource("metrics", error=error)
    async with source.open():
        answered = await ask(source, INCIDENT, timeout_s=5.0)
    assert answered.error is not None
    assert answered.error.endswith("refused ***")


async def test_what_is_clean_stays_as_it_is() -> None:
    assert all(clean(piece) == piece for piece in PIECES.values())
