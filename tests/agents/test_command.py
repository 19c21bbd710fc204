from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import AgentError, AgentUnusable, Assignment
from fanfold.agents.command import Command
from fanfold.agents.program import MARGIN_CHARS, MAX_OUTPUT_BYTES, MAX_TRANSCRIPT_CHARS, Program
from fanfold.process import Sandbox
from fanfold.redact import redact

MakeBench = Callable[..., Any]
MakeSettings = Callable[..., Any]
Say = Callable[..., Any]

TELL = """
import json, os, sys
said = {"argv": sys.argv[1:], "cwd": os.getcwd(), "stdin": sys.stdin.read(), "env": dict(os.environ)}
print(json.dumps(said))
"""


@pytest.fixture
def command(make_settings: MakeSettings) -> Callable[..., Command]:
    """The agent for a Python script with arguments."""

    def make(script: str, *arguments: str, **settings: Any) -> Command:
        return Command.make(make_settings(agent_command=(sys.executable, "-c", script, *arguments), **settings))

    return make


@pytest.fixture
def assignment(make_bench: MakeBench) -> Assignment:
    made: Assignment = make_bench("import os\n").assignment(prompt="do it")
    return made


async def told(agent: Command, assignment: Assignment) -> dict[str, Any]:
    report = await agent.work(assignment)
    said: dict[str, Any] = json.loads(report.transcript)
    return said


async def test_the_prompt_comes_on_standard_input(command: Callable[..., Command], assignment: Assignment) -> None:
    said = await told(command(TELL, "{file}", "{root}"), assignment)
    assert said["stdin"] == "do it"
    assert said["argv"] == ["module.py", str(assignment.root)]
    assert Path(said["cwd"]) == assignment.root


async def test_the_prompt_comes_in_a_file_where_it_is_asked_for(
    command: Callable[..., Command], assignment: Assignment
) -> None:
    script = "import pathlib, sys; print(pathlib.Path(sys.argv[1]).read_text() + '|' + sys.stdin.read())"
    report = await command(script, "{prompt_file}").work(assignment)
    assert report.summary == "do it|"
    assert not list(assignment.root.glob("prompt*"))


async def test_a_prompt_of_a_megabyte_arrives(command: Callable[..., Command], make_bench: MakeBench) -> None:
    prompt = "é" * 1_000_000
    report = await command("import sys; print(len(sys.stdin.buffer.read()))").work(
        make_bench("").assignment(prompt=prompt)
    )
    assert report.summary == "2000000"


async def test_a_program_that_reads_no_prompt_is_fine(command: Callable[..., Command], make_bench: MakeBench) -> None:
    report = await command("print('done')").work(make_bench("").assignment(prompt="x" * 1_000_000))
    assert report.summary == "done"


HARD_NAMES = ("a b.py", "$(touch planted).py", "-rf.py", "'; touch planted #.py", "é\n.py", "{root}.py")


@pytest.mark.parametrize("path", HARD_NAMES)
async def test_a_file_name_stays_one_argument(
    command: Callable[..., Command], make_bench: MakeBench, path: str
) -> None:
    bench = make_bench("import os\n", path=path)
    said = await told(command(TELL, "{file}", "--file={file}"), bench.assignment())
    given = f"./{path}" if path.startswith("-") else path
    assert said["argv"] == [given, f"--file={given}"]
    assert not (bench.root / "planted").exists()


async def test_the_environment_is_cleaned_but_for_named_variables(
    command: Callable[..., Command], assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_MODEL", "small")
    monkeypatch.setenv("MY_OTHER", "hidden")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    said = await told(command(TELL, agent_env=("MY_MODEL",)), assignment)
    assert said["env"]["MY_MODEL"] == "small"
    assert "MY_OTHER" not in said["env"]
    assert "GIT_DIR" not in said["env"]


async def test_an_error_exit_is_an_error_with_its_last_words(
    command: Callable[..., Command], assignment: Assignment
) -> None:
    with pytest.raises(AgentError, match=r"exit code 3: .*no credit") as caught:
        await command("import sys; print('I try'); print('no credit', file=sys.stderr); sys.exit(3)").work(assignment)
    assert "I try" in caught.value.transcript


async def test_its_own_words_are_shown_where_standard_error_is_empty(
    command: Callable[..., Command], assignment: Assignment
) -> None:
    with pytest.raises(AgentError, match="out of ideas"):
        await command("print('out of ideas'); raise SystemExit(1)").work(assignment)


async def test_at_the_deadline_the_program_and_its_children_end(
    command: Callable[..., Command], assignment: Assignment
) -> None:
    script = """
import subprocess, sys
child = "import time, pathlib; time.sleep(2); pathlib.Path('late').write_text('late')"
subprocess.Popen([sys.executable, "-c", child])
print("started", flush=True)
import time; time.sleep(60)
"""
    with pytest.raises(AgentError, match=r"within 1 s: started"):
        await command(script, deadline_s=1.0).work(assignment)
    await asyncio.sleep(2)
    assert not (assignment.root / "late").exists()


async def test_secrets_are_masked_in_transcript_and_error(
    command: Callable[..., Command], assignment: Assignment
) -> None:
    token = "ghp_" + "a1B2" * 9
    report = await command(f"print('{token}')").work(assignment)
    assert token not in report.transcript + report.summary
    with pytest.raises(AgentError) as caught:
        await command(f"raise SystemExit('{token}')").work(assignment)
    assert token not in str(caught.value)


async def test_output_is_bounded(command: Callable[..., Command], assignment: Assignment) -> None:
    report = await command(f"print('x' * {MAX_OUTPUT_BYTES * 2})").work(assignment)
    assert len(report.transcript) < MAX_TRANSCRIPT_CHARS + 100
    assert report.transcript.endswith("(output past the limit was dropped)")


async def test_much_output_is_not_searched_for_secrets_whole_and_not_on_the_event_loop(
    command: Callable[..., Command], assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, bool]] = []

    def watched(text: str) -> str:
        seen.append((len(text), threading.current_thread() is threading.main_thread()))
        return redact(text)

    monkeypatch.setattr("fanfold.agents.program.redact", watched)
    await command(f"print('x' * {MAX_OUTPUT_BYTES * 2})").work(assignment)
    assert len(seen) == 2  # the summary and the transcript; of a failure only where there is one
    assert max(length for length, _ in seen) <= MAX_TRANSCRIPT_CHARS + MARGIN_CHARS
    assert not any(on_the_loop for _, on_the_loop in seen)


