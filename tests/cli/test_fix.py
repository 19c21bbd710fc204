"""`fanfold fix` as a user runs it: a program, a repository, a branch."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from fanfold.testing.repositories import TemporaryRepository, make_repository

Typed = Callable[..., subprocess.CompletedProcess[str]]
Fanfold = Callable[..., subprocess.CompletedProcess[str]]

BROKEN = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"
ODD = "caf\u00e9 [bold]x[/]\n::error::.py"


@pytest.fixture
def repository(tmp_path: Path) -> TemporaryRepository:
    return make_repository(
        tmp_path / "project", {"a.py": BROKEN, "sub/b.py": BROKEN, ODD: BROKEN, "clean.py": "x = 1\n"}
    )


@pytest.fixture
def fanfold(typed: Typed) -> Fanfold:
    """`fanfold fix` in a repository, without tests unless they are asked for, within this process."""

    def fix(repository: TemporaryRepository, *arguments: str, below: str = ".") -> subprocess.CompletedProcess[str]:
        return typed(repository.root / below, *command(repository, *arguments)[3:])

    return fix


def program(
    repository: TemporaryRepository, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same as a program of its own."""
    return subprocess.run(
        command(repository, *arguments), cwd=repository.root, capture_output=True, text=True, env=env, check=False
    )


def command(repository: TemporaryRepository, *arguments: str) -> list[str]:
    tests = () if "--tests" in arguments else ("--tests", "none")
    home = repository.root.parent / "copies"
    return [sys.executable, "-m", "fanfold", "fix", "--workspaces", str(home), *tests, *arguments]


def results(repository: TemporaryRepository) -> list[str]:
    return repository.git("for-each-ref", "--format=%(refname:short)", "refs/heads/fanfold").split()


def test_fixes_land_on_a_branch_and_nothing_else_changes(repository: TemporaryRepository) -> None:
    done = program(repository)
    assert done.returncode == 0, done.stderr
    (branch,) = results(repository)
    assert done.stdout.startswith(f"Fixed 3 of 3 files: 3 findings → 0\n3 commits on {branch} ")
    assert repository.git("show", f"{branch}:sub/b.py") == FIXED
    assert (repository.root / "sub" / "b.py").read_text() == BROKEN
    assert repository.git("status", "--porcelain") == ""
    assert repository.git("rev-parse", "--abbrev-ref", "HEAD") == "main\n"


def test_what_the_report_says_to_type_takes_the_result(fanfold: Fanfold, repository: TemporaryRepository) -> None:
    (line,) = [line for line in fanfold(repository).stdout.splitlines() if line.startswith("Take them with: ")]
    repository.git(*line.removeprefix("Take them with: git ").split())
    assert (repository.root / "a.py").read_text() == FIXED
    assert fanfold(repository).stdout.startswith("Nothing to fix: no finding by ruff in what was selected\n")


def test_apply_moves_the_branch(fanfold: Fanfold, repository: TemporaryRepository) -> None:
    done = fanfold(repository, "--apply")
    assert "Applied: your branch is at " in done.stdout
    assert (repository.root / "a.py").read_text() == FIXED
    assert repository.git("status", "--porcelain") == ""


def test_dry_run_changes_nothing_and_exits_1(fanfold: Fanfold, repository: TemporaryRepository) -> None:
    done = fanfold(repository, "--dry-run")
    assert done.returncode == 1
    assert done.stdout.startswith("Would work on 3 files with 3 findings; nothing was changed\n")
    assert results(repository) == []


def test_diff_applies_and_lands_nothing(fanfold: Fanfold, repository: TemporaryRepository) -> None:
    done = fanfold(repository, "--diff")
    assert done.returncode == 1
    assert results(repository) == []
    repository.git("apply", stdin=done.stdout.encode())
    assert (repository.root / "a.py").read_text() == FIXED
    assert (repository.root / ODD).read_text() == FIXED


def test_path_is_relative_to_where_the_user_stands(fanfold: Fanfold, repository: TemporaryRepository) -> None:
    done = fanfold(repository, "b.py", "--output-format", "json", below="sub")
    assert [task["path"] for task in json.loads(done.stdout)["tasks"]] == ["sub/b.py"]


def test_odd_file_name_is_harmless_in_every_format(fanfold: Fanfold, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "project", {ODD: BROKEN + "eval('x'\n"})
    for form in ("text", "github", "markdown", "sarif", "json"):
        done = fanfold(repository, "--output-format", form, "--check", "ruff")
        assert done.returncode == 1, done.stderr
        told = done.stdout + done.stderr
        assert not [line for line in told.splitlines() if line.lstrip().startswith("::error::")]


