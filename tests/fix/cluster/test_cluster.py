"""`fanfold fix` with its branches on worker processes: the same result as without, whatever becomes of a worker."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fanfold.cli.render.data import report_data
from fanfold.config import load_settings
from fanfold.fix import Request, run
from fanfold.runtimes import Cluster, Native, Runtime
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

pytest.importorskip("distributed")

BAD = "import os\nimport sys\nfrom typing import List\n\n\ndef f(x: int) -> str:\n    return x\n\n\nprint(sys.argv)\n"
FILES = {
    "pyproject.toml": "[tool.ruff]\nline-length = 100\n[tool.mypy]\n",
    "pkg/__init__.py": "",
    "pkg/a.py": BAD,
    "pkg/deep/__init__.py": "",
    "pkg/deep/a.py": BAD.replace("\n", "\r\n"),
    "pkg/b.py": BAD.replace("-> str", "-> int"),
    "pkg/é.py": "import os\n",
    "check.py": "from pkg.b import f\n\nassert f(1) == 1\n",
}
MARK = "XDG_MARK_OF_THIS_TEST"
"""Even agents see variables of this prefix, so that every process of a run can be told by it."""
SURELY_S = 60.0
SUITE = f"{sys.executable} -E check.py"


@pytest.fixture
def repository(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "r", FILES)


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Marks all processes that the test starts; what of them is left at its end is killed."""
    mark = secrets.token_hex(12)
    monkeypatch.setenv(MARK, mark)
    yield mark
    for pid in marked(mark):
        os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> list[int]:
    """Processes with the mark in their environment, without this one and without those that only wait to be reaped."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


@pytest.fixture(scope="module")
def worker() -> Iterator[Cluster]:
    """A cluster of one, for tests that leave it as it is."""
    with Cluster(workers=1) as cluster:
        yield cluster


async def fix(
    repository: TemporaryRepository, tmp_path: Path, *, on: Runtime | None = None, **options: object
) -> dict[str, Any]:
    """What the run tells, as JSON."""
    # Its agents leave marks beside their workspace.
    places = {"workspaces": tmp_path / "home", "state": tmp_path / "state", "sandbox": "none"}
    settings = load_settings(repository.root, {**places, **options})
    report: dict[str, Any] = report_data(await run(Request(repository.root, settings), runtime=on))
    return report


def commits(repository: TemporaryRepository, report: dict[str, Any]) -> str:
    return repository.git("log", "--reverse", "--format=%T%n%B", f"main..{report['branch']}")


TIMES = {"wall_s", "elapsed_s", "agent_s", "tasks_s", "average_s", "speedup"}
COUNTS = {"runs", "partial_runs", "batches", "largest"}
NAMES = {"run_id", "branch", "tip", "commit", "runtime"}


def plain(value: Any) -> Any:
    """A report without times, without what names this one run, and without what hangs on when changes came."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in {*TIMES, *NAMES, *COUNTS}}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def agent(tmp_path: Path, first: str) -> str:
    """An agent that removes unused imports; the first time it's called, it does `first` before that."""
    script = tmp_path / "agent.py"
    script.write_text(
        "import os, pathlib, signal, sys, time\n"
        "try:\n"
        f"    os.close(os.open({str(tmp_path / 'once')!r}, os.O_CREAT | os.O_EXCL))\n"
        "except FileExistsError:\n"
        "    pass\n"
        "else:\n"
        f"    {first}\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "lines = path.read_bytes().splitlines(keepends=True)\n"
        "path.write_bytes(b''.join(line for line in lines if not line.startswith((b'import os', b'from typing'))))\n"
    )
    return f"{sys.executable} {script} {{file}}"


async def test_same_commits_and_report_as_without_workers(
    repository: TemporaryRepository, tmp_path: Path, worker: Cluster
) -> None:
    before = fingerprint(repository.root)
    options: dict[str, Any] = {"jobs": 1, "tests": "each", "test_command": SUITE}
    here = await fix(repository, tmp_path, on=Native(), **options)
    there = await fix(repository, tmp_path, on=worker, **options)
    assert (here["runtime"], there["runtime"]) == ("native", "cluster")
    assert {one["status"] for one in there["tasks"]} == {"fixed", "partial"}
    assert commits(repository, there) == commits(repository, here)
    assert plain(there) == plain(here)
    assert fingerprint(repository.root) == before


async def test_change_that_broke_a_test_gets_its_second_chance_on_a_worker(
    repository: TemporaryRepository, tmp_path: Path, worker: Cluster
) -> None:
    breaks = agent(tmp_path, "pathlib.Path('pkg/b.py').write_bytes(pathlib.Path('pkg/b.py').read_bytes()"
                             ".replace(b'return x', b'return x + 1'))")  # fmt: skip
    once: dict[str, Any] = {"jobs": 1, "max_attempts": 1, "agent_command": breaks}
    options = {**once, "checks": ("ruff",), "include": ("pkg/b.py",), "tests": "batch", "test_command": SUITE}
    here = await fix(repository, tmp_path, on=Native(), **options)
    (tmp_path / "once").unlink()
    there = await fix(repository, tmp_path, on=worker, **options)
    assert [(one["path"], one["status"]) for one in there["tasks"]] == [("pkg/b.py", "fixed")]
    assert commits(repository, there) == commits(repository, here)
    assert plain(there) == plain(here)


async def test_worker_killed_in_the_midst_of_an_attempt_costs_nothing(
    repository: TemporaryRepository, tmp_path: Path, mark: str
) -> None:
    """Its agent, which lives on without it, is killed as well."""
    kills = agent(tmp_path, "os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)")
    options: dict[str, Any] = {"checks": ("ruff",), "runtime": "cluster", "workers": 2, "jobs": 2, "tests": "none"}
    report = await fix(repository, tmp_path, **options, agent_command=kills)
    statuses = {one["path"]: (one["status"], one["reasons"]) for one in report["tasks"]}
    assert {status for status, _ in statuses.values()} <= {"fixed", "partial"}, statuses
    assert len(commits(repository, report).split("Fixed-by:")) == len(statuses) + 1
    assert repository.git("fsck", "--strict", "--no-dangling") == ""
    assert marked(mark) == []


def test_interrupt_leaves_no_process_and_keeps_what_has_landed(
    repository: TemporaryRepository, tmp_path: Path, mark: str
) -> None:
    options = ("--check", "ruff", "--workers", "1", "--jobs", "2", "--tests", "none", "--output-format", "json")
    places = ("--workspaces", str(tmp_path / "home"), "--sandbox", "none")
    sleeps = agent(tmp_path, "time.sleep(600)")
    process = subprocess.Popen(
        [sys.executable, "-m", "fanfold", "fix", *options, *places, "--agent-command", sleeps],
        cwd=repository.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until_s = time.monotonic() + SURELY_S
    while not repository.git("branch", "--list", "fanfold/*") and process.poll() is None:
        assert time.monotonic() < until_s
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, said = process.communicate(timeout=SURELY_S)
    assert process.returncode == 130, said.decode()
    report = json.loads(output)
    assert report["interrupted"]
    assert "cancelled" in {one["status"] for one in report["tasks"]}
    assert "Fixed-by:" in commits(repository, report)
    assert marked(mark) == []
