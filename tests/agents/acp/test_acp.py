"""The agent against a real process of the protocol: one that does its work, and ones that don't."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import AgentError, AgentUnusable, Assignment
from fanfold.agents.acp import Acp, agent, host
from fanfold.fix.attempts.confine import find_bubblewrap
from fanfold.llm.usage import Usage
from fanfold.process import Sandbox, python_reach

MakeBench = Callable[..., Any]
MakeSettings = Callable[..., Any]

AGENT = [sys.executable, str(Path(__file__).parent / "scripted.py")]
BARE = [sys.executable, "-S", "-E", str(Path(__file__).parent / "bare.py")]
BEFORE = b"import os\nimport re\nx = 1\n"


@pytest.fixture
def acp(make_settings: MakeSettings) -> Callable[..., Acp]:
    """The agent for a behaviour of the bare one, or for one that fixes its file and speaks with the package."""

    def make(behaviour: str, argument: object = "", **settings: Any) -> Acp:
        command = AGENT if behaviour == "fixes" else [*BARE, behaviour, str(argument)]
        return Acp.make(make_settings(options={"command": command}, **settings))

    return make


@pytest.fixture
def assignment(make_bench: MakeBench) -> Assignment:
    made: Assignment = make_bench(BEFORE).assignment(prompt="do it")
    return made


def runs(pid: str) -> bool:
    """Whether a process is there, and not merely waiting to be counted out."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


async def test_it_fixes_its_file_and_the_transcript_tells_what_was_said_and_done_in_order(
    acp: Callable[..., Acp], make_bench: MakeBench
) -> None:
    bench = make_bench(BEFORE)
    report = await acp("fixes").work(bench.assignment())
    assert bench.file.read_bytes() == b"x = 1\n"
    assert (await bench.verify()).ok
    assert report.summary == "I deleted the imports."
    assert report.session == "session-1"
    assert report.usage == Usage(requests=1, input_tokens=22, output_tokens=8, cost_usd=0.25)
    assert report.refused == ()
    parts = [
        "nobody uses",
        "[reads ",
        "[edit edit",
        "allowed]",
        "[writes ",
        "I deleted the imports.",
        "[ends: end_turn]",
    ]
    places = [report.transcript.index(part) for part in parts]
    assert places == sorted(places)


async def test_it_gets_the_prompt_and_the_variables_that_are_named(
    acp: Callable[..., Acp], assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "small")
    monkeypatch.setenv("MY_OTHER", "hidden")
    report = await acp("echoes", agent_env=("MY_KEY",)).work(assignment)
    assert report.summary == "do it small None"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret", "link", "folder/inner", ".git/config", "/dev/zero", "pipe"]
)
@pytest.mark.parametrize("behaviour", ["reads", "writes"])
async def test_nothing_outside_of_the_workspace_is_read_or_written(
    acp: Callable[..., Acp], assignment: Assignment, tmp_path: Path, path: str, behaviour: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "secret").write_text("secret")
    (outside / "inner").write_text("secret")
    (assignment.root / "link").symlink_to(tmp_path / "secret")
    (assignment.root / "folder").symlink_to(outside)
    (assignment.root / ".git").mkdir()
    (assignment.root / ".git" / "config").write_text("secret")
    os.mkfifo(assignment.root / "pipe")
    named = path if path.startswith("/") else f"{assignment.root}/{path}"
    report = await acp(behaviour, named).work(assignment)
    assert report.summary.startswith("refused")
    assert "secret" not in report.transcript.replace(path, "")
    assert "root:" not in report.transcript
    assert len(report.refused) == 1
    for file in (tmp_path / "secret", outside / "inner", assignment.root / ".git" / "config"):
        assert file.read_text() == "secret"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("edit:{root}/module.py", "once"),
        ("read:module.py", "once"),
        ("search:{root}", "once"),
        ("read:file://{root}/module.py", "once"),
        ("read:/etc/passwd", "no"),
        ("read:file://{root}/%2e%2e/secret", "no"),
        ("read:file://localhost/etc/passwd", "no"),
        ("read:FILE:///etc/passwd", "no"),
        ("read:~/.ssh/id_rsa", "no"),
        ("read:$HOME/.ssh/id_rsa", "no"),
        ("edit:{root}/.GIT/config", "no"),
        (f"edit:{'x' * 5000}", "no"),
        ("edit:../other.py", "no"),
        ("edit:", "no"),
        ("execute:{root}/module.py", "no"),
        ("delete:{root}/module.py", "no"),
        ("fetch:", "no"),
        ("other:", "no"),
    ],
)
async def test_permission_is_for_reading_and_editing_in_the_workspace_alone(
    acp: Callable[..., Acp], assignment: Assignment, asked: str, answer: str
) -> None:
    report = await acp("asks", asked.format(root=assignment.root)).work(assignment)
    assert report.summary == answer
    assert bool(report.refused) == (answer == "no")