@pytest.mark.parametrize("code", [0, 1])
async def test_output_is_cut_through_no_secret(
    command: Callable[..., Command], assignment: Assignment, code: int
) -> None:
    """Secrets are longer than what stands for them, so that what is cut comes nearer to what is shown."""
    script = f"print('ghp_{'a1B2' * 20} ' * {MAX_OUTPUT_BYTES // 86}); raise SystemExit({code})"
    try:
        report = await command(script).work(assignment)
    except AgentError as error:
        shown = str(error)
    else:
        shown = report.transcript + report.summary
    assert "***" in shown
    assert "a1B2" not in shown


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), "agent_command is empty"),
        (("",), "agent_command is empty"),
        (("no-such-program-here", "{file}"), "no-such-program-here"),
        (("./no-such-script", "{file}"), "no-such-script"),
        ((sys.executable, "{files}"), r"unknown placeholder \{files\}"),
        ((sys.executable, "{}"), r"unknown placeholder \{\}"),
    ],
)
def test_what_can_not_work_is_said_before_anything_runs(
    make_settings: MakeSettings, argv: tuple[str, ...], said: str
) -> None:
    with pytest.raises(AgentUnusable, match=said) as caught:
        Command.make(make_settings(agent_command=argv))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("", "agent 'mine' has no command"),
        ("no-such-program-here", "of agent 'mine' is not there"),
        (f"{sys.executable} {{files}}", "agent 'mine' has an unknown placeholder"),
    ],
)
def test_a_command_of_its_own_is_told_by_the_agents_name(make_settings: MakeSettings, command: str, said: str) -> None:
    with pytest.raises(AgentUnusable, match=said):
        Command.make(make_settings(name="mine", options={"command": command}))


def test_braces_that_hold_no_name_are_left_alone(make_settings: MakeSettings) -> None:
    argv = (sys.executable, '--options={"a": 1}', "{file}")
    assert Command.make(make_settings(agent_command=argv)).argv[1] == '--options={"a": 1}'


def test_a_program_is_found_from_where_the_user_is(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "agent"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert Command.make(make_settings(agent_command=("./agent",))).argv == (str(script),)


async def test_a_program_that_is_no_program_is_an_error(
    make_settings: MakeSettings, tmp_path: Path, assignment: Assignment
) -> None:
    script = tmp_path / "agent"
    script.write_bytes(b"\x00\x01 this is nothing that runs")
    script.chmod(0o755)
    agent = Command.make(make_settings(agent_command=(str(script),)))
    with pytest.raises(AgentError, match="could not be started"):
        await agent.work(assignment)


@pytest.mark.parametrize("there", ["the user alone", "the workspace too", "in a folder that is read", "beside"])
async def test_a_program_in_the_project_that_git_does_not_track_is_told_in_a_sandbox(
    assignment: Assignment, tmp_path: Path, there: str
) -> None:
    project = tmp_path / "project"
    program = project / ("../agent" if there == "beside" else "tools/agent")
    (project / "tools").mkdir(parents=True)
    program.touch()
    if there == "the workspace too":
        (assignment.root / "tools").mkdir()
        (assignment.root / "tools" / "agent").touch()
    sandbox = Sandbox(
        bubblewrap=Path("/usr/bin/bwrap"),
        scratch=tmp_path / "inside",
        write=(assignment.root,),
        read=(program.parent,) if there == "in a folder that is read" else (),
        seen_as=((assignment.root, project),),
    )
    starting = Program(str(program)).within_bounds((), replace(assignment, sandbox=sandbox))
    if there == "the user alone":
        with pytest.raises(AgentError, match="it is in the project, but git doesn't track it") as caught:
            await starting
        assert caught.value.hint == "commit it, or keep it outside of the project"
    else:
        assert (await starting)[-1] == str(program)
    assert there == "the workspace too" or not (assignment.root / "tools" / "agent").exists()


async def test_what_an_attempt_costs_may_be_said(
    make_settings: MakeSettings, assignment: Assignment, python: str
) -> None:
    agent = Command.make(make_settings(options={"command": [python, "-c", "pass"], "max_cost_usd": 0.5}))
    report = await agent.work(assignment)
    assert report.usage is not None
    assert report.usage.cost_usd == 0.5
    failing = Command.make(make_settings(options={"command": [python, "-c", "exit(1)"], "max_cost_usd": 0.5}))
    with pytest.raises(AgentError) as caught:
        await failing.work(assignment)
    assert caught.value.usage == report.usage


async def test_otherwise_nobody_knows_what_it_cost(command: Callable[..., Command], assignment: Assignment) -> None:
    assert (await command("pass").work(assignment)).usage is None


@pytest.mark.parametrize("options", [{"speed": 3}, {"max_cost_usd": "much"}, {"max_cost_usd": -1}, {"command": "'"}])
def test_options_that_mean_nothing_are_refused(make_settings: MakeSettings, options: dict[str, Any]) -> None:
    with pytest.raises(AgentUnusable):
        Command.make(make_settings(agent_command=(sys.executable,), options=options))
