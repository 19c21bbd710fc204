"""Runs with real programs as agents, in a sandbox of real bubblewrap and without one."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from fanfold.config import load_settings
from fanfold.fix.attempts.confine import object_stores
from fanfold.fix.errors import FixError
from fanfold.fix.findings.plan import Request
from fanfold.fix.reporting.report import Report, TaskLine
from fanfold.fix.run import run
from fanfold.process import unusable
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

FILES = {
    "shop.py": "import os\n\n\ndef total(prices: list[int]) -> int:\n    return sum(prices)\n",
    "other.py": "VALUE = 1\n",
    "test_shop.py": "from shop import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
}
FIXED = FILES["shop.py"].partition("\n\n\n")[2]
PRELUDE = """\
import json, os, pathlib, socket, subprocess, sys, time

def tried(what, *arguments):
    try:
        return what(*arguments)
    except OSError as error:
        return type(error).__name__

def fix():
    file = pathlib.Path(sys.argv[1])
    file.write_text(file.read_text().partition("\\n\\n\\n")[2])

def tell(**facts):
    pathlib.Path(sys.argv[2]).write_text(json.dumps(facts))

"""
"""What each agent begins with; what it tells goes to a file that the sandbox lets it write."""

Fix = Callable[..., Awaitable[tuple[Report, dict[str, Any]]]]


@pytest.fixture
def user(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "user", FILES)


@pytest.fixture
async def _sandbox() -> None:
    found = shutil.which("bwrap")
    if found is None:
        pytest.skip("bubblewrap is not installed")
    if words := await unusable(Path(found)):
        pytest.skip(f"bubblewrap does not work here: {words}")


@pytest.fixture
def fix(user: TemporaryRepository, tmp_path: Path) -> Fix:
    """Run with an agent of these lines; the report, and what the agent told."""

    async def fix(code: str, **settings: Any) -> tuple[Report, dict[str, Any]]:
        agent, told = tmp_path / "bin/agent.py", tmp_path / "told/facts.json"
        for path in (agent, told):
            path.parent.mkdir(exist_ok=True)
        agent.write_text(PRELUDE + dedent(code))
        overrides = {
            "agent_command": (sys.executable, str(agent), "{file}", str(told)),
            "checks": ("ruff",),
            "include": ("shop.py",),
            "max_attempts": 1,
            "runtime": "native",
            "sandbox": "bwrap",
            "sandbox_write": (told.parent,),
            "tests": "none",
            "workspaces": tmp_path / "workspaces",
            "state": tmp_path / "state",
        }
        request = Request(start=user.root, settings=load_settings(user.root, {**overrides, **settings}))
        report = await run(request)
        return report, json.loads(told.read_text()) if told.exists() else {}

    return fix


def task(report: Report) -> TaskLine:
    (line,) = report.tasks
    return line


@pytest.mark.usefixtures("_sandbox")
async def test_an_agent_in_a_sandbox_does_its_work_and_leaves_the_checkout_alone(
    fix: Fix, user: TemporaryRepository
) -> None:
    before = {path: path.read_bytes() for path in user.root.iterdir() if path.is_file()}
    report, _ = await fix("fix()")
    assert task(report).status == "fixed"
    assert report.notes == ("agent command ran in a sandbox, with the network as it is",)
    assert {path: path.read_bytes() for path in user.root.iterdir() if path.is_file()} == before


@pytest.mark.usefixtures("_sandbox")
async def test_secrets_in_the_home_directory_and_in_the_checkout_are_hidden(
    fix: Fix, user: TemporaryRepository
) -> None:
    planted = [Path.home() / ".netrc", user.root / ".env", user.root / ".git/config"]
    for path in planted[:2]:
        path.write_text("planted")
    report, told = await fix(
        f"""
        paths = {[str(path) for path in planted]!r}
        tell(read=[tried(lambda: open(path).read()) for path in paths], home=os.listdir(os.path.expanduser("~")))
        fix()
        """
    )
    (Path.home() / ".netrc").unlink()
    assert task(report).status == "fixed"
    assert told["home"] == []
    assert told["read"][:2] == ["FileNotFoundError", "FileNotFoundError"]
    assert told["read"][2] != (user.root / ".git/config").read_text()


@pytest.mark.usefixtures("_sandbox")
async def test_what_is_written_by_absolute_path_to_the_checkout_lands_in_the_workspace(
    fix: Fix, user: TemporaryRepository
) -> None:
    before = fingerprint(user.root)
    file = user.root / "shop.py"
    report, _ = await fix(f"sys.argv[1] = {str(file)!r}\nfix()")
    assert task(report).status == "fixed"
    assert file.read_text() == FILES["shop.py"]
    assert {name: was for name, was in before.items() if name == "shop.py"} == {
        name: now for name, now in fingerprint(user.root).items() if name == "shop.py"
    }


@pytest.mark.usefixtures("_sandbox")
async def test_a_place_to_write_in_that_is_not_there_is_told_before_anything_runs(fix: Fix, tmp_path: Path) -> None:
    with pytest.raises(FixError, match=r"sandbox_write has .*/nowhere, which isn't there"):
        await fix("fix()", sandbox_write=(tmp_path / "nowhere",))


@pytest.mark.usefixtures("_sandbox")
async def test_git_of_the_user_s_repository_is_out_of_reach(fix: Fix, user: TemporaryRepository) -> None:
    refs = user.git("for-each-ref", "--format=%(refname) %(objectname)")
    config = (user.root / ".git/config").read_bytes()
    report, told = await fix(
        f"""
        main = {str(user.root)!r}
        for command in ("config core.fsmonitor ./planted", "update-ref refs/heads/planted HEAD", "stash clear"):
            subprocess.run(["git", "-C", main, *command.split()])
        tell(log=subprocess.run(["git", "log", "--format=%s"], capture_output=True, text=True).stdout,
             hook=tried(open, main + "/.git/hooks/pre-commit", "w").__class__.__name__)
        fix()
        """
    )
    assert task(report).status == "fixed"
    assert told["log"]
    assert (user.root / ".git/config").read_bytes() == config
    assert not (user.root / ".git/hooks/pre-commit").exists()
    now = user.git("for-each-ref", "--format=%(refname) %(objectname)")
    assert [line for line in now.splitlines() if "fanfold" not in line] == refs.splitlines()


@pytest.mark.usefixtures("_sandbox")
async def test_the_project_s_programs_run_the_workspace_s_code(fix: Fix) -> None:
    report, told = await fix(
        """
        fix()
        file = pathlib.Path(sys.argv[1])
        good = file.read_text()
        def tests():
            command = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            return subprocess.run(command, capture_output=True).returncode
        first = tests()
        file.write_text(good.replace("sum(prices)", "0"))
        second = tests()
        file.write_text(good)
        tell(codes=[first, second], environment=os.environ.get("VIRTUAL_ENV"))
        """
    )
    assert task(report).status == "fixed"
    assert told == {"codes": [0, 1], "environment": sys.prefix}


LISTED = ("MY_TOKEN", "SSH_AUTH_SOCK", "DATABASE_URL")
UNLISTED = ("YOUR_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DOCKER_HOST")


@pytest.mark.parametrize("sandbox", ["bwrap", "none"])
@pytest.mark.usefixtures("_sandbox")
async def test_a_variable_is_seen_only_if_it_is_listed(fix: Fix, monkeypatch: pytest.MonkeyPatch, sandbox: str) -> None:
    for name in (*LISTED, *UNLISTED):
        monkeypatch.setenv(name, f"planted-{name}")
    _, told = await fix("tell(**os.environ)\nfix()", sandbox=sandbox, agent_env=LISTED)
    assert {value for value in told.values() if "planted" in value} == {f"planted-{name}" for name in LISTED}
    assert {name: told[name] for name in LISTED} == {name: f"planted-{name}" for name in LISTED}


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


REACH = """
def ask(port):
    address = os.environ.get("HTTP_PROXY", "").removeprefix("http://")
    host, _, through = address.partition(":")
    with socket.create_connection((host, int(through)) if address else ("127.0.0.1", port), 10) as there:
        if address:
            there.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n".encode())
            return there.recv(100).decode().split()[1]
        return "open"
