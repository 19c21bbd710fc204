"""What git costs a file in a large repository: worktrees and GitPython beside pooled directories and overlays.

    python benchmarks/landing_git.py [--files 20000] [--rounds 12] [--only SECTION] [--on DIRECTORY] [--docs] [--again]

`files` takes one file all the way in each round and by each way, alternating: lease, edit, capture, land, return. The
document's way is that of Stomper's guide, with what it takes to land at all: `worktree add -b`, `diff`, `apply` in the
main checkout, commit, `worktree remove`, `branch -D`, with GitPython where the guide has it. `lock` compares how long
the result is locked for one change: inside `ResultBranch.land`, with `git apply --index` and `git commit`, and with
GitPython. `run` is the product itself, `fanfold.fix.run` with an agent that takes 10 ms for a file: overhead a task is
the run's wall time beyond `tasks x 10 ms / jobs`, over the tasks; the census of the base and of the result is in it.

All of it is on a disk (a folder in memory is refused), in a repository that is generated the same each time. Needs
GitPython, and the right to mount for the overlays. Prints Markdown, keeps every sample in
benchmarks/results/landing_git.json, with --docs puts the tables into docs/benchmarks.md. Exits 1 where a floor is
missed, 2 where it can't be measured here.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib.util
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fanfold.config import FixSettings
from fanfold.fix.findings.plan import Request
from fanfold.fix.run import run
from fanfold.git import Change, Repository, ResultBranch, WorkspacePool, allow_overlays
from fanfold.git.pool import WorkspaceKind
from fanfold.testing.agents import ScriptedAgent, Sleep

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs" / "benchmarks.md"
MARKS = "<!-- landing_git: begin -->", "<!-- landing_git: end -->"
SECTIONS = ("files", "lock", "run")
AGENT_S, FLAT_MB, BATCH = 0.010, 16.0, 8
UNUSED = "import os\n"

Samples = dict[str, list[float]]
Results = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Measure, tell, keep; 1 where a floor is missed, 2 where it can't be measured here."""
    options = _options(argv)
    if options.child:
        print(json.dumps(_child(json.loads(options.child))))
        return 0
    kept = options.out / "landing_git.json"
    if options.again:
        results: Results = json.loads(kept.read_text())
    elif reason := _impossible(options.on):
        print(f"error: {reason}", file=sys.stderr)
        return 2
    else:
        results = _measured(options)
        options.out.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(results, indent=1) + "\n")
    told, holds = _told(results)
    print(told)
    if options.docs:
        before, _, rest = DOCS.read_text().partition(MARKS[0])
        DOCS.write_text(
            f"{before.rstrip()}\n\n{MARKS[0]}\n\n{told}\n{MARKS[1]}{rest.partition(MARKS[1])[2] or chr(10)}"
        )
    return 0 if holds else 1


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000, help="files in the repository")
    parser.add_argument("--rounds", type=int, default=12, help="files taken all the way by each way")
    parser.add_argument("--landings", type=int, default=500, help="changes landed in a row; the slow ways land 20")
    parser.add_argument("--tasks", type=int, nargs="+", default=[100, 1_000], help="tasks of the product's runs")
    parser.add_argument("--jobs", type=int, default=4, help="attempts at once in the product's runs")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="measure this section; may be repeated")
    parser.add_argument("--on", type=Path, default=HERE / ".cache", help="a folder on a disk")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--again", action="store_true", help="measure nothing: tell the kept results again")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="where results are kept")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _impossible(on: Path) -> str:
    if importlib.util.find_spec("gitdb") is None:
        return "GitPython is not installed: pip install GitPython"
    on.mkdir(parents=True, exist_ok=True)
    if (kind := _file_system(on)) in {"tmpfs", "ramfs", "overlay"}:
        return f"{on} is on {kind}, not on a disk: name another folder with --on"
    return ""


def _file_system(path: Path) -> str:
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    inside = [(len(at), kind) for _, at, kind, *_ in mounts if path.resolve().is_relative_to(at)]
    return max(inside)[1]


def _measured(options: argparse.Namespace) -> Results:
    began_s = time.monotonic()
    refused = allow_overlays(options.on.resolve())
    results: Results = {
        "notes": {
            "machine": f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, {_file_system(options.on)}",
            "git": git(HERE, "version").split()[-1],
            "files": options.files,
            "overlays": refused or "yes",
        }
    }
    with tempfile.TemporaryDirectory(dir=options.on, prefix="landing-") as name:
        root = generate(Path(name) / "repository", options.files, max(options.tasks))
        _tell(f"generated in {time.monotonic() - began_s:.0f} s")
        kinds: list[WorkspaceKind] = ["plain"] if refused else ["plain", "overlay"]
        for section, measure in {"files": _files, "lock": _lock, "run": _run}.items():
            if section in (options.only or SECTIONS):
                results[section] = measure(root, kinds, options)
    results["notes"]["took"] = f"{time.monotonic() - began_s:.0f} s"
    return results


