"""An answer as text: complete, in the language of the question, and with nothing in it that acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fanfold.testing.sources import JOB, LOG, METRIC, RUNBOOK
from fanfold.troubleshoot.answer import Answer, Claim, Hypothesis
from fanfold.troubleshoot.evidence import Answered, Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.state import answer_data, answer_of
from fanfold.troubleshoot.tell import code, plain, raw, told

NOW = datetime(2024, 12, 11, 9, tzinfo=UTC)


def answer(*evidence: Evidence, language: str = "en", **more: object) -> Answer:
    numbered = tuple(replace(piece, id=f"E{at}") for at, piece in enumerate(evidence, start=1))
    incident = Incident(message="Job BATCH001 failed", now=NOW, jobs=("BATCH001",), language=language)  # type: ignore[arg-type]
    return Answer(incident=incident, summary="It failed.", evidence=numbered, **{"status": "cause", **more})  # type: ignore[arg-type]


FULL = answer(
    JOB,
    LOG,
    METRIC,
    RUNBOOK,
    hypotheses=(
        Hypothesis(
            cause="bad_data", object="CLIENTES", text="Bad data", confidence=0.9, evidence=("E2", "E1"), against=("E3",)
        ),
    ),
    blast_radius=(Claim(text="BATCH002 waits", evidence=("E1",)),),
    next_steps=(Claim(text="Look at record 17", evidence=("E2",)),),
    prevention=(Claim(text="Validate", evidence=("E2",)),),
    missing=("what runbooks say",),
    sources=(
        Answered(source="tws_status", evidence=(JOB,), latency_ms=12.3),
        Answered(source="log_cache", error="Timeout fetching log cache", timed_out=True, latency_ms=5000.0),
    ),
)


def test_everything_stands_in_it_with_its_citations() -> None:
    text = told(FULL)
    assert text.startswith("It failed.\n\n## Likely cause\n\n- Bad data [E2, E1] (90%; against it: E3)\n")
    for line in ("- BATCH002 waits [E1]", "- Look at record 17 [E2]", "- Validate [E2]", "- what runbooks say"):
        assert line in text
    assert "- TWS status: 1 piece (12 ms)" in text
    assert "- log cache: Timeout fetching log cache (5000 ms)" in text


def test_evidence_that_is_cited_is_shown_and_no_other() -> None:
    text = told(FULL)
    assert "- E1 TWS status: `Job BILLING.BATCH001 is in ABEND" in text
    assert "- E3 metrics:" in text
    assert "E4" not in text


def test_evidence_is_shown_where_there_is_no_cause_that_could_cite_it() -> None:
    text = told(answer(RUNBOOK, status="unknown"))
    assert "- E1 RAG search: `S0C7: data exception`\n  - `A field does not hold a valid number.`" in text


def test_runbooks_that_only_sound_alike_are_no_evidence_of_what_happened() -> None:
    alike = replace(RUNBOOK, facts={**RUNBOOK.facts, "exact": False})
    text = told(answer(alike, JOB, status="unknown"))
    assert "E1" not in text
    assert "- E2 TWS status: " in text


def test_evidence_stands_in_the_order_of_its_numbers() -> None:
    pieces = [replace(JOB, id=f"E{number}") for number in (10, 2, 1)]
    claims = (Claim(text="so", evidence=("E10", "E1", "E2")),)
    text = told(replace(answer(), evidence=tuple(pieces), next_steps=claims))
    assert [line[:5].strip("- ") for line in text.splitlines() if " TWS status: `" in line] == ["E1", "E2", "E10"]


def test_place_that_all_evidence_of_a_source_is_from_is_said_once() -> None:
    here = "https://master.example.com"
    pieces = (replace(JOB, reference=here), replace(JOB, reference=here), replace(LOG, reference="batch.log:17"))
    sources = (Answered(source="tws_status", evidence=pieces[:2]), Answered(source="log_cache", evidence=pieces[2:]))
    text = told(answer(*pieces, status="unknown", sources=sources))
    assert text.count(here) == 1
    assert f"- TWS status at `{here}`: 2 pieces (0 ms)" in text
    assert "(`batch.log:17`)" in text


def test_titles_are_in_the_language_of_the_question() -> None:
    text = told(replace(FULL, incident=replace(FULL.incident, language="pt")))
    assert "## Causa provável" in text
    assert "## Evidências" in text
    assert "## Likely cause" not in text


def test_rerun_is_proposed_as_a_command() -> None:
    assert "- `fanfold incident act rerun BILLING.BATCH001 --justification 'why'`" in told(FULL)


@pytest.mark.parametrize("text", ["![x](https://evil.example/?q=1)", "[click](https://evil.example)", "<img src=x>"])
def test_nothing_untrusted_becomes_a_link_an_image_or_a_tag(text: str) -> None:
    shown = told(
        answer(
            replace(LOG, text=text, reference=text),
            hypotheses=(Hypothesis(cause="x", object=text, text=text, confidence=0.5, evidence=("E1",)),),
            missing=(text,),
        )
    )
    outside_of_code = [part for at, part in enumerate(shown.split("`")) if at % 2 == 0]
    assert not any("](" in part or "<img" in part for part in outside_of_code)


@pytest.mark.parametrize("text", ["a `b` c", "``", "`x", "", "one\ntwo", "a ``` b"])
def test_code_span_ends_where_it_should(text: str) -> None:
    span = code(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    assert span.endswith(fence)
    assert f" {fence} " not in span[len(fence) : -len(fence)]
    assert "\n" not in span


def test_plain_text_says_the_same_without_markup() -> None:
    text = plain(told(FULL))
    assert "Likely cause:\n" in text
    assert "- E1 TWS status: Job BILLING.BATCH001 is in ABEND, return code 12.\n" in text
    assert "`" not in text
    assert "##" not in text


def test_raw_results_are_all_there() -> None:
    text = raw({"message": "", "parallel_results": [{"source": "mine"}], "entities": {"language": "pt"}})  # type: ignore[typeddict-item]
    assert text.startswith("Não foi possível reunir os resultados")
    assert '"source": "mine"' in text


def test_answer_survives_json() -> None:
    assert answer_of(answer_data(FULL)) == FULL


def test_every_word_of_the_frame_is_in_the_answer_s_language() -> None:
    starter = replace(JOB, id="E1", text="\n".join(f"line {number}" for number in range(9)), reference="starter:x.md:8")
    sources = (Answered(source="rag_search", evidence=(starter, starter)),)
    asked = replace(FULL, evidence=(starter, *FULL.evidence[1:]), sources=sources)
    text = told(replace(asked, incident=replace(FULL.incident, language="pt")))
    assert "contra ela: E3" in text
    assert "(`starter:x.md:8`) (em inglês)" in text
    assert "e mais 3 linhas" in text
    assert ": 2 evidências (0 ms)" in text
    for word in ("against", "more lines", "pieces"):
        assert word not in text
    assert "em inglês" not in told(asked)
