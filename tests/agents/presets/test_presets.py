"""Each preset against a stand-in that takes the program's flags, as strictly, and speaks as it does."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import Agent, AgentError, AgentUnusable, Assignment, BudgetExhausted
from fanfold.agents.presets import PRESETS, Preset
from fanfold.fix.attempts.confine import find_bubblewrap
from fanfold.llm.usage import Usage
from fanfold.process import Sandbox, run

MakeBench = Callable[..., Any]
Hire = Callable[..., Agent]

BEFORE = b"import os\nimport re\nx = 1\n"
AFTER = b"x = 1\n"
PROMPT = "Fix the findings below in the file 'module.py'. Change that file only."
NAMES = [preset.name for preset in PRESETS]
TOOK = {
    "aider": Usage(requests=2, input_tokens=1500, output_tokens=405, cost_usd=0.003),
    "claude": Usage(requests=3, input_tokens=312, output_tokens=60, cost_usd=0.003),
    "codex": Usage(requests=1, input_tokens=312, output_tokens=60),
    "cursor-agent": Usage(input_tokens=312, output_tokens=60),
    "gemini": Usage(requests=3, input_tokens=312, output_tokens=60),
    "mini": Usage(requests=2, input_tokens=312, output_tokens=60, cost_usd=0.003),
    "opencode": Usage(requests=3, input_tokens=312, output_tokens=60, cost_usd=0.003),
}
KEPT_SESSIONS = {"claude", "codex", "cursor-agent", "gemini", "opencode"}


@pytest.fixture
def assignment(make_bench: MakeBench) -> Assignment:
    made: Assignment = make_bench(BEFORE).assignment(prompt=PROMPT)
    return made


@dataclass
class Reserved:
    """What a purse remembers of one reservation."""

    tokens: int
    cost_usd: float | None
    settled: Usage | None = None

    def settle(self, usage: Usage) -> None:
        self.settled = usage


@dataclass
class FakePurse:
    """Has so much left, and remembers."""

    left_cost_usd: float | None = None
    reserved: list[Reserved] = field(default_factory=list)

    def reserve(self, *, tokens: int, cost_usd: float | None = None) -> Reserved:
        self.reserved.append(Reserved(tokens, cost_usd))
        return self.reserved[-1]

    async def reserve_in_turn(self, *, tokens: int, cost_usd: float | None = None) -> Reserved:
        return self.reserve(tokens=tokens, cost_usd=cost_usd)


@pytest.mark.parametrize("name", NAMES)
async def test_it_fixes_its_file_and_tells_what_it_took(hire: Hire, make_bench: MakeBench, name: str) -> None:
    bench = make_bench(BEFORE)
    before = {path.name for path in bench.root.iterdir()}
    report = await hire(name).work(bench.assignment(prompt=PROMPT))
    assert bench.file.read_bytes() == AFTER
    assert (await bench.verify()).ok
    assert {path.name for path in bench.root.iterdir()} <= before | {".ruff_cache"}
    assert report.usage is not None
    assert report.usage.cost_usd == pytest.approx(TOOK[name].cost_usd)
    assert (report.usage.requests, report.usage.input_tokens, report.usage.output_tokens) == (
        *(TOOK[name].requests, TOOK[name].input_tokens),
        TOOK[name].output_tokens,
    )
    assert "module.py" in report.summary
    assert "module.py" in report.transcript
    assert bool(report.session) == (name in KEPT_SESSIONS)


@pytest.mark.parametrize("name", NAMES)
async def test_a_model_may_be_chosen_and_arguments_added(hire: Hire, assignment: Assignment, name: str) -> None:
    await hire(name, model="large", extra_args=[]).work(assignment)
    assert (assignment.root / "module.py").read_bytes() == AFTER
    with pytest.raises(AgentError, match="--no-such-flag"):
        await hire(name, extra_args=["--no-such-flag"]).work(assignment)


@pytest.mark.parametrize("name", NAMES)
async def test_who_is_not_logged_in_is_told_how(hire: Hire, assignment: Assignment, name: str) -> None:
    with pytest.raises(AgentError, match=r"(?i)logged in|API.?key|Auth") as caught:
        await hire(name, "no-login").work(assignment)
    assert caught.value.hint == next(preset.login for preset in PRESETS if preset.name == name)


@pytest.mark.parametrize("name", NAMES)
async def test_a_crash_is_an_error_with_its_last_words(hire: Hire, assignment: Assignment, name: str) -> None:
    with pytest.raises(AgentError, match=r"exit code 139: (.|\n)*Segmentation fault"):
        await hire(name, "crashes").work(assignment)


@pytest.mark.parametrize("name", NAMES)
async def test_it_ends_at_the_deadline(hire: Hire, assignment: Assignment, name: str) -> None:
    with pytest.raises(AgentError, match=r"did not finish within 1 s"):
        await hire(name, "hangs", deadline_s=1.0).work(assignment)


@pytest.mark.parametrize("name", ["claude", "gemini", "mini"])
async def test_what_was_done_before_a_limit_is_there_to_be_judged(
    hire: Hire, assignment: Assignment, name: str
) -> None:
    report = await hire(name, "limit").work(assignment)
    assert report.summary.startswith("stopped: ")
    assert (assignment.root / "module.py").read_bytes() == AFTER


@pytest.mark.parametrize("name", ["claude", "mini"])
async def test_one_that_keeps_a_budget_is_told_what_is_left(hire: Hire, make_bench: MakeBench, name: str) -> None:
    purse = FakePurse(left_cost_usd=0.5)
    await hire(name).work(make_bench(BEFORE).assignment(prompt=PROMPT, purse=purse))
    assert [one.cost_usd for one in purse.reserved] == [0.5]
    assert purse.reserved[0].settled == TOOK[name]


async def test_of_what_is_left_an_attempt_takes_no_more_than_the_user_says(hire: Hire, make_bench: MakeBench) -> None:
    purse = FakePurse(left_cost_usd=5.0)
    await hire("claude", max_cost_usd=0.25).work(make_bench(BEFORE).assignment(prompt=PROMPT, purse=purse))
    assert purse.reserved[0].cost_usd == 0.25


async def test_where_nothing_is_left_nothing_is_begun(hire: Hire, make_bench: MakeBench) -> None:
    bench = make_bench(BEFORE)
    with pytest.raises(BudgetExhausted):
        await hire("claude").work(bench.assignment(prompt=PROMPT, purse=FakePurse(left_cost_usd=0.0)))
    assert bench.file.read_bytes() == BEFORE


async def test_what_dies_without_a_word_counts_as_all_that_it_might_have_taken(
    hire: Hire, make_bench: MakeBench
) -> None:
    purse = FakePurse(left_cost_usd=0.5)
    with pytest.raises(AgentError):
        await hire("claude", "crashes").work(make_bench(BEFORE).assignment(prompt=PROMPT, purse=purse))
    settled = purse.reserved[0].settled
    assert settled is not None
    assert settled.cost_usd == 0.5


@pytest.mark.parametrize("name", ["codex", "gemini", "cursor-agent"])
async def test_a_program_that_names_no_cost_may_have_a_price(hire: Hire, assignment: Assignment, name: str) -> None:
    report = await hire(name, price_per_million=[10, 100]).work(assignment)
    assert report.usage is not None
    assert report.usage.cost_usd == pytest.approx(0.00312 + 0.006)


async def test_a_program_that_names_no_cost_counts_for_what_the_user_says(hire: Hire, assignment: Assignment) -> None:
    report = await hire("codex", max_cost_usd=0.75).work(assignment)
    assert report.usage is not None
    assert report.usage.cost_usd == 0.75


async def test_an_error_tells_what_was_taken(hire: Hire, assignment: Assignment) -> None:
    with pytest.raises(AgentError) as caught:
        await hire("mini", "no-login").work(assignment)
    assert caught.value.usage == TOOK["mini"]


async def test_only_keys_that_a_program_needs_are_shown_to_it(
    hire: Hire, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, programs: Path
) -> None:
    (programs / "codex").write_text("#!/bin/sh\nenv\n")
    agent = hire("codex")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "shown")
    report = await agent.work(make_bench(BEFORE).assignment(prompt=PROMPT))
    assert "OPENAI_API_KEY=" in report.transcript
    assert "ANTHROPIC_API_KEY" not in report.transcript
    assert "GITHUB_TOKEN" not in report.transcript


async def test_claude_is_bare_with_a_key_of_its_own(
    hire: Hire, assignment: Assignment, monkeypatch: pytest.MonkeyPatch, programs: Path
) -> None:
    (programs / "claude").write_text('#!/bin/sh\necho "$@"\n')
    agent = hire("claude")
    assert "--bare" not in (await agent.work(assignment)).transcript
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-x")
    assert "--bare" in (await agent.work(assignment)).transcript


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("output", ["", "nonsense", "{", "[]", '{"type": "result"', "null\n{}", '{"type": 5}\n' * 3])
async def test_an_output_that_means_nothing_is_no_error_of_ours(
    hire: Hire, assignment: Assignment, programs: Path, name: str, output: str
) -> None:
    agent = hire(name)
    (programs / "said").write_text(output)
    next(path for path in programs.iterdir() if path.name == name).write_text(f"#!/bin/sh\ncat {programs}/said\n")
    report = await agent.work(assignment)
    assert report.usage is None or report.usage == Usage()


@pytest.mark.parametrize(
    "output",
    [
        'b"Tokens: 1 sent," * 200_000',
        'b"Tokens: 1 sent, " + b"1" * 2_000_000',
        '(b\'{"a":[\' + b"0," * 4_000 + b"\\n") * 1_000',
        "b'{\"a\":1,\\n' * 1_000_000",
        'b\'{"a":\' + b"9" * 5_000 + b"}\\n"',
        'b"[" * 4_000_000',
        'b\'{"type":"result","error":\' + b"[" * 4_000_000',
    ],
)
async def test_an_output_that_is_made_to_be_read_for_hours_is_read_at_once(output: str, tmp_path: Path) -> None:
    """Reading holds up all else, so in a process that can be ended: hours without a bound, seconds with one."""
    program = f"""
