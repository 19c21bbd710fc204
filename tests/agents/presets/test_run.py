"""Programs as agents of a whole run, as a user starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fanfold.cli.main import main
from fanfold.testing.repositories import TemporaryRepository, make_repository

Fanfold = Callable[..., subprocess.CompletedProcess[str]]

BEFORE = "import os\nimport re\nx = 1\n"
AFTER = "x = 1\n"
ACP = f"acp:{sys.executable} {Path(__file__).parent.parent / 'acp' / 'scripted.py'}"


@pytest.fixture
def repository(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "project", {"module.py": BEFORE})


@pytest.fixture
def fanfold(
    repository: TemporaryRepository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Fanfold:
    """`fanfold fix` as it is typed, within this process."""
    home = repository.root.parent / "copies"
    fixed = ("fix", "--workspaces", str(home), "--tests", "none", "--select", "F", "--output-format", "json")
    monkeypatch.chdir(repository.root)
    monkeypatch.setenv("FANFOLD_FIX_AGENT_ENV", "STANDIN")

    def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = main([*fixed, *arguments])
        written = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, written.out, written.err)

    return typed


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(("agent", "cost_usd"), [("claude:sonnet", 0.003), ("codex", None), (ACP, 0.25)])
def test_what_a_program_fixed_lands_with_what_it_took(
    fanfold: Fanfold, repository: TemporaryRepository, agent: str, cost_usd: float | None
) -> None:
    done = fanfold("--agent", agent, "--sandbox", "none")
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout)
    assert repository.git("show", f"{report['branch']}:module.py") == AFTER
    (task,) = report["tasks"]
    assert task["usage"]["cost_usd"] == (None if cost_usd is None else pytest.approx(cost_usd))


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("cost_usd", [1.0, 0.001])
def test_a_program_that_keeps_a_budget_is_told_its_share(
    fanfold: Fanfold, repository: TemporaryRepository, programs: Path, cost_usd: float
) -> None:
    asked = repository.root.parent / "asked"
    program = (programs / "claude").read_text()
    (programs / "claude").write_text(program.replace("#!/bin/sh\n", f'#!/bin/sh\necho "$@" >>{asked}\n'))
    fanfold("--agent", "claude", "--sandbox", "none", "--max-cost", str(cost_usd))
    arguments = asked.read_text().split()
    assert float(arguments[arguments.index("--max-budget-usd") + 1]) <= cost_usd


@pytest.mark.parametrize("agent", ["mini", "cursor-agent"])
def test_one_that_runs_what_its_model_says_is_not_started_without_a_sandbox_unless_it_may(
    fanfold: Fanfold, programs: Path, agent: str
) -> None:
    (programs / "bwrap").write_text("#!/bin/sh\necho no namespaces here >&2\nexit 1\n")
    (programs / "bwrap").chmod(0o755)
    refused = fanfold("--agent", agent)
    assert refused.returncode == 2
    assert f"agent {agent} is not started without a sandbox, for it runs whatever commands" in refused.stderr
    assert "no namespaces here" in refused.stderr
    assert "--sandbox none" in refused.stderr
    allowed = fanfold("--agent", agent, "--sandbox", "none")
    assert allowed.returncode == 0, allowed.stderr


@pytest.mark.parametrize("agent", ["claude", "gemini"])
def test_one_that_edits_files_alone_is_started_without_a_sandbox(fanfold: Fanfold, programs: Path, agent: str) -> None:
    (programs / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (programs / "bwrap").chmod(0o755)
    done = fanfold("--agent", agent)
    assert done.returncode == 0, done.stderr
    assert "ran without a sandbox" in done.stdout
