"""Real runs, really killed at any instant: `--resume` comes to the same, pays nobody twice, leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine.journal import STEPS
from fanfold.git import clean
from fanfold.testing.fingerprint import fingerprint
from fanfold.testing.repositories import make_repository

MORTAL = Path(__file__).parent / "mortal.py"
KILLED = -9
PYTHON = f"{sys.executable} -S -E"
MARK = "XDG_MARK_OF_THIS_TEST"
SUITE = """\
import pathlib, sys
sys.exit("\\n\\n\\n" in pathlib.Path("f2.py").read_text())
"""
BAD = "import os\nimport sys\n\nprint(sys.argv, {number})\n"
FILES = {
    "pyproject.toml": "[tool.ruff]\n",
    "check.txt": SUITE,
    **{f"f{number}.py": BAD.format(number=number) for number in range(3)},
    "pkg/f0.py": BAD.format(number=9),
}
BROKEN = tuple(name for name in FILES if name.endswith(".py"))
AGENT = """\
import os, pathlib, sys, time
told = sys.stdin.read()
if not told:  # who started this was killed before it could say anything
    sys.exit(1)
again = "was taken out" in told
paid = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(paid, (sys.argv[1] + (":again" if again else "") + "\\n").encode())
time.sleep(0.02)
path = pathlib.Path(sys.argv[1])
text = path.read_text().replace("import os\\n", "")
path.write_text(text if again or sys.argv[3] == "good" else text + "\\n\\n")
"""


@dataclass
class Mortals:
    """Starts processes of `fanfold` that may be killed."""

    folder: Path
    process: subprocess.Popen[str]
    mark: str

    @property
    def environment(self) -> dict[str, str]:
        """What they see beside the tests' own."""
        return {MARK: self.mark, "GIT_CONFIG_GLOBAL": os.devnull}

    def run(
        self,
        where: Path,
        state: Path,
        *args: str,
        kill_after_s: float | None = None,
        step: tuple[str, int] | None = None,
        counted: Path | None = None,
    ) -> tuple[int, str]:
        """How the process ended, and what it said."""
        said = self.folder / "said"
        told = {
            "args": list(args),
            "cwd": str(where),
            "environment": {**os.environ, **self.environment, "FANFOLD_FIX_STATE": str(state)},
            "out": str(said),
            "err": str(said),
            "kill_after_s": kill_after_s,
            "step": step,
            "counted": str(counted) if counted else None,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        self.process.stdout.readline()  # its id
        return int(self.process.stdout.readline()), said.read_text(errors="replace")


@pytest.fixture(scope="module")
def mortals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortals]:
    folder, mark = tmp_path_factory.mktemp("mortals"), secrets.token_hex(12)
    with subprocess.Popen(
        [sys.executable, str(MORTAL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: mark},
    ) as process:
        yield Mortals(folder, process, mark)
        assert process.stdin is not None
        process.stdin.close()


@dataclass
class Case:
    """A repository of its own, with a place for everything, and what has happened to it."""

    root: Path
    mortals: Mortals
    options: tuple[str, ...] = ()
    careless: bool = False
    kills: int = 0
    before: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.user = make_repository(self.root / "user", FILES)
        (self.root / "agent.py").write_text(AGENT)
        self.before = fingerprint(self.user.root)

    @property
    def paid(self) -> list[str]:
        """The files that the agent was paid for, in order; with `:again` for a second attempt after landing."""
        log = self.root / "paid"
        return log.read_text().split() if log.exists() else []

    def fix(self, *more: str, **how: Any) -> tuple[int, str]:
        """`fanfold fix` as it begins, or with `--resume`."""
        manner = "careless" if self.careless else "good"
        agent = f"{PYTHON} {self.root / 'agent.py'} {{file}} {self.root / 'paid'} {manner}"
        tests = ("--tests", "batch", "--test-command", f"{PYTHON} check.txt") if self.careless else ("--tests", "none")
        asked = ("--check", "ruff", "--agent-command", agent, "--sandbox", "none", *tests, *self.options)
        begun = () if "--resume" in more else asked
        args = ("--workspaces", str(self.root / "home"), "--runtime", "native", "--output-format", "json", *begun)
        code, said = self.mortals.run(self.user.root, self.root / "state", "fix", *args, *more, **how)
        self.kills += code == KILLED
        return code, said

    def journals(self) -> list[Path]:
        return sorted((self.root / "state").rglob("journal.sqlite"))

    def committed(self) -> set[str]:
        """The files whose outcome is in the journal, as `paid` has them."""
        rows = self._read("SELECT path, function FROM outcome WHERE value IS NOT NULL")
        return {json.loads(path)[-1] + (":again" if "again" in function else "") for path, function in rows}

    def notes(self, kind: str) -> int:
        """How many notes of that kind there are."""
        return len(self._read(f"SELECT value FROM note WHERE kind = '{kind}'"))

    def _read(self, query: str) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        for journal in self.journals():
            with closing(sqlite3.connect(journal)) as connection:
                try:
                    found += connection.execute(query).fetchall()
                except sqlite3.OperationalError as error:
                    if "no such table" not in str(error):  # killed while it was made
                        raise
        return found

    def finish(self, *, at_times: Callable[[], dict[str, Any]] = dict) -> None:
        """Resume until it has come to its end; each time, who has been paid for what counts isn't paid again."""
        while not self.notes("settled"):
            committed, paid = self.committed(), len(self.paid)
            more = ("--resume",) if self.notes("run") else ()
            code, said = self.fix(*more, **at_times())
            assert code in (0, KILLED), said
            again = committed & set(self.paid[paid:])
            assert not again, f"paid again: {again}"

    def result(self) -> str:
        """The tree of the result branch."""
        names = self.user.git("for-each-ref", "--format=%(refname)", "refs/heads/fanfold").split()
        assert len(names) == 1, names
        return self.user.git("rev-parse", f"{names[0]}^{{tree}}").strip()

    def check(self, same: Undisturbed) -> None:
        """It came to the same, and nothing else is left."""
        tree, commits = same.tree, same.commits
        assert self.result() == tree
        assert self.user.git("for-each-ref", "refs/fanfold") == ""
        [name] = self.user.git("for-each-ref", "--format=%(refname)", "refs/heads/fanfold").split()
        assert len(self.user.git("rev-list", f"main..{name}").split()) == commits or "--apply" in self.options
        if "--apply" in self.options:
            assert self.user.git("rev-parse", "HEAD^{tree}").strip() == tree
            assert self.user.git("status", "--porcelain") == ""
        else:
            assert fingerprint(self.user.root) == self.before
        assert self.user.git("fsck", "--strict", "--no-dangling") == ""
        cleaned = asyncio.run(clean(self.root / "home"))
        assert not cleaned.in_use
        wait_for_no_process(self.mortals)


def wait_for_no_process(mortals: Mortals) -> None:
    """Agents that outlive a killed run end by themselves; nothing else may be there after a moment."""
    for _ in range(200):
        if not marked(mortals):
            return
        time.sleep(0.02)
    raise AssertionError(f"processes are left: {marked(mortals)}")


def marked(mortals: Mortals) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mortals.mark}".encode() in (folder / "environ").read_bytes():
                found.append(f"{folder.name} {(folder / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return [each for each in found if not each.startswith(f"{mortals.process.pid} ")]


@dataclass(frozen=True)
class Undisturbed:
    """What a run comes to that nobody kills: its tree, commits, seconds, and how often it reached each step."""

    tree: str
    commits: int
    took_s: float
    steps: Counter[str]
    careless: bool


@pytest.fixture(scope="module")
def undisturbed(mortals: Mortals, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return left_alone(mortals, tmp_path_factory.mktemp("undisturbed"), careless=False)


@pytest.fixture(scope="module")
def careless(mortals: Mortals, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return left_alone(mortals, tmp_path_factory.mktemp("careless"), careless=True)


def left_alone(mortals: Mortals, folder: Path, *, careless: bool) -> Undisturbed:
    case, counted = Case(folder / "case", mortals, careless=careless), folder / "counted"
    started_s = time.monotonic()
    code, said = case.fix(counted=counted)
    took_s = time.monotonic() - started_s
    assert code == 0, said
    again = ["f2.py:again"] if careless else []
    assert sorted(case.paid) == sorted([*BROKEN, *again])
    same = Undisturbed(case.result(), len(BROKEN), took_s, Counter(json.loads(counted.read_text())), careless)
    case.check(same)
    return same


@dataclass(frozen=True)
class Applied:
    """A case whose result is in the user's branch, which `afresh` makes anew where it was."""

    case: Case
    run: str
    head: str
    kept: Path

    def afresh(self) -> Case:
        shutil.rmtree(self.case.root)
        shutil.copytree(self.kept, self.case.root, symlinks=True)
        return self.case


@pytest.fixture(scope="module")
def applied(mortals: Mortals, tmp_path_factory: pytest.TempPathFactory) -> Applied:
    folder = tmp_path_factory.mktemp("applied")
    case = Case(folder / "case", mortals, options=("--apply",))
    head = case.user.git("rev-parse", "HEAD^{tree}")
    code, said = case.fix()
    assert code == 0, said
    (journal,) = case.journals()
    shutil.copytree(case.root, folder / "kept", symlinks=True)
    return Applied(case, journal.parent.name, head, folder / "kept")


@pytest.mark.parametrize(
    "step", [("taken", 1), ("inserted", 1), ("committed", 1), ("inserted", 2), ("committed", 2), ("closing", 1)]
)
def test_undo_that_is_killed_reverts_once(mortals: Mortals, applied: Applied, step: tuple[str, int]) -> None:
    """Its first note comes before the checkout is written, its second when all of it is done."""
    case = applied.afresh()
    code, said = mortals.run(case.user.root, case.root / "state", "undo", applied.run, step=step)
    assert code == KILLED, said
    code, said = mortals.run(case.user.root, case.root / "state", "undo", applied.run)
    assert code == 0, said
    assert case.user.git("rev-parse", "HEAD^{tree}") == applied.head
    assert case.user.git("status", "--porcelain") == ""
    assert len(case.user.git("rev-list", "HEAD").split()) == 1 + 2 * len(BROKEN)
    assert case.user.git("for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]


def killed(case: Case, undisturbed: Undisturbed, how: dict[str, Any], *, gc: bool) -> None:
    """Kill a run once, let git throw away what nothing names, and finish it."""
    code, said = case.fix(**how)
    assert code in (0, KILLED), said
    if gc:
        case.user.git("gc", "-q", "--prune=now")
        case.before = fingerprint(case.user.root)
    case.finish()
    case.check(undisturbed)


STEP_KILLS = 8
RANDOM_KILLS = 6
CARELESS_KILLS = 4


def steps_of(undisturbed: Undisturbed) -> list[tuple[str, int]]:
    """Every time that an undisturbed run reaches a step of its journal."""
    return [(step, time) for step in STEPS for time in range(1, undisturbed.steps[step] + 1)]


def test_run_that_is_killed_at_a_journaled_step_comes_to_the_same(
    mortals: Mortals, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    steps = steps_of(undisturbed)
    assert len(steps) > STEP_KILLS
    killed_at_steps(mortals, undisturbed, tmp_path, random.Random(1).sample(steps, STEP_KILLS))


@pytest.mark.soak
def test_run_that_is_killed_at_every_journaled_step_comes_to_the_same(
    mortals: Mortals, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    killed_at_steps(mortals, undisturbed, tmp_path, steps_of(undisturbed))


def killed_at_steps(
    mortals: Mortals,
    undisturbed: Undisturbed,
    tmp_path: Path,
    steps: list[tuple[str, int]],
    *,
    wanted: int | None = None,
) -> None:
    """Kill a run at each of the steps, or until so many were killed: not every run comes to the same steps."""
    kills = 0
    for number, step in enumerate(steps):
        if kills == wanted:
            return
        options = ("--apply",) if number % 5 == 4 else ()
        case = Case(tmp_path / str(number), mortals, options=options, careless=undisturbed.careless)
        killed(case, undisturbed, {"step": step}, gc=number % 3 == 0 and number % 5 != 4)
        kills += case.kills
        shutil.rmtree(case.root)
    assert kills > len(steps) // 2 if wanted is None else kills == wanted


def test_run_that_is_killed_at_any_instant_comes_to_the_same(
    mortals: Mortals, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    assert killed_at_random(mortals, undisturbed, tmp_path, RANDOM_KILLS, random.Random(7)) >= RANDOM_KILLS


def test_second_attempts_are_not_paid_twice_either(mortals: Mortals, careless: Undisturbed, tmp_path: Path) -> None:
    """One change breaks the suite, is sent back with the reason, and lands then."""
    assert killed_at_random(mortals, careless, tmp_path / "random", CARELESS_KILLS // 2, random.Random(8))
    steps = random.Random(9).sample(steps_of(careless)[-30:], 10)
    killed_at_steps(mortals, careless, tmp_path / "steps", steps, wanted=CARELESS_KILLS // 2)


@pytest.mark.soak
def test_second_attempts_are_not_paid_twice_wherever_the_run_is_killed(
    mortals: Mortals, careless: Undisturbed, tmp_path: Path
) -> None:
    killed_at_steps(mortals, careless, tmp_path / "steps", steps_of(careless))
    assert killed_at_random(mortals, careless, tmp_path / "random", 100, random.Random(secrets.randbits(32)))


@pytest.mark.soak
def test_runs_that_are_killed_five_hundred_times_come_to_the_same(
    mortals: Mortals, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    assert killed_at_random(mortals, undisturbed, tmp_path, 500, random.Random(secrets.randbits(32))) >= 500


def killed_at_random(
    mortals: Mortals, undisturbed: Undisturbed, tmp_path: Path, wanted: int, rng: random.Random
) -> int:
    """Kill runs and resumed runs until there were so many kills; how many there were."""
    kills = number = 0
    while kills < wanted:
        number += 1
        options = ("--apply",) if number % 4 == 0 else ()
        case = Case(tmp_path / str(number), mortals, options=options, careless=undisturbed.careless)
        left = rng.randint(1, 4)

        def dies(case: Case = case, left: int = left) -> dict[str, Any]:
            return {"kill_after_s": rng.uniform(0, undisturbed.took_s)} if case.kills < left else {}

        case.finish(at_times=dies)
        case.check(undisturbed)
        kills += case.kills
        shutil.rmtree(case.root)
    return kills
