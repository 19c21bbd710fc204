"""Branches of `fix` on another machine: the same commits as here, or a clear word why not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fanfold.config import load_settings
from fanfold.engine import Codec, detach
from fanfold.fix import Report, Request, run
from fanfold.fix.cluster.worker import prepare_worker
from fanfold.fix.errors import FixError
from fanfold.runtimes import Flow, Native, Options, Result, coordinated
from fanfold.runtimes.cluster.failure import remote
from fanfold.runtimes.cluster.failure import told as as_data
from fanfold.runtimes.native import carry_out
from fanfold.runtimes.run import within
from fanfold.runtimes.types import type_of
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.coordinator import NearCoordinator
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import TemporaryRepository, make_repository

S = TypeVar("S")
Change = Callable[[Any], Any]

UNUSED = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"


class Elsewhere:
    """Has branches run with what `prepare_worker` makes of what was packed; all that goes there and back is JSON.

    Args:
        packed: changes what was packed on its way.
        returned: changes what a branch returned on its way, as data.
    """

    name = "cluster"

    def __init__(self, packed: Change = lambda data: data, returned: Change = lambda update: update) -> None:
        self._packed = packed
        self._returned = returned
        self.sent: list[bytes] = []

    async def run(self, flow: Flow[S], state: S, options: Options) -> Result[S]:
        async with AsyncExitStack() as stack:
            place: list[Any] = []

            async def prepare(_: S) -> None:
                assert flow.pack is not None
                assert flow.prepare_worker is not None
                self.sent.append(self._packed(await flow.pack()))
                place.append(await stack.enter_async_context(flow.prepare_worker(self.sent[-1])))

            async def there(item: Any, view: Any) -> Any:
                codec: Codec[Any] = Codec(type_of(flow, flow.hops[0]))
                assert flow.attend is not None
                async with flow.attend(item.key) as answer:
                    with within(Native(), Options(context=place[-1])), coordinated(NearCoordinator(answer)):
                        try:
                            update = codec.encode(detach(await flow.hops[0](item, view)))
                        except Exception as error:  # noqa: BLE001 as the runtime does with what a branch raises
                            raise remote(as_data(error), "there") from None
                return codec.decode(json.dumps(self._returned(json.loads(update))))

            return await carry_out(self, replace(flow, prepare=(*flow.prepare, prepare)), state, options, (there,))


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a worker has its workspaces."""
    monkeypatch.setenv("FANFOLD_FIX_WORKSPACES", str(tmp_path / "there"))
    return tmp_path / "there"


def as_it_is(data: bytes) -> bytes:
    """What a worker is sent that shares the coordinator's files."""
    return data


def apart(data: bytes) -> bytes:
    """What a worker is sent that doesn't share the coordinator's files."""
    line, _, rest = data.partition(b"\n")
    told = json.loads(line)
    places = {"cache": "/nonexistent/cache", "workspaces": "/nonexistent", "project": ["/nonexistent"] * 2 + [None]}
    return json.dumps({**told, **places}).encode() + b"\n" + rest


async def fix(
    repository: TemporaryRepository, tmp_path: Path, runtime: Any = None, agent: Any = None, **options: object
) -> Report:
    overrides = {"workspaces": tmp_path / "home", "tests": "none", "runtime": "native", **options}
    settings = load_settings(repository.root, overrides)
    return await run(Request(repository.root, settings), runtime=runtime, agent=agent)


def told(repository: TemporaryRepository, report: Report) -> dict[str, object]:
    """What the user gets: commits with their trees and messages, and what is said of each file."""
    commits = repository.git("log", "--format=%T %B", f"main..{report.branch}") if report.branch else ""
    tasks = [(one.path, one.status, one.findings, one.fixed, one.left, one.reasons) for one in report.tasks]
    return {"commits": commits, "tasks": tasks, "rules": report.rules, "exit": report.exit_code}