async def test_there_are_no_terminals(acp: Callable[..., Acp], assignment: Assignment) -> None:
    report = await acp("wants-a-terminal").work(assignment)
    assert report.summary.startswith("refused: Method not found")
    assert not (assignment.root / "planted").exists()


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("dies-at-once", r"exit code 3 before it had answered: no such model"),
        ("crashes", r"exit code 139 before it had answered: Segmentation fault"),
        ("fails", r"failed: Internal error .*overloaded \S*\*\*\*"),
        ("needs-login", r"failed: Authentication required"),
        ("old", r"another version"),
    ],
)
async def test_an_agent_that_fails_is_an_error_with_its_words(
    acp: Callable[..., Acp], assignment: Assignment, behaviour: str, said: str
) -> None:
    with pytest.raises(AgentError, match=said):
        await acp(behaviour).work(assignment)


async def test_at_the_deadline_it_is_told_to_stop_and_then_ended_with_its_children(
    acp: Callable[..., Acp], assignment: Assignment, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    with pytest.raises(AgentError, match="within 2 s"):
        await acp("hangs", note, deadline_s=2.0).work(assignment)
    assert note.read_text() == "cancelled session-1"
    for _ in range(100):
        if not runs((tmp_path / "note.pid").read_text()):
            return
        await asyncio.sleep(0.05)
    pytest.fail("it still runs")


async def test_when_it_is_cancelled_it_is_told_so(
    acp: Callable[..., Acp], assignment: Assignment, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    working = asyncio.create_task(acp("hangs", note).work(assignment))
    while not (tmp_path / "note.pid").exists():
        await asyncio.sleep(0.05)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert note.read_text() == "cancelled session-1"


async def test_one_that_reads_nothing_more_is_ended(acp: Callable[..., Acp], assignment: Assignment) -> None:
    with pytest.raises(AgentError, match="within 2 s"):
        await acp("ignores-everything", deadline_s=2.0).work(assignment)


@pytest.mark.parametrize(("behaviour", "said"), [("floods", "too much was said"), ("floods-a-line", "too long")])
async def test_a_flood_ends_it(
    acp: Callable[..., Acp], assignment: Assignment, monkeypatch: pytest.MonkeyPatch, behaviour: str, said: str
) -> None:
    monkeypatch.setattr(agent, "MAX_BYTES", 2_000_000)
    monkeypatch.setattr(agent, "MAX_LINE_BYTES", 500_000)
    with pytest.raises(AgentError, match=said):
        await acp(behaviour).work(assignment)


async def test_what_is_no_message_is_gone_past(
    acp: Callable[..., Acp], assignment: Assignment, capfd: pytest.CaptureFixture[str]
) -> None:
    report = await acp("talks-nonsense").work(assignment)
    assert report.summary.endswith("still here")
    report.transcript.encode()
    assert capfd.readouterr().err == ""


async def test_an_answer_that_is_none_is_gone_past(
    acp: Callable[..., Acp], assignment: Assignment, capfd: pytest.CaptureFixture[str]
) -> None:
    """One with an error that is no error would leave its request without an end."""
    report = await acp("answers-nonsense").work(assignment)
    assert report.summary.endswith("still here")
    assert capfd.readouterr().err == ""


async def test_one_that_asks_for_much_at_once_gets_no_more_than_its_share(
    acp: Callable[..., Acp], assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "MAX_SERVED_BYTES", 100_000)
    (assignment.root / "big").write_text("x" * 60_000)
    report = await acp("reads-at-once", assignment.root / "big").work(assignment)
    assert report.summary == "got 2, refused 28"


async def test_one_that_asks_and_reads_no_answer_is_read_no_further(
    acp: Callable[..., Acp], assignment: Assignment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(agent, "MAX_LINE_BYTES", 10_000)
    with pytest.raises(AgentError, match="within 5 s"):
        await acp("asks-and-reads-nothing", tmp_path / "asked", deadline_s=5.0).work(assignment)
    assert int((tmp_path / "asked").read_text()) < 300_000


async def test_a_refusal_is_told(acp: Callable[..., Acp], assignment: Assignment) -> None:
    assert (await acp("refuses").work(assignment)).summary == "stopped: it refused"


async def test_in_its_sandbox_it_works_and_sees_the_workspace_only(
    acp: Callable[..., Acp], make_bench: MakeBench, tmp_path: Path
) -> None:
    bubblewrap, why = await find_bubblewrap()
    if bubblewrap is None:
        pytest.skip(why)
    bench = make_bench(BEFORE)
    sandbox = Sandbox(
        bubblewrap=bubblewrap,
        scratch=tmp_path / "inside",
        write=(bench.root, bench.scratch),
        read=(*python_reach(Path(sys.prefix)), Path(AGENT[1])),
        home=Path.home(),
    )
    report = await acp("fixes").work(bench.assignment(sandbox=sandbox, environment={"HOME": str(Path.home())}))
    assert bench.file.read_bytes() == b"x = 1\n"
    assert report.summary == "I deleted the imports."


def test_what_can_not_work_is_said_before_anything_runs(make_settings: MakeSettings) -> None:
    for options in ({}, {"command": ""}, {"command": "no-such-program-here"}, {"command": "sh", "speed": 3}):
        with pytest.raises(AgentUnusable):
            Acp.make(make_settings(options=options))