"""


@pytest.mark.parametrize(
    ("network", "answer"),
    [("host", "open"), ("none", "ConnectionRefusedError"), ("listed", "200"), ("other.example:443", "403")],
)
@pytest.mark.usefixtures("_sandbox")
async def test_the_network_is_what_the_settings_say(fix: Fix, port: int, network: str, answer: str) -> None:
    asked = f"127.0.0.1:{port}" if network == "listed" else network
    report, told = await fix(f"{REACH}\ntell(answer=tried(ask, {port}))\nfix()", agent_network=(asked,))
    assert told["answer"] == answer
    in_vain = (f"asked for 127.0.0.1:{port}, which agent_network doesn't list",) if answer == "403" else ()
    assert task(report).refused == in_vain


async def test_a_change_of_the_checkout_is_refused_and_named_without_a_sandbox(
    fix: Fix, user: TemporaryRepository
) -> None:
    report, _ = await fix(f"open({str(user.root / 'other.py')!r}, 'a').write('x')\nfix()", sandbox="none")
    assert task(report).status == "failed"
    (reason,) = task(report).reasons
    assert reason.startswith("touched outside its workspace: other.py; if that was you, run again")
    assert "--sandbox bwrap" in reason
    assert report.branch is None
    assert report.notes[-1].startswith("agent command ran without a sandbox, as it was asked for")


ESCAPES = {
    "a new file": ("open(main + '/planted.py', 'w').write('x')", "planted.py"),
    "its own file": ("open(main + '/shop.py', 'a').write('x')", "shop.py"),
    "a deleted file": ("os.unlink(main + '/other.py')", "other.py"),
    "configuration": ("git('config', 'core.fsmonitor', 'planted')", ".git/config"),
    "a hook": ("open(main + '/.git/hooks/pre-commit', 'w').write('x')", ".git/hooks/pre-commit"),
    "a ref": ("git('update-ref', 'refs/heads/planted', 'HEAD')", ".git/refs/heads/planted"),
    "a stash": ("open(main + '/other.py', 'a').write('x'); git('stash')", ".git/refs/stash"),
}


@pytest.mark.parametrize(("act", "path"), ESCAPES.values(), ids=ESCAPES)
async def test_each_way_out_is_refused_without_a_sandbox(
    fix: Fix, user: TemporaryRepository, act: str, path: str
) -> None:
    report, _ = await fix(
        f"""
        main = {str(user.root)!r}
        def git(*words):
            subprocess.run(["git", "-C", main, "-c", "user.name=x", "-c", "user.email=x@y", *words], check=True)
        {act}
        fix()
        """,
        sandbox="none",
    )
    assert task(report).status == "failed"
    assert path in task(report).reasons[0]
    assert report.branch is None


async def test_an_agent_that_strays_once_may_try_again(fix: Fix, user: TemporaryRepository, tmp_path: Path) -> None:
    report, _ = await fix(
        f"""
        once = pathlib.Path({str(tmp_path / "once")!r})
        if not once.exists():
            once.touch()
            open({str(user.root / "other.py")!r}, "a").write("x")
        fix()
        """,
        sandbox="none",
        max_attempts=2,
    )
    assert (task(report).status, task(report).attempts) == ("fixed", 2)


async def test_escapes_are_only_told_where_that_is_asked_for(fix: Fix, user: TemporaryRepository) -> None:
    code = f"open({str(user.root / 'other.py')!r}, 'a').write('x')\nfix()"
    report, _ = await fix(code, sandbox="none", escapes="report")
    assert task(report).status == "fixed"
    assert task(report).refused == ("changed outside of its workspace meanwhile: other.py",)


@pytest.mark.parametrize("sandbox", ["bwrap", "none"])
@pytest.mark.usefixtures("_sandbox")
async def test_an_agent_that_fills_the_disk_is_stopped_and_its_workspace_is_cleaned(
    fix: Fix, tmp_path: Path, sandbox: str
) -> None:
    code = "n = 0\nwhile True:\n    open(f'junk-{n}', 'wb').write(bytes(1 << 20)); n += 1"
    report, _ = await fix(code, sandbox=sandbox, workspace_max_bytes=32 << 20)
    assert "more than 33,554,432 bytes were written in its workspace" in task(report).reasons[0]
    assert not list((tmp_path / "workspaces").rglob("junk-*"))


@pytest.mark.parametrize("sandbox", ["bwrap", "none"])
@pytest.mark.usefixtures("_sandbox")
async def test_a_file_that_is_too_large_ends_the_agent(fix: Fix, sandbox: str) -> None:
    code = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL); open('junk', 'wb').truncate(1 << 40)"
    report, _ = await fix(code, sandbox=sandbox, workspace_max_bytes=32 << 20)
    assert "was stopped at a file of more than 33,554,432 bytes" in task(report).reasons[0]


async def test_a_sandbox_that_is_asked_for_and_missing_is_refused_before_anything_runs(
    fix: Fix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanfold.fix.attempts.confine.find_program", lambda _: None)
    with pytest.raises(FixError, match="there is no sandbox here: bubblewrap is not installed"):
        await fix("tell(ran=True)")
    with pytest.raises(FixError, match="agent_network can't be held to without a sandbox"):
        await fix("tell(ran=True)", sandbox="auto", agent_network=("none",))
    report, told = await fix("tell(ran=True)\nfix()", sandbox="auto")
    assert told == {"ran": True}
    assert "bubblewrap is not installed" in report.notes[-1]


@pytest.mark.usefixtures("_sandbox")
async def test_an_agent_that_fails_in_a_sandbox_is_told_to_have_been_in_one(fix: Fix) -> None:
    report, _ = await fix("raise SystemExit('not logged in')")
    (reason,) = task(report).reasons
    assert reason.endswith("ended in its sandbox with exit code 1: not logged in")


async def test_hosts_that_are_none_are_refused_before_anything_runs(fix: Fix) -> None:
    with pytest.raises(FixError, match="'https://x' is no host"):
        await fix("tell(ran=True)", agent_network=("https://x",))


def test_borrowed_object_stores_are_found(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name / "objects/info").mkdir(parents=True)
    (tmp_path / "a/objects/info/alternates").write_text("# note\n../../b/objects\n" + str(tmp_path / "gone") + "\n")
    (tmp_path / "b/objects/info/alternates").write_text(f"{tmp_path / 'c/objects'}\n{tmp_path / 'a/objects'}\n")
    assert {path.parent.name for path in object_stores(tmp_path / "a")} == {"a", "b", "c"}