FILES = {
    "pyproject.toml": '[tool.ruff]\nline-length = 100\n[tool.ruff.format]\nquote-style = "double"\n',
    "a.py": UNUSED,
    "pkg/a.py": UNUSED.replace("\n", "\r\n"),
    "pkg/bare.py": "import os\n\ntry:\n    X = 1\nexcept:\n    X = 2\n",
    "pkg/__init__.py": "",
    "clean.py": "X = 1\n",
}


async def test_same_commits_and_report_as_here(tmp_path: Path, there: Path) -> None:
    repository = make_repository(tmp_path / "r", FILES)
    expected = told(repository, await fix(repository, tmp_path, jobs=1))
    before = fingerprint(repository.root)
    for packed in (as_it_is, apart):
        report = await fix(repository, tmp_path, Elsewhere(packed), jobs=1)
        assert told(repository, report) == expected
        assert [one.error for one in report.checkers] == [None]
        assert {one.status for one in report.tasks} == {"fixed", "partial"}
        assert fingerprint(repository.root) == before
        assert repository.git("fsck", "--strict", "--no-dangling") == ""
        assert (there / "bases").exists() == (packed is apart)


async def test_agent_that_is_a_program_works_there(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "pkg/a.py": UNUSED})
    script = tmp_path / "agent.py"
    script.write_text(f"import pathlib, sys\npathlib.Path(sys.argv[1]).write_text({FIXED!r})\n")
    command = (sys.executable, str(script), "{file}")
    report = await fix(repository, tmp_path, Elsewhere(apart), agent_command=command)
    assert {one.path: one.status for one in report.tasks} == {"a.py": "fixed", "pkg/a.py": "fixed"}
    assert repository.git("show", f"{report.tip}:pkg/a.py") == FIXED