def generate(root: Path, files: int, broken: int) -> Path:
    """A repository of Python files three to five folders deep, 32 to a folder; the first ones with a finding."""
    chance = random.Random(files)
    for number in range(files):
        unit = number // 32
        above = (f"area{unit // 48}", f"part{unit // 8 % 6}", f"piece{unit // 4 % 2}")[: 1 + unit % 3]
        folder = root.joinpath("src", *above, f"unit{unit}")
        folder.mkdir(parents=True, exist_ok=True)
        lines = min(2_000, int(chance.lognormvariate(4, 0.9)))
        text = "".join(f"value_{n} = {chance.random()}\n" for n in range(lines))
        (folder / f"module{number}.py").write_text((UNUSED if number < broken else "") + text)
    (root / "pyproject.toml").write_text("[tool.ruff]\n")
    git(root, "init", "-q", "-b", "main")
    for key, value in {"user.name": "Ada", "user.email": "ada@example.com", "gc.auto": "0"}.items():
        git(root, "config", key, value)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "base")
    git(root, "gc", "-q")
    return root


def _files(root: Path, kinds: list[WorkspaceKind], options: argparse.Namespace) -> Samples:
    """One file all the way, by each way in turn; the first round of each makes what later ones use again."""
    document = _copy(root, "document")
    paths = _some(root, options.rounds + 1)
    with asyncio.Runner() as runner:
        ways: dict[str, Callable[[str], None]] = {"document": lambda path: _by_document(document, path)}
        closing: list[Callable[[], None]] = []
        for kind in kinds:
            ways[kind], close = _by_fanfold(runner, root, kind)
            closing.append(close)
        found: Samples = {name: [] for name in ways}
        for path in paths:
            for name, way in ways.items():
                found[name].append(_timed(lambda way=way, path=path: way(path)))  # type: ignore[misc]
            _tell(", ".join(f"{name} {1000 * took[-1]:.1f} ms" for name, took in found.items()))
        for close in closing:
            close()
    return found


@functools.cache
def _gitpython() -> Any:
    """GitPython's `Repo`: its package has the name of a benchmark that stands beside this one."""
    beside, sys.path[:] = list(sys.path), [place for place in sys.path if Path(place).resolve() != HERE]
    try:
        return importlib.import_module("git").Repo
    finally:
        sys.path[:] = beside


def _by_document(root: Path, path: str) -> None:
    tree = root.parent / "worktree"
    repository = _gitpython()(root)
    repository.git.worktree("add", "-b", "sandbox", str(tree), "HEAD")
    _edit(tree / path)
    diff = _gitpython()(tree).git.diff("HEAD")
    _gitpython_lands(root, path, diff)
    repository.git.worktree("remove", "--force", str(tree))
    repository.git.branch("-D", "sandbox")


def _gitpython_lands(root: Path, path: str, diff: str) -> None:
    main_repository = _gitpython()(root)
    with tempfile.NamedTemporaryFile("w", suffix=".patch") as file:
        file.write(f"{diff}\n")  # GitPython strips the last line break, which a patch needs
        file.flush()
        main_repository.git.apply(file.name)
    main_repository.index.add([path])
    main_repository.index.commit(f"fix(quality): {Path(path).name}")


def _by_fanfold(
    runner: asyncio.Runner, root: Path, kind: WorkspaceKind
) -> tuple[Callable[[str], None], Callable[[], None]]:
    repository = runner.run(Repository.open(root))
    pool = WorkspacePool(repository, home=root.parent / f"home-{kind}", kind=kind)
    branch = ResultBranch(repository, repository.head, f"fanfold/files-{kind}")

    async def enter() -> None:
        await pool.__aenter__()
        await branch.__aenter__()

    async def way(path: str) -> None:
        await branch.land(await _leased(pool, path), "fix")

    async def leave() -> None:
        await branch.__aexit__(None, None, None)
        await pool.__aexit__(None, None, None)

    runner.run(enter())
    return lambda path: runner.run(way(path)), lambda: runner.run(leave())


async def _leased(pool: WorkspacePool, path: str) -> Change:
    async with pool.lease(pool.repository.head) as workspace:
        _edit(workspace.root / path)
        return await workspace.capture()


