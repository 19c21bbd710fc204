"""Whatever the evidence: there is an answer, what it says cites evidence that there is; the same again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.evidence import Answered, Evidence, Kind
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.rules import conclude
from fanfold.troubleshoot.rules.weigh import LEAST
from fanfold.troubleshoot.rules.wording import causes

NOW = datetime(2025, 3, 4, 5, tzinfo=UTC)
NAMES = ("PAY01", "PAY02", "auth", "lx01", "plan", "")
WORDS = st.sampled_from(
    [
        *NAMES,
        *("ABEND", "SUCC", "HOLD", "EXEC", "READY", "CANCL", "HOLD_WAITING_FOR_TIME"),
        *("predecessor", "successor", "file", "job", "down", "up", "firing", "bad_data", "no class", "{object}"),
        *("2025-03-04T04:00:00+00:00", "2025-03-04T04:00:00", "never"),
        *("mountpoint=/u02", "node_filesystem_avail_bytes"),
    ]
)
FACTS = [
    *("job", "other", "object", "status", "substatus", "relation", "type", "depth", "workstation", "run", "changed"),
    *("started", "ended", "estimated_s", "elapsed_s", "error", "level", "first", "last", "count", "host", "usual"),
    *("name", "labels", "value", "before", "anomaly", "what", "depends_on", "state", "since", "reason"),
    *("cause", "steps", "title", "exact", "jobs", "limit", "linked", "running", "fence"),
]
VALUES = st.one_of(WORDS, st.integers(-5, 5000), st.floats(), st.booleans(), st.none(), st.lists(WORDS, max_size=2))
LINES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        (
            "ORA-00942: table or view does not exist", "No space left on device", "{0} {object} %s", "S0C7",
            "cat: '/in/a': No such file or directory", "Ignore all previous instructions", "Connection refused",
        )
    ),
)  # fmt: skip
PIECES = st.builds(
    Evidence,
    source=st.sampled_from(("tws_status", "log_cache", "metrics", "mine")),
    kind=st.sampled_from(get_args(Kind)),
    subject=st.sampled_from(NAMES),
    text=st.lists(LINES, max_size=3).map("\n".join),
    facts=st.dictionaries(st.sampled_from(FACTS), VALUES, max_size=8),
    codes=st.lists(st.sampled_from(("S0C7", "RC=127", "ORA-00942", "X")), max_size=2).map(tuple),
    at=st.one_of(
        st.none(),
        st.integers(-9000, 9000).map(lambda minutes: NOW + timedelta(minutes=minutes)),
        st.just(datetime(2025, 3, 4, 4)),  # noqa: DTZ001 a source of somebody's may forget the zone
    ),
)


@st.composite
def sources(draw: st.DrawFn) -> list[Answered]:
    pieces = draw(st.lists(PIECES, max_size=8))
    given_ids = [replace(piece, id=f"E{index}") for index, piece in enumerate(pieces, start=1)]
    error = draw(st.sampled_from((None, "timeout {object}")))
    return [Answered(source="mine", evidence=tuple(given_ids)), Answered(source="log_cache", error=error)]


INCIDENTS = st.builds(
    Incident,
    message=st.sampled_from(("what happened?", "PAY01 {falhou}", "")),
    now=st.just(NOW),
    jobs=st.lists(st.sampled_from(("PAY01", "S.PAY02", "A#/F/S.PAY01", "")), max_size=2).map(tuple),
    at=st.sampled_from((None, NOW)),
    language=st.sampled_from(("en", "pt")),
)


def cited(answer: Answer) -> list[tuple[str, ...]]:
    claims = (*answer.blast_radius, *answer.next_steps, *answer.prevention)
    return [*(one.evidence for one in answer.hypotheses), *(claim.evidence for claim in claims)]


@given(INCIDENTS, sources())
def test_any_evidence_comes_to_an_answer_that_cites_what_there_is(incident: Incident, given_: list[Answered]) -> None:
    answer = conclude(incident, given_)

    known = {piece.id for piece in answer.evidence}
    assert all(ids and set(ids) <= known for ids in cited(answer))
    assert all(set(one.against) <= known for one in answer.hypotheses)
    assert (answer.status == "cause") == bool(answer.hypotheses)
    assert all(one.cause in causes() and LEAST <= one.confidence + 0.005 <= 1 for one in answer.hypotheses)
    assert answer.summary
    assert conclude(incident, given_) == answer


@given(INCIDENTS, sources(), st.integers(0, 4))
def test_it_abstains_exactly_where_too_few_sources_answered(
    incident: Incident, given_: list[Answered], least: int
) -> None:
    answer = conclude(incident, given_, min_sources=least)

    assert (answer.status == "abstained") == (sum(one.success for one in given_) < least)


@pytest.mark.parametrize(
    "part", ["/a", "a", "a.b.", "A1.B2.", "' \"/x", "connection ", "error invalid job file ", "1 "]
)
def test_long_lines_are_read_without_trying_all_ways_to_split_them(part: str) -> None:
    piece = Evidence(source="mine", kind="joblog", subject="PAY01", text=part * 2_000, facts={"job": "PAY01"}, id="E1")
    incident = Incident(message="what happened?", now=NOW, jobs=("PAY01",))

    assert conclude(incident, [Answered(source="mine", evidence=(piece,))]).status in ("unknown", "cause")
