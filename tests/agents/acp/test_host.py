"""What an agent asks for and tells is bounded in number and size, whatever it sends."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from acp import RequestError

from fanfold.agents.acp import host, permission
from fanfold.agents.acp.files import Files
from fanfold.agents.acp.host import Host

OPTIONS = [{"kind": "allow_once", "optionId": "yes"}, {"kind": "reject_once", "optionId": "no"}]


@pytest.fixture
def at_work(tmp_path: Path) -> Host:
    (tmp_path / "module.py").write_text("x = 1\n")
    return Host(Files(tmp_path))


async def told(at_work: Host, **update: Any) -> None:
    await at_work.handle("session/update", {"update": {"sessionUpdate": "tool_call_update", **update}}, True)


async def permitted(at_work: Host, **call: Any) -> bool:
    asked = {"toolCall": call, "options": OPTIONS}
    answer: Any = await at_work.handle("session/request_permission", asked, False)
    return bool(answer["outcome"]["optionId"] == "yes")


async def test_what_was_told_of_a_call_counts_when_it_asks(at_work: Host) -> None:
    await told(at_work, toolCallId="1", kind="edit", rawInput={"path": "module.py"})
    assert await permitted(at_work, toolCallId="1")
    await told(at_work, toolCallId="1", locations=[{"path": "/etc/passwd"}])
    assert not await permitted(at_work, toolCallId="1")


async def test_so_many_calls_are_remembered_the_latest_ones(at_work: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MAX_CALLS", 3)
    for number in range(10):
        await told(at_work, toolCallId=str(number), kind="edit", rawInput={"path": "module.py"})
    assert not await permitted(at_work, toolCallId="0")
    assert await permitted(at_work, toolCallId="9")
    assert len(at_work._calls) == 3


async def test_of_a_large_input_the_paths_are_kept_alone(at_work: Host) -> None:
    large = "x" * 1_000_000
    await told(
        at_work, toolCallId=large, title=large, kind="edit", rawInput={"path": "module.py", "new": large, "file": large}
    )
    assert len(str(at_work._calls)) < 10_000


async def test_one_that_names_more_paths_than_can_be_looked_at_is_refused(
    at_work: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    inside = Files.inside

    def counted(files: Files, path: str) -> PurePosixPath:
        looked.append(path)
        return inside(files, path)

    monkeypatch.setattr(Files, "inside", counted)
    paths = ["module.py"] * 100
    assert await permitted(at_work, toolCallId="1", kind="edit", rawInput={"paths": paths})
    assert len(looked) == 100
    assert not await permitted(at_work, toolCallId="2", kind="edit", rawInput={"paths": paths * 1000})
    assert len(looked) == 100
    assert permission.MAX_PATHS == 100
    assert at_work.refused == ["edit is not allowed of more than 100 paths"]


async def test_after_so_many_requests_none_is_answered(at_work: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MAX_REQUESTS", 5)
    for _ in range(5):
        await at_work.handle("fs/read_text_file", {"path": "module.py"}, False)
    for _ in range(3):
        with pytest.raises(RequestError):
            await at_work.handle("fs/read_text_file", {"path": "module.py"}, False)
    assert at_work.refused == ["asked for more than 5 things"]
    assert at_work.transcript.count("[reads module.py]") == 5


async def test_the_transcript_ends_somewhere(at_work: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MAX_TRANSCRIPT_CHARS", 1_000)
    monkeypatch.setattr(host, "MARGIN_CHARS", 100)
    for _ in range(50):
        await told(at_work, toolCallId="1", title="t" * 200, status="completed")
    assert len(at_work.transcript) == 1_101