async def test_failing_agent_says_the_same_there(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    command = (sys.executable, "-c", "raise SystemExit('no idea')")
    here = await fix(repository, tmp_path, agent_command=command)
    report = await fix(repository, tmp_path, Elsewhere(apart), agent_command=command)
    assert told(repository, report) == told(repository, here)


async def test_agent_without_time_has_timed_out_there_too(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    options = {"agent_command": (sys.executable, "-c", "import time; time.sleep(60)"), "deadline_s": 0.5}
    here = await fix(repository, tmp_path, max_attempts=1, **options)
    report = await fix(repository, tmp_path, Elsewhere(apart), max_attempts=1, **options)
    assert [one.status for one in here.tasks] == ["timed out"]
    assert told(repository, report) == told(repository, here)


async def test_minutes_of_the_run_end_what_is_at_work_there(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "b.py": UNUSED})
    script = tmp_path / "agent.py"
    script.write_text(
        "import pathlib, sys, time\n"
        f"pathlib.Path(sys.argv[1]).write_text({FIXED!r})\n"
        "time.sleep(60 * (sys.argv[1] == 'a.py'))\n"
    )
    options = {"agent_command": (sys.executable, str(script), "{file}"), "max_minutes": 0.15, "max_attempts": 2}
    report = await fix(repository, tmp_path, Elsewhere(apart), **options)
    (stopped, fixed) = report.tasks
    assert (stopped.status, stopped.reasons) == ("cancelled", ("the 0.15 minutes of the run are over",))
    assert fixed.status == "fixed"
    assert report.budget is not None
    assert report.budget.exhausted == "the 0.15 minutes of the run are over"


async def test_each_change_is_tested_there(tmp_path: Path) -> None:
    files = {
        "a.py": "import os\n\n\ndef f():\n    return 1\n",
        "b.py": "import os\n\n\ndef g():\n    return 1\n",
        "check.py": "from a import f\nfrom b import g\n\nassert f() == 1\nassert g() == 1\n",
    }
    repository = make_repository(tmp_path / "r", files)
    script = tmp_path / "agent.py"
    script.write_text(
        "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\ntext = path.read_text().replace('import os\\n', '')\n"
        "path.write_text(text.replace('return 1', 'return 2') if path.name == 'b.py' else text)\n"
    )
    command = (sys.executable, str(script), "{file}")
    suite = f"{sys.executable} -E check.py"
    options = {"tests": "each", "test_command": suite, "agent_command": command, "max_attempts": 1}
    here = await fix(repository, tmp_path, **options)
    report = await fix(repository, tmp_path, Elsewhere(apart), **options)
    assert {one.path: one.status for one in report.tasks} == {"a.py": "fixed", "b.py": "refused"}
    assert told(repository, report) == told(repository, here)


async def test_tests_that_do_not_run_there_are_no_passed_tests(tmp_path: Path) -> None:
    files = {"a.py": UNUSED, "test_a.py": "import pathlib\n\n\ndef test_a():\n    assert pathlib.Path('/').exists()\n"}
    repository = make_repository(tmp_path / "r", files)
    flag = tmp_path / "only-here"
    flag.touch()
    command = f"{sys.executable} -c \"import pathlib, sys; sys.exit(not pathlib.Path('{flag}').exists())\""

    def leave(data: bytes) -> bytes:
        flag.unlink()
        return apart(data)

    report = await fix(repository, tmp_path, Elsewhere(leave), tests="each", test_command=command)
    assert [one.status for one in report.tasks] == ["failed"]
    assert "tests don't run on this worker" in report.tasks[0].reasons[0]


async def test_run_without_branches_needs_nothing_of_workers(tmp_path: Path) -> None:
    away = Elsewhere()
    clean = make_repository(tmp_path / "clean", {"a.py": "X = 1\n"})
    assert (await fix(clean, tmp_path, away)).exit_code == 0
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    settings = load_settings(repository.root, {"workspaces": tmp_path / "home", "tests": "none"})
    report = await run(Request(repository.root, settings, dry_run=True), runtime=away)
    assert [one.status for one in report.tasks] == ["planned"]
    assert away.sent == [b"", b""]


def with_version(name: str, version: str) -> Change:
    def change(data: bytes) -> bytes:
        line, _, rest = data.partition(b"\n")
        told = json.loads(line)
        assert told["versions"][name]
        told["versions"][name] = version
        return json.dumps(told).encode() + b"\n" + rest

    return change


@pytest.mark.parametrize("name", ["ruff", "mypy", "python"])
async def test_other_version_of_what_judges_is_refused(tmp_path: Path, name: str) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": f"{UNUSED}x: int = ''\n"})
    checks = ("mypy",) if name == "mypy" else ("ruff",)
    with pytest.raises(FixError, match=f"{name} is .* on this worker, and 0.0.1 on the coordinator") as caught:
        await fix(repository, tmp_path, Elsewhere(with_version(name, "0.0.1")), checks=checks)
    assert caught.value.hint == f"install {name} 0.0.1 on the worker, too: another version finds other things"


async def test_worker_that_finds_other_things_is_refused(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", FILES)

    def lose(data: bytes) -> bytes:
        line, _, rest = apart(data).partition(b"\n")
        told = json.loads(line)
        told["findings"] = told["findings"][1:]
        return json.dumps(told).encode() + b"\n" + rest

    with pytest.raises(FixError, match=r"1 finding differs .* found on this worker only"):
        await fix(repository, tmp_path, Elsewhere(lose), checks=("ruff",))


async def test_agent_made_for_this_process_is_refused(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    with pytest.raises(FixError, match="scripted"):
        await fix(repository, tmp_path, Elsewhere(), ScriptedAgent())


async def test_secrets_and_places_of_the_coordinator_do_not_travel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "sk-precious-0123456789")
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    repository.write({"dirty.py": "uncommitted = 1\n"})
    away = Elsewhere()
    await fix(repository, tmp_path, away, agent_env=("MY_API_KEY",))
    line, _, _ = away.sent[0].partition(b"\n")
    settings = json.loads(line)["settings"]
    assert settings["agent_env"] == ["MY_API_KEY"]
    assert not {"workspaces", "cluster", "workers", "runtime", "jobs"} & settings.keys()
    assert b"precious" not in away.sent[0]
    assert b"uncommitted" not in away.sent[0]


def lying(edit: Callable[[dict[str, Any]], None]) -> Change:
    def change(update: dict[str, Any]) -> dict[str, Any]:
        edit(update["attempts"][0])
        return update

    return change


def without_files(attempted: dict[str, Any]) -> None:
    attempted["parcel"] = None


def of_nothing(attempted: dict[str, Any]) -> None:
    attempted["parcel"] = "fanfold-change-1:AAAA"


@pytest.mark.parametrize("edit", [without_files, of_nothing])
async def test_change_that_does_not_come_whole_never_lands(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None]
) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    report = await fix(repository, tmp_path, Elsewhere(returned=lying(edit)))
    assert [(one.path, one.status) for one in report.tasks] == [("a.py", "failed")]
    assert report.branch is None


async def test_change_of_another_file_never_lands(tmp_path: Path) -> None:
    """A worker that returns the change of one file for another one."""
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED, "b.py": UNUSED})
    first: list[dict[str, Any]] = []

    def swap(update: dict[str, Any]) -> dict[str, Any]:
        first.append(update)
        return first[0]

    report = await fix(repository, tmp_path, Elsewhere(returned=swap), jobs=1)
    assert sorted((one.path, one.status) for one in report.tasks) == [("a.py", "fixed"), ("b.py", "failed")]
    assert repository.git("diff", "--name-only", "main", str(report.tip)).split() == ["a.py"]