from pathlib import Path
from fanfold.agents.presets import PRESETS, Ask
from fanfold.process import Completed
output = {output}
for preset in PRESETS:
    ask = Ask(file="a.py", root=Path("."), prompt_file=Path("."), notes=Path("."))
    preset.read(Completed((), 0, output, b"", 0.0), ask)
"""
    done = await run([sys.executable, "-c", program], cwd=tmp_path, deadline_s=120)
    assert not done.timed_out
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("name", NAMES)
async def test_it_works_in_a_sandbox_where_its_home_is_its_own(
    hire: Hire, make_bench: MakeBench, tmp_path: Path, name: str
) -> None:
    bubblewrap, why = await find_bubblewrap()
    if bubblewrap is None:
        pytest.skip(why)
    bench = make_bench(BEFORE)
    agent = hire(name)
    here = Path(__file__).parent / "standins"
    sandbox = Sandbox(
        bubblewrap=bubblewrap,
        scratch=tmp_path / "inside",
        write=(bench.root, bench.scratch),
        read=(here, tmp_path / "bin", *_python()),
        home=Path.home(),
    )
    await agent.work(bench.assignment(prompt=PROMPT, sandbox=sandbox))
    assert bench.file.read_bytes() == AFTER


@pytest.mark.parametrize("preset", PRESETS, ids=NAMES)
def test_each_is_installed_as_an_agent(preset: Preset) -> None:
    (point,) = importlib.metadata.entry_points(group="fanfold.agents", name=preset.name)
    assert point.load() is preset
    assert preset.argument == "model"
    assert preset.login
    assert not any(login.startswith(("/", "..")) for login in preset.logins)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"speed": 3}, "no setting 'speed'"),
        ({"max_turns": 3}, "no setting 'max_turns'"),
        ({"model": ""}, "'model'"),
        ({"max_cost_usd": -1}, "'max_cost_usd'"),
        ({"program": "no-such-program-here"}, "no-such-program-here"),
    ],
)
def test_what_can_not_work_is_said_before_anything_runs(hire: Hire, options: dict[str, Any], said: str) -> None:
    with pytest.raises(AgentUnusable, match=said) as caught:
        hire("codex", **options)
    assert caught.value.hint


def test_a_program_that_is_not_there_is_told_how_to_be_installed(hire: Hire, programs: Path) -> None:
    (programs / "claude").unlink()
    with pytest.raises(AgentUnusable, match="'claude'") as caught:
        hire("claude")
    assert "npm install" in str(caught.value.hint)


def _python() -> tuple[Path, ...]:
    import sys

    from fanfold.process import python_reach

    return python_reach(Path(sys.prefix))