def _lock(root: Path, kinds: list[WorkspaceKind], options: argparse.Namespace) -> Samples:
    """How long the result is locked for one change, and the landings one after another."""
    few = min(20, options.landings)
    paths = _some(root, options.landings)
    applying, gitpython = _copy(root, "applying"), _copy(root, "gitpython")
    with asyncio.Runner() as runner:
        repository = runner.run(Repository.open(root))
        changes = runner.run(_changes(repository, root, paths, kinds[-1]))
        patches = [runner.run(repository.patch(change.base, change.tree)) for change in changes[:few]]
        branch = ResultBranch(repository, repository.head, "fanfold/lock")
        runner.run(branch.__aenter__())
        found: Samples = {"land": [], "apply": [], "gitpython": []}
        for number, change in enumerate(changes):
            found["land"].append(_timed(lambda change=change: runner.run(branch.land(change, "fix"))))  # type: ignore[misc]
            if number < few:
                patch, path = patches[number], paths[number]
                found["apply"].append(_timed(lambda patch=patch: _applied(applying, patch)))  # type: ignore[misc]
                text = patch.decode().removesuffix("\n")
                found["gitpython"].append(_timed(lambda path=path, text=text: _gitpython_lands(gitpython, path, text)))  # type: ignore[misc]
        runner.run(branch.__aexit__(None, None, None))
        found["one by one"] = [runner.run(_landed(repository, changes, 1))]
        found["in batches"] = [runner.run(_landed(repository, changes, BATCH))]
        _tell(f"landed {len(changes)} in {found['one by one'][0]:.2f} s, in batches {found['in batches'][0]:.2f} s")
    return found


async def _landed(repository: Repository, changes: list[Change], at_once: int) -> float:
    """Seconds for landing all of the changes on a branch of its own, so many with each move of the branch."""
    began_s = time.perf_counter()
    async with ResultBranch(repository, repository.head, f"fanfold/by-{at_once}") as branch:
        for start in range(0, len(changes), at_once):
            await branch.publish([(change, "fix") for change in changes[start : start + at_once]])
    return time.perf_counter() - began_s


async def _changes(repository: Repository, root: Path, paths: list[str], kind: WorkspaceKind) -> list[Change]:
    async with WorkspacePool(repository, home=root.parent / f"home-{kind}", kind=kind) as pool:
        return [await _leased(pool, path) for path in paths]


def _applied(root: Path, patch: bytes) -> None:
    git(root, "apply", "--index", "-", stdin=patch)
    git(root, "commit", "-q", "-m", "fix")


def _run(root: Path, kinds: list[WorkspaceKind], options: argparse.Namespace) -> list[dict[str, Any]]:
    """The product's runs, each in a process of its own."""
    found = []
    for kind in kinds:
        for tasks in sorted(options.tasks):
            asked = {"root": str(root), "kind": kind, "tasks": tasks, "jobs": options.jobs}
            command = [sys.executable, __file__, "--child", json.dumps(asked)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            found.append(asked | json.loads(done.stdout.splitlines()[-1]))
            _tell(f"run: {found[-1]}")
    return found


def _child(asked: dict[str, Any]) -> dict[str, Any]:
    root = Path(asked["root"])
    home = root.parent / f"home-{asked['kind']}"
    if asked["kind"] == "overlay":
        allow_overlays(home)
    settings = FixSettings(
        jobs=asked["jobs"],
        max_files=asked["tasks"],
        checks=("ruff",),
        tests="none",
        runtime="native",
        workspaces=home,
        workspace_kind=asked["kind"],
        state=root.parent / "state",
    )
    agent = ScriptedAgent(otherwise=(Sleep(AGENT_S), _remove_unused))
    agent.asked = _Forgets()  # what a test remembers isn't the product's memory
    began_s = time.perf_counter()
    report = asyncio.run(run(Request(root, settings), agent=agent))
    wall_s = time.perf_counter() - began_s
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "landed": len(report.landed),
        "workspaces": report.workspaces,
        "wall_s": wall_s,
        "cpu_s": sum(used.ru_utime + used.ru_stime for used in (own, children)),
        "peak_mb": _peak_mb(),
    }