async def test_change_of_two_files_comes_back_from_there(tmp_path: Path) -> None:
    """The task says which second file may change; what a worker says of that isn't believed."""
    greet = "def greet(name: str) -> str:\n    return name\n"
    loud = "def greet(name: str, *, loud: bool = False) -> str:\n    return name.upper() if loud else name\n"
    files = {
        "pyproject.toml": '[tool.mypy]\nstrict = true\nfiles = ["shop"]\n',
        "shop/__init__.py": "",
        "shop/words.py": greet,
        "shop/app.py": 'from shop.words import greet\n\n\ndef main() -> str:\n    return greet("a", loud=True)\n',
    }
    repository = make_repository(tmp_path / "r", files)
    script = tmp_path / "agent.py"
    script.write_text(f"import pathlib\npathlib.Path('shop/words.py').write_text({loud!r})\n")
    command = (sys.executable, str(script))
    report = await fix(repository, tmp_path, Elsewhere(apart), agent_command=command, checks=("mypy",))
    assert [(one.path, one.status, one.fixed) for one in report.tasks] == [("shop/app.py", "fixed", 1)]
    assert repository.git("show", f"{report.tip}:shop/words.py") == loud

    def claiming(attempted: dict[str, Any]) -> None:
        attempted["task"]["others"] = ["shop/words.py"]

    away = Elsewhere(returned=lying(claiming))
    report = await fix(repository, tmp_path, away, agent_command=command, checks=("mypy",), two_files=False)
    assert report.branch is None


async def test_what_is_packed_for_another_version_is_refused() -> None:
    with pytest.raises(FixError, match="can't read"):
        async with prepare_worker(b"{}\n"):
            pass


async def test_workers_side_by_side_share_a_base_and_no_workspace(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": UNUSED})
    away = Elsewhere(apart)
    await fix(repository, tmp_path, away)
    async with prepare_worker(away.sent[0]) as first, prepare_worker(away.sent[0]) as second:
        one, two = first.bench, second.bench
        assert one is not None
        assert two is not None
        assert one.repository.root == two.repository.root
        async with one.pool.lease(one.brief.base) as mine, two.pool.lease(two.brief.base) as yours:
            assert mine.root != yours.root