def test_json_is_what_the_run_came_to(fanfold: Fanfold, repository: TemporaryRepository) -> None:
    data = json.loads(fanfold(repository, "--output-format", "json").stdout)
    (branch,) = results(repository)
    assert data["branch"] == branch
    assert data["tip"] == repository.git("rev-parse", branch).strip()
    assert data["base"] == repository.git("rev-parse", "HEAD").strip()
    assert (data["findings_before"], data["findings_after"], data["exit_code"]) == (3, 0, 0)
    assert {task["status"] for task in data["tasks"]} == {"fixed"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.py"], "nowhere.py"),
        (["--git-diff", "nowhere"], "nowhere"),
        (["--check", "nobody"], "nobody"),
        (["--agent", "nobody"], "nobody"),
        (["--agent", "command"], "agent_command"),
    ],
)
def test_request_that_can_not_be_carried_out_exits_2_with_a_hint(
    fanfold: Fanfold, repository: TemporaryRepository, arguments: list[str], words: str
) -> None:
    done = fanfold(repository, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    *_, error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert words in error
    assert hint.startswith("hint: ")


def test_reader_that_goes_away_leaves_the_exit_code_and_no_traceback(repository: TemporaryRepository) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        done = subprocess.run(
            command(repository, "--quiet"),
            cwd=repository.root,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(results(repository)) == 1


def test_nobody_reading_progress_stops_nothing(repository: TemporaryRepository) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    # Unbuffered streams hold nothing back that Python could fail to write at its end.
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with os.fdopen(writer, "w") as nobody:
        done = subprocess.run(
            command(repository), cwd=repository.root, stdout=nobody, stderr=nobody, env=buffered, check=False
        )
    assert done.returncode == 0
    assert len(results(repository)) == 1


def test_terminal_shows_a_table_and_no_markup_of_the_repository(repository: TemporaryRepository) -> None:
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command(repository), cwd=repository.root, stdout=child, stderr=child, env=environment)
    os.close(child)
    told = b""
    try:
        while piece := os.read(parent, 65536):
            told += piece
    except OSError:  # Linux says EIO where the other end was closed
        pass
    os.close(parent)
    assert process.wait() == 0
    shown = told.decode()
    assert "[bold]x[/]\\n::error::.py" in shown
    assert "\x1b[32mfixed" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.fixture
def slow_agent(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An agent that fixes `a.py` at once and never ends on any other file; and where it writes its process ids."""
    started = tmp_path / "started"
    started.mkdir()
    script = tmp_path / "agent.py"
    script.write_text(
        "import os, pathlib, sys, time\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "if file.name == 'a.py':\n"
        "    file.write_text(file.read_text().replace('import os\\n', ''))\n"
        "else:\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        f"    pathlib.Path({str(started)!r}, str(os.getpid())).touch()\n"
        "    time.sleep(600)\n"
    )
    yield f"{sys.executable} {script} {{file}}", started
    for pid in started.iterdir():
        if alive(int(pid.name)):
            os.kill(int(pid.name), signal.SIGKILL)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="finds daemons through /proc")
@pytest.mark.parametrize(("number", "runtime"), [(signal.SIGINT, "native"), (signal.SIGTERM, "langgraph")])
def test_signal_stops_agents_with_their_daemons_and_keeps_what_landed(
    repository: TemporaryRepository, slow_agent: tuple[str, Path], number: signal.Signals, runtime: str
) -> None:
    agent, started = slow_agent
    options = ("--agent-command", agent, "--sandbox", "none", "--output-format", "json", "--runtime", runtime)
    arguments = command(repository, "a.py", "sub", *options)
    process = subprocess.Popen(
        arguments, cwd=repository.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while len(list(started.iterdir())) < 2 or not results(repository):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert "stopping" in err
    data = json.loads(out)
    assert data["interrupted"] is True
    assert {task["path"]: task["status"] for task in data["tasks"]} == {"a.py": "fixed", "sub/b.py": "cancelled"}
    assert repository.git("show", f"{data['branch']}:a.py") == FIXED
    assert not [pid for pid in started.iterdir() if alive(int(pid.name))]


@pytest.mark.parametrize("runtime", ["native", "langgraph"])
def test_report_names_the_runtime(fanfold: Fanfold, repository: TemporaryRepository, runtime: str) -> None:
    told = fanfold(repository, "a.py", "--runtime", runtime, "--output-format", "json")
    assert json.loads(told.stdout)["runtime"] == runtime


def test_runtime_that_is_not_installed_exits_2_with_an_install_hint(
    repository: TemporaryRepository, tmp_path: Path
) -> None:
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'langgraph' else real(name, *more)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(hiding)}
    done = program(repository, "--runtime", "langgraph", env=environment)
    assert done.returncode == 2
    assert "error: the runtime langgraph needs langgraph, which is not installed" in done.stderr
    assert "hint: pip install 'fanfold[langgraph]'" in done.stderr
    assert results(repository) == []
    del environment["FANFOLD_FIX_RUNTIME"]
    done = program(repository, "a.py", env=environment)
    assert (done.returncode, "branches ran on the runtime native\n" in done.stdout) == (0, True)


def agent_of(tmp_path: Path, name: str, code: str) -> str:
    """A program of the user's as `--agent` names it; its first argument is the file."""
    program = tmp_path / f"{name}.py"
    program.write_text("import pathlib, sys, time\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text()\n" + code)
    return f"command:{sys.executable} {program} {{file}}"


def test_what_the_linter_cant_fix_goes_to_the_next_agent(fanfold: Fanfold, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "project", {"a.py": "import os\n\nprint(json.dumps([]))\n"})
    imports = agent_of(
        tmp_path, "imports", "assert 'import os' not in text\nfile.write_text('import json\\n' + text)\n"
    )
    done = fanfold(repository, "--agent", "autofix", "--agent", imports, "--output-format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [(line["agent"], line["fixed"]) for line in report["stages"]] == [("autofix", 1), (imports, 1)]
    assert report["tasks"][0]["agent"] == f"autofix, {imports}"
    body = repository.git("log", "-1", "--format=%B", results(repository)[0])
    assert f"({report['tasks'][0]['agent']})" in body


def test_first_of_a_race_lands_and_nobody_waits_for_the_others(fanfold: Fanfold, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "project", {"a.py": "print(json.dumps([]))\n"})
    slow = agent_of(tmp_path, "slow", "time.sleep(300)\n")
    quick = agent_of(tmp_path, "quick", "file.write_text('import json\\n\\n' + text)\n")
    done = fanfold(repository, "--race", "--agent", slow, "--agent", quick, "--output-format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [line["stage"] for line in report["stages"]] == [1, 1]
    assert report["tasks"][0]["agent"] == quick
    assert report["wall_s"] < 300
