from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer.main

from fanfold import __version__
from fanfold.cli.app import app
from fanfold.cli.main import main
from fanfold.config import FixSettings
from fanfold.errors import FanfoldError
from fanfold.fix.findings.plan import Request
from fanfold.fix.reporting.report import Report
from fanfold.testing.repositories import make_repository

Answer = Callable[[Request], Report]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that the tests stand in."""
    root = tmp_path / "project"
    make_repository(root, {"a.py": "import os\n"})
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def requests(project: Path, monkeypatch: pytest.MonkeyPatch, report: Report) -> list[Request]:
    """What `fix` asked for; every run answers with the sample report."""
    del project
    asked: list[Request] = []

    async def run(request: Request, *, on_event: Callable[[object], None] | None = None, past: object) -> Report:
        assert on_event is not None
        assert past is None
        asked.append(request)
        return report

    monkeypatch.setattr("fanfold.cli.fix.run", run)
    return asked


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    async def run(*_: object, **__: object) -> Report:
        raise error

    monkeypatch.setattr("fanfold.cli.fix.run", run)


def program(*arguments: str, encoding: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fanfold", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )


@pytest.mark.parametrize(
    ("arguments", "redirected", "code"),
    [
        ("--version", ">&-", 0),
        ("--version", "2>&-", 0),
        ("--version", "<&- >&- 2>&-", 0),
        ("--version", ">/dev/full", 2),
        ("--no-such-option", ">&-", 2),
        ("--no-such-option", "2>&-", 2),
        ("--no-such-option", "2>/dev/full", 2),
        ("--no-such-option", ">/dev/full 2>&1", 2),
    ],
)
def test_exit_code_survives_streams_that_are_closed_or_full(arguments: str, redirected: str, code: int) -> None:
    script = f'exec "$0" -m fanfold {arguments} {redirected}'
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    assert subprocess.run(["sh", "-c", script, sys.executable], env=buffered, check=False).returncode == code


def test_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fanfold {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["fix", "--help"], ["doctor", "--help"], ["clean", "-h"]])
def test_help_is_shown_on_stdout(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert told.out.startswith("Usage: fanfold")
    assert told.err == ""


def test_help_of_the_commands_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    told = capsys.readouterr().out
    assert "..." not in told.partition("\n")[2]
    assert re.search(r"  fix +Fix what checkers find and land it on a branch of its own\n", told)


def options() -> list[tuple[str, str, str]]:
    """Every option of every command: command, option, help."""
    group = typer.main.get_command(app)
    commands = getattr(group, "commands").items()  # noqa: B009  typer's own click has no public type for a group
    return [
        (name, parameter.opts[0], parameter.help)
        for name, command in commands
        for parameter in command.params
        if parameter.help
    ]


def test_fix_has_its_options() -> None:
    assert len([option for command, option, _ in options() if command == "fix"]) > 25


@pytest.mark.parametrize(("command", "option", "help_text"), options())
def test_help_is_imperative_and_short(command: str, option: str, help_text: str) -> None:
    del command, option
    assert len(help_text) <= 60
    assert not help_text.endswith(".")
    assert re.match(r"[A-Z][a-z-]+[ ;]", help_text)


@pytest.mark.parametrize(
    ("option", "setting"),
    [
        ("--jobs", "jobs"),
        ("--max-attempts", "max_attempts"),
        ("--deadline", "deadline_s"),
        ("--agent", "agent"),
        ("--tests", "tests"),
    ],
)
def test_default_in_the_help_is_the_default_of_the_setting(option: str, setting: str) -> None:
    (help_text,) = [text for command, name, text in options() if (command, name) == ("fix", option)]
    default = FixSettings.model_fields[setting].default
    default = default[0] if isinstance(default, tuple) else default
    assert f"(default {default:g})" in help_text if isinstance(default, float) else f"(default {default})" in help_text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fixx"], "No such command 'fixx'"),
        (["fix", "--colour"], "--colour"),
        (["fix", "--jobs", "four"], "--jobs"),
        (["fix", "--tests", "some"], "--tests"),
        (["fix", "--select"], "--select"),
        (["fix", "--jobs", "0"], "jobs is 0, but must be a whole number of at least 1"),
        (["fix", "-q", "-v"], "--quiet and --verbose contradict each other"),
        (["fix", "--diff", "--dry-run"], "contradict"),
        (["fix", "--apply", "--dry-run"], "contradict"),
        (["fix", "--apply", "--diff"], "contradict"),
        (["fix", "--runtime", "ray"], "--runtime"),
        (["fix", "--agent-env", "KEY=s3cret"], "holds no values, but there is one for KEY"),
        (["fix", "--workers", "0"], "workers is 0, but must be a whole number of at least 1"),
        (["fix", "--cluster", "127.0.0.1:8786"], "must be an address such as"),
        (["fix", "--cluster", "tcp://127.0.0.1:8786", "--workers", "2"], "--cluster and --workers contradict"),
        (["fix", "--runtime", "native", "--workers", "2"], "--runtime native and --workers contradict"),
        (["fix", "--runtime", "langgraph", "--cluster", "tcp://127.0.0.1:8786"], "contradict"),
        (["fix", "--output-file", "/nowhere/at/all"], "/nowhere/at/all"),
        (["fix", "--output-file", "."], "can't be written"),
        (["fix", "--write-baseline", "/nowhere/at/all"], "The baseline can't be written to /nowhere/at/all"),
        (["fix", "--json", "--output-format", "sarif"], "--json and --output-format sarif contradict each other"),
    ],
)
def test_bad_usage_exits_2_and_ends_with_a_hint(
    requests: list[Request], arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert (told.out, requests) == ("", [])
    assert lines[-2].startswith("error: ")
    assert words in lines[-2]
    assert lines[-1].startswith("hint: ")


def test_options_reach_the_request(requests: list[Request], project: Path) -> None:
    main(
        [
            *("fix", "a.py", "b", "--git-changed", "--git-diff", "main", "--apply", "-j", "7", "--deadline", "2.5"),
            *("--select", "E,F", "--select", "W", "--ignore", "E501", "--exclude", "x,y", "--include", "z"),
            *("--check", "ruff", "--check", "mine=lint --a b,c", "--agent-command", "claude -p '{file}'"),
            *("--agent-env", "KEY", "--max-files", "3", "--max-findings", "4", "--max-attempts", "5"),
            *("--tests", "full", "--test-command", "make test", "--annotate", "--workspaces", "../copies"),
        ]
    )
    (request,) = requests
    settings = request.settings
    assert (request.paths, request.git_changed, request.git_staged, request.git_diff) == (
        ("a.py", "b"),
        True,
        False,
        "main",
    )
    assert (request.apply, request.dry_run, request.diff, request.start) == (True, False, False, project)
    assert (settings.jobs, settings.deadline_s, settings.select, settings.ignore) == (
        7,
        2.5,
        ("E", "F", "W"),
        ("E501",),
    )
    assert (settings.exclude, settings.include) == (("x", "y"), ("z",))
    assert settings.checks == ("ruff", "mine=lint --a b,c")
    assert (settings.agent, settings.agent_command, settings.agent_env) == (
        ("command",),
        ("claude", "-p", "{file}"),
        ("KEY",),
    )
    assert (settings.max_files, settings.max_findings, settings.max_attempts) == (3, 4, 5)
    assert (settings.tests, settings.test_command, settings.annotate) == ("each", "make test", True)
    assert settings.workspaces.resolve() == project.parent / "copies"


def test_configuration_is_found_from_a_folder_below_the_root(
    requests: list[Request], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "fanfold.toml").write_text("[fix]\njobs = 9\nannotate = true\n")
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    main(["fix", "--no-annotate"])
    assert requests[0].settings.jobs == 9
    assert requests[0].settings.annotate is False
    assert requests[0].start == project / "sub"


def test_misspelt_key_exits_2(requests: list[Request], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "fanfold.toml").write_text("[fix]\njob = 9\n")
    assert main(["fix"]) == 2
    assert requests == []
    assert capsys.readouterr().err.endswith("hint: did you mean jobs?\n")


def test_report_decides_the_exit_code(requests: list[Request], monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    assert main(["fix"]) == 1
    assert main(["fix", "--exit-zero"]) == 0

    async def interrupted(*_: object, **__: object) -> Report:
        return replace(report, interrupted=True)

    monkeypatch.setattr("fanfold.cli.fix.run", interrupted)
    assert main(["fix", "--exit-zero"]) == 130
    assert len(requests) == 2


def test_error_exits_2_with_message_and_hint(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del project
    failing(monkeypatch, FanfoldError("a\x1b[31m is broken", hint="mend it"))
    assert main(["fix"]) == 2
    assert capsys.readouterr().err == "error: a\\x1b[31m is broken\nhint: mend it\n"


def test_full_disk_is_no_bug(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del project
    failing(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/copies/slot-0"))
    assert main(["fix"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: No space left on device: /copies/slot-0\nhint: make room")


def test_full_disk_has_its_hint_where_git_tells_of_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del project
    failing(monkeypatch, FanfoldError("git write-tree failed: error: write error: No space left on device"))
    assert main(["fix"]) == 2
    assert "\nhint: make room on the disk" in capsys.readouterr().err


def test_keyboard_interrupt_exits_130_without_a_traceback(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del project

    def interrupted(*_: object, **__: object) -> FixSettings:
        raise KeyboardInterrupt

    monkeypatch.setattr("fanfold.cli.fix.load_settings", interrupted)
    assert main(["fix"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_bug_exits_3_and_keeps_its_traceback_in_a_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    del project
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(monkeypatch, KeyError("nobody thought of this"))
    assert main(["fix"]) == 3
    told = capsys.readouterr().err
    assert told.startswith("error: Fanfold itself failed: KeyError: 'nobody thought of this'\nhint: please report it")
    assert "Traceback" not in told
    (file,) = tmp_path.glob("fanfold-traceback-*.txt")
    assert str(file) in told
    assert "Traceback" in file.read_text()


def test_data_goes_to_stdout_and_the_rest_to_stderr(
    requests: list[Request], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fix", "--output-format", "json"])
    told = capsys.readouterr()
    assert told.out.startswith("{\n")
    assert told.err.startswith("Fixed 1 of 3 files")
    main(["fix"])
    told = capsys.readouterr()
    assert told.out.startswith("Fixed 1 of 3 files")
    assert told.err == ""
    assert len(requests) == 2


def test_json_is_short_for_the_format(requests: list[Request], capsys: pytest.CaptureFixture[str]) -> None:
    main(["fix", "--output-format", "json"])
    asked = capsys.readouterr().out
    for arguments in (["--json"], ["--json", "--output-format", "json"]):
        main(["fix", *arguments])
        assert capsys.readouterr().out == asked
    assert len(requests) == 3


def test_quiet_text_is_the_summary_alone(requests: list[Request], capsys: pytest.CaptureFixture[str]) -> None:
    main(["fix", "--quiet"])
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 4
    assert told.err == ""
    assert requests


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "markdown"])
def test_report_goes_to_a_file(
    requests: list[Request], project: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fix", "--output-format", form, "--output-file", "out"])
    file = capsys.readouterr()
    assert file.out == ""
    assert file.err.startswith("Fixed 1 of 3 files")
    main(["fix", "--output-format", form])
    assert capsys.readouterr().out == (project / "out").read_text()
    assert requests


def test_diff_is_on_stdout_alone_for_git_apply(requests: list[Request], capsys: pytest.CaptureFixture[str]) -> None:
    main(["fix", "--diff"])
    told = capsys.readouterr()
    assert told.out.startswith("diff --git a/a.py b/a.py\n")
    assert told.out.endswith("-import os\n")
    assert "Fixed 1 of 3 files" in told.err
    assert requests[0].diff is True


def test_reader_that_goes_away_sees_no_traceback(project: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fanfold", "doctor"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=project,
        )
    finally:
        os.close(writer)
    assert done.stderr == ""


def test_output_that_an_encoding_lacks_is_escaped() -> None:
    assert program("--help", encoding="ascii").returncode == 0
    done = program("fixé", encoding="ascii")
    assert done.returncode == 2
    assert "fix\\xe9" in done.stderr


def test_help_imports_nothing_that_only_a_run_needs(project: Path) -> None:
    script = (
        "import sys; from fanfold.cli.main import main; main(['fix', '--help']);"
        "heavy = {'rich', 'asyncio', 'fanfold.config', 'fanfold.fix', 'fanfold.git'} & set(sys.modules);"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