def _peak_mb() -> float:
    """The most memory that this program has held; what `getrusage` tells begins with that of whoever started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


class _Forgets(list[Any]):
    def append(self, _: Any) -> None:
        """Remember nothing."""


def _remove_unused(assignment: Any) -> None:
    path = assignment.root / assignment.path
    path.write_text(path.read_text().removeprefix(UNUSED))


def _told(results: Results) -> tuple[str, bool]:
    lines = [f"- {name}: {value}" for name, value in results["notes"].items()]
    floors: list[tuple[str, float, str, bool]] = []
    if "files" in results:
        lines += ["", *_told_files(results["files"], floors)]
    if "lock" in results:
        lines += ["", *_told_lock(results["lock"], floors)]
    if "run" in results:
        lines += ["", *_told_run(results["run"], floors)]
    lines += ["", "| figure | measured | bound |  |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {name} | {value:,.1f} | {bound} | {'holds' if ok else '**missed**'} |" for name, value, bound, ok in floors
    ]
    return "\n".join(lines) + "\n", all(ok for *_, ok in floors)


def _told_files(found: Samples, floors: list[tuple[str, float, str, bool]]) -> list[str]:
    later = {name: took[1:] for name, took in found.items()}
    lines = ["| way | ms a file, median | least | most | the first one |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, took in later.items():
        figures = (statistics.median(took), min(took), max(took), found[name][0])
        lines.append(f"| {name} | {' | '.join(f'{1000 * each:,.1f}' for each in figures)} |")
    for name, least in {"plain": 15, "overlay": 50}.items():
        if name in later:
            ratio = statistics.median(later["document"]) / statistics.median(later[name])
            floors.append((f"document / {name}, a file all the way, times", ratio, f"at least {least}", ratio >= least))
    return lines


def _told_lock(found: Samples, floors: list[tuple[str, float, str, bool]]) -> list[str]:
    names = {"land": "`ResultBranch.land`", "apply": "`git apply --index`, `git commit`", "gitpython": "GitPython"}
    lines = ["| the result is locked by | ms a change, median | changes |", "| --- | ---: | ---: |"]
    for key, name in names.items():
        lines.append(f"| {name} | {1000 * statistics.median(found[key]):,.1f} | {len(found[key])} |")
    for key, least in {"apply": 8, "gitpython": 100}.items():
        ratio = statistics.median(found[key]) / statistics.median(found["land"])
        floors.append((f"{names[key]} / `ResultBranch.land`, times", ratio, f"at least {least}", ratio >= least))
    for how, least in {"one by one": 0, "in batches": 50}.items():  # the queue lands in batches
        rate = len(found["land"]) / found[how][0]
        many = f" of {BATCH}" if how == "in batches" else ""
        floors.append((f"landings a second without tests, {how}{many}", rate, f"at least {least}", rate >= least))
    return lines


def _told_run(found: list[dict[str, Any]], floors: list[tuple[str, float, str, bool]]) -> list[str]:
    lines = [
        "| run | tasks | landed | wall s | CPU s | overhead ms a task | peak memory, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in found:
        overhead_ms = 1000 * (each["wall_s"] / each["tasks"] - AGENT_S / each["jobs"])
        lines.append(
            f"| {each['workspaces']} | {each['tasks']:,} | {each['landed']:,} | {each['wall_s']:.1f} "
            f"| {each['cpu_s']:.1f} | {overhead_ms:.1f} | {each['peak_mb']:.0f} |"
        )
        if each["kind"] == "overlay" and each["tasks"] >= 1_000:
            floors.append(("overhead a task with overlays, ms", overhead_ms, "under 60", overhead_ms < 60))
    by_kind = {each["kind"]: [one for one in found if one["kind"] == each["kind"]] for each in found}
    for kind, runs in by_kind.items():
        if len(runs) > 1:
            more = runs[-1]["peak_mb"] - runs[0]["peak_mb"]
            name = f"memory at {runs[-1]['tasks']:,} tasks beyond {runs[0]['tasks']:,}, {kind}, MB"
            floors.append((name, more, f"under {FLAT_MB:g}", more < FLAT_MB))
    if any(each["landed"] != each["tasks"] for each in found):
        floors.append(("runs in which not every task landed", 1, "none", False))
    return lines


def _copy(root: Path, name: str) -> Path:
    copy = root.parent / name
    shutil.copytree(root, copy, symlinks=True)
    git(copy, "status")  # the copies' times go into its index before anything is measured
    return copy


def _some(root: Path, count: int) -> list[str]:
    return random.Random(0).sample(sorted(git(root, "ls-files", "src").splitlines()), count)


def _edit(path: Path) -> None:
    path.write_text(path.read_text() + "edited = True\n")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def git(root: Path, *args: str, stdin: bytes = b"") -> str:
    """Run git as a user would, without the user's configuration."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *args], cwd=root, input=stdin, env=env, capture_output=True, check=True)
    return done.stdout.decode()


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
