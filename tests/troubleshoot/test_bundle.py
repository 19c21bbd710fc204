"""Saved evidence: what a run saves is answered alike; what others write is checked and masked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from fanfold.testing.sources import MESSAGE, CannedSource, four_sources
from fanfold.troubleshoot.bundle import Bundle, BundleError, bundle_of_state, load, save, schema
from fanfold.troubleshoot.flow import incident_of
from fanfold.troubleshoot.run import troubleshoot
from fanfold.troubleshoot.settings import ParallelConfig
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.state import answer_of

PUBLISHED = Path(__file__).parent.parent.parent / "docs" / "evidence.schema.json"
FROM_ELSEWHERE: dict[str, Any] = {
    "incident": {"message": "checkout answers 503", "now": "2025-02-11T03:40:00Z"},
    "sources": [
        {
            "source": "kubernetes",
            "evidence": [
                {
                    "kind": "event",
                    "subject": "checkout-7d9f",
                    "text": "Container checkout was OOMKilled, exit code 137; limit 512Mi",
                    "facts": {"name": "OOMKilled", "object": "checkout-7d9f", "reason": "OOMKilled", "count": 4},
                    "at": "2025-02-11T03:31:00Z",
                }
            ],
        }
    ],
}


def written(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data))
    return path


async def test_saved_run_is_answered_alike_offline(tmp_path: Path) -> None:
    sources = four_sources() | {"metrics": CannedSource("metrics", error=SourceError("no metrics"))}
    config = ParallelConfig(min_sources_required=2)
    state = await troubleshoot(MESSAGE, sources, config=config, at=datetime(2024, 12, 11, 3, tzinfo=UTC))
    save(bundle_of_state(state, incident_of(state, config), min_sources=2), tmp_path / "evidence.json")
    assert load(tmp_path / "evidence.json").answer() == answer_of(state["answer"])
    assert not list(tmp_path.glob("*.part"))


async def test_saved_file_is_of_the_published_format(tmp_path: Path) -> None:
    state = await troubleshoot(MESSAGE, four_sources())
    save(bundle_of_state(state, incident_of(state, ParallelConfig())), tmp_path / "evidence.json")
    jsonschema.validate(json.loads((tmp_path / "evidence.json").read_bytes()), json.loads(PUBLISHED.read_bytes()))


def test_published_format_is_the_one_of_the_code() -> None:
    assert json.loads(PUBLISHED.read_bytes()) == schema(), "python -m fanfold.troubleshoot.bundle writes it"
    jsonschema.Draft202012Validator.check_schema(schema())


def test_evidence_from_elsewhere_is_answered(tmp_path: Path) -> None:
    jsonschema.validate(FROM_ELSEWHERE, schema())
    answer = load(written(tmp_path / "alert.json", FROM_ELSEWHERE)).answer()
    assert answer.status == "cause"
    assert answer.hypotheses[0].cause == "memory_exhausted"
    assert answer.hypotheses[0].evidence == ("E1",)


def test_what_is_not_said_is_read_from_the_message() -> None:
    bundle = Bundle.model_validate({"incident": {"message": MESSAGE}, "sources": FROM_ELSEWHERE["sources"]})
    incident = bundle.asked()
    assert (incident.jobs, incident.codes, incident.language) == (("BATCH001",), ("S0C7",), "pt")
    assert incident.now == datetime(2025, 2, 11, 3, 31, tzinfo=UTC)


def test_secrets_in_evidence_of_others_are_masked() -> None:
    piece = {"kind": "note", "subject": "x", "text": "password=hunter2secret\x1b[31m"}
    bundle = Bundle.model_validate({"incident": {"message": "x"}, "sources": [{"source": "s", "evidence": [piece]}]})
    (evidence,) = bundle.answered()[0].evidence
    assert "hunter2secret" not in evidence.text
    assert "\x1b" not in evidence.text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "object"),
        ({}, "incident"),
        ({**FROM_ELSEWHERE, "version": 2}, "version"),
        ({**FROM_ELSEWHERE, "extra": 1}, "extra"),
        ({"incident": {"message": "x", "now": "2025-02-11T03:40:00"}, "sources": []}, "incident.now"),
        ({"incident": {"message": "x"}, "sources": [{"source": "s", "evidence": [{"kind": "rumour"}]}]}, "kind"),
    ],
)
def test_what_is_no_evidence_is_refused_and_says_why(data: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        load(written(tmp_path / "x.json", data))
    assert "evidence.schema.json" in (caught.value.hint or "")


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="can't be read: No such file"):
        load(tmp_path / "gone.json")


def test_too_much_evidence_is_refused(tmp_path: Path) -> None:
    piece = {"kind": "note", "subject": "x", "text": "y"}
    data = {"incident": {"message": "x"}, "sources": [{"source": "s", "evidence": [piece] * 5_001}]}
    with pytest.raises(BundleError, match="5001 pieces"):
        load(written(tmp_path / "x.json", data))


def test_folder_that_can_not_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="can't be written"):
        save(Bundle.model_validate(FROM_ELSEWHERE), tmp_path / "none" / "x.json")
