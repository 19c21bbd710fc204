"""`fanfold fix` on real older packages, beside ruff's own fixes, recounted independently.

    python benchmarks/fix.py [--only NAME] [--rules default|ALL] [--section plain|tests|agents]

Three sections, each in one run with what it is compared with:

- plain: every package, default rules and ALL, without tests. The checkout is dirty, has staged and untracked files,
  and is compared byte by byte before and after. What is left is counted by ruff alone on a copy of the result.
- tests: packages whose suite runs here, ruff's unsafe fixes over the whole repository beside ours.
- agents: eight files, agents that each wait five seconds, four at once.

Raw numbers go to benchmarks/results/fix.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import packages
from fanfold.testing.fingerprint import fingerprint

RESULTS = Path(__file__).parent / "results"
PLAIN = ("requests", "flask", "paramiko", "boltons", "click", "jinja2", "ansible")
TESTED = ("boltons", "click")
Counts = Counter[tuple[str, str]]


@dataclass
class Row:
    """One package under one set of rules."""

    package: str
    rules: str
    files: int = 0
    before: int = 0
    ruff_leaves: int = 0
    ruff_s: float = 0.0
    ours_leaves: int = 0
    ours_s: float = 0.0
    refused: int = 0
    commits: int = 0
    new_by_us: int = 0
    new_by_recount: int = 0
    broken_commits: int = 0
    untouched: bool = False
    tests_before: int | None = None
    tests_lost_ruff: int | None = None
    tests_lost_ours: int | None = None
    taken_out: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """The floors that this row has to hold."""
        if self.tests_before is None:
            enough = self.ours_leaves <= self.ruff_leaves + self.refused
        else:
            enough = self.ours_leaves <= 1.1 * self.ruff_leaves + self.refused and self.tests_lost_ours == 0
        clean = not (self.new_by_us or self.new_by_recount or self.broken_commits)
        return enough and clean and self.untouched


def main() -> int:
    """Run the sections asked for, print their tables, keep the raw numbers; 1 where a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=sorted(packages.PACKAGES))
    parser.add_argument("--rules", action="append", choices=("default", "ALL"))
    parser.add_argument("--section", action="append", choices=("plain", "tests", "agents"))
    asked = parser.parse_args()
    sections = asked.section or ["plain", "tests", "agents"]
    rows: list[Row] = []
    raw: dict[str, Any] = {}
    if "plain" in sections:
        chosen = [(name, rules) for name in asked.only or PLAIN for rules in asked.rules or ("default", "ALL")]
        rows += _table("without tests", (_plain(name, rules) for name, rules in chosen))
    if "tests" in sections:
        chosen = [
            (name, rules)
            for name in asked.only or TESTED
            if packages.PACKAGES[name].tests
            for rules in asked.rules or ("default", "ALL")
        ]
        rows += _table("with the package's own tests", (_with_tests(name, rules) for name, rules in chosen))
    raw["rows"] = [asdict(row) for row in rows]
    good = all(row.good for row in rows)
    if "agents" in sections:
        raw["agents"] = _agents()
        good = good and raw["agents"]["good"]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "fix.json").write_text(json.dumps(raw, indent=1))
    print("\nall floors hold" if good else "\na floor is missed")
    return 0 if good else 1


def _table(title: str, rows: Iterator[Row]) -> list[Row]:
    print(f"\n## {title}\n")
    print(
        "| package | rules | files | before | ruff leaves | ours leaves | refused | commits | new (ours / recount) "
        "| uncompilable | checkout | tests lost (ruff / ours of) | ruff s | ours s | floor |"
    )
    print("|---" * 15 + "|")
    done = []
    for row in rows:
        lost = (
            "" if row.tests_before is None else f"{row.tests_lost_ruff} / {row.tests_lost_ours} of {row.tests_before}"
        )
        print(
            f"| {row.package} | {row.rules} | {row.files} | {row.before} | {row.ruff_leaves} | {row.ours_leaves} "
            f"| {row.refused} | {row.commits} | {row.new_by_us} / {row.new_by_recount} | {row.broken_commits} "
            f"| {'same' if row.untouched else 'TOUCHED'} | {lost} | {row.ruff_s:.1f} | {row.ours_s:.1f} "
            f"| {'holds' if row.good else 'MISSED'} |",
            flush=True,
        )
        done.append(row)
    return done


def _plain(name: str, rules: str) -> Row:
    with tempfile.TemporaryDirectory(prefix="bench-fix-") as folder:
        root = packages.fetch(name, Path(folder) / name)
        packages.make_repository(root)
        return _measure(Row(name, rules), root, Path(folder), ["--check", "ruff", "--tests", "none"], dict(os.environ))


def _with_tests(name: str, rules: str) -> Row:
    with tempfile.TemporaryDirectory(prefix="bench-fix-") as folder:
        root = packages.fetch(name, Path(folder) / name)
        packages.make_repository(root)
        venv = packages.environment(name)
        environment = os.environ | {"VIRTUAL_ENV": str(venv)}
        row = _measure(Row(name, rules), root, Path(folder), ["--check", "ruff", "--tests", "final"], environment)
        python, passed = venv / "bin" / "python", None
        for label, tree in (("base", "HEAD"), ("ruff", None), ("ours", _result_branch(root))):
            copy = (
                Path(folder) / "ruff" if tree is None else packages.export(root, tree, Path(folder) / f"suite-{label}")
            )
            outcome = packages.passing(python, copy)
            if passed is None:
                passed = outcome
                row.tests_before = len(passed)
            elif label == "ruff":
                row.tests_lost_ruff = len(passed - outcome)
            else:
                row.tests_lost_ours = len(passed - outcome)
        return row


def _measure(row: Row, root: Path, folder: Path, options: list[str], environment: dict[str, str]) -> Row:
    select = ["--extend-select", "ALL"] if row.rules == "ALL" else []
    copy = folder / "ruff"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".git"), symlinks=True)
    base = _recount(copy, select)
    row.before, row.files = sum(base.values()), len({path for path, _ in base})
    started = time.monotonic()
    fixing = [_ruff(), "check", "--no-cache", "--fix", "--unsafe-fixes", *select, "."]
    subprocess.run(fixing, cwd=copy, check=False, capture_output=True)
    row.ruff_s = time.monotonic() - started
    row.ruff_leaves = sum(_recount(copy, select).values())
    _make_dirty(root)
    before = fingerprint(root)
    started = time.monotonic()
    report = _fanfold(root, ["--jobs", "4", *(["--select", "ALL"] if select else []), *options], environment)
    row.ours_s = time.monotonic() - started
    row.untouched = fingerprint(root) == before
    _read_report(row, report)
    tip = _result_branch(root)
    after = _recount(packages.export(root, tip, folder / "result"), select)
    row.ours_leaves = sum(after.values())
    row.new_by_recount = sum((after - base).values())
    row.broken_commits = _broken_commits(root, tip)
    return row


def _read_report(row: Row, report: dict[str, Any]) -> None:
    row.statuses = dict(Counter(task["status"] for task in report["tasks"]))
    row.refusals = [refusal for task in report["tasks"] for refusal in task["refused"]]
    row.refused = len(row.refusals)
    row.taken_out = row.statuses.get("taken out", 0)
    row.new_by_us = len(report["new_findings"])
    row.commits = sum(task["commit"] is not None for task in report["tasks"])


def _fanfold(root: Path, options: list[str], environment: dict[str, str]) -> dict[str, Any]:
    argv = [sys.executable, "-m", "fanfold", "fix", "--quiet", "--output-format", "json", *options]
    done = subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"fanfold ended with {done.returncode}: {done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _make_dirty(root: Path) -> None:
    """A user in the middle of something: edited, staged and new files, a stash, a hook."""
    sources = sorted(path for path in root.rglob("*.py") if path.stat().st_size)
    for path, action in zip(sources, ("edit", "stage", "both"), strict=False):
        path.write_bytes(path.read_bytes() + b"\nimport antigravity\n")
        if action != "edit":
            packages.git(root, "add", "--", str(path))
        if action == "both":
            path.write_bytes(path.read_bytes() + b"# more\n")
    (root / "not added yet.py").write_text("import os\n")
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)


def _recount(root: Path, select: list[str]) -> Counts:
    """Findings by file and rule, counted by ruff alone."""
    argv = [_ruff(), "check", "--no-cache", "--output-format", "json", *select, "."]
    found = json.loads(subprocess.run(argv, cwd=root, capture_output=True, check=False).stdout)
    real = root.resolve()
    return Counter((os.path.relpath(one["filename"], real), one["code"] or "invalid-syntax") for one in found)


def _result_branch(root: Path) -> str:
    names = packages.git(root, "for-each-ref", "--format=%(refname)", "refs/heads/fanfold/").split()
    return names[0] if names else "HEAD"


def _broken_commits(root: Path, tip: str) -> int:
    """Commits of which a Python file compiled before and does not after."""
    return sum(_breaks(root, commit) for commit in packages.git(root, "rev-list", f"HEAD..{tip}").split())


def _breaks(root: Path, commit: str) -> bool:
    names = packages.git(root, "diff-tree", "-r", "--name-only", "-z", commit, f"{commit}^").split("\0")
    return any(not _compiles(root, f"{commit}:{name}") for name in names if name.endswith(".py"))


def _compiles(root: Path, blob: str) -> bool:
    source = subprocess.run(["git", "cat-file", "blob", blob], cwd=root, capture_output=True, check=True).stdout
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, blob, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _agents() -> dict[str, Any]:
    """Eight files, one agent process of five seconds each; one at a time would take forty."""
    with tempfile.TemporaryDirectory(prefix="bench-fix-") as folder:
        root = Path(folder) / "eight"
        root.mkdir()
        for number in range(8):
            (root / f"module_{number}.py").write_text("import os\nimport sys\n\nprint(sys.argv)\n")
        packages.make_repository(root)
        log = Path(folder) / "overlap.log"
        agent = f"{sys.executable} -m fanfold.testing.waiting_agent --wait 5 --log {log} {{file}}"
        options = ["--jobs", "4", "--sandbox", "none", "--agent", "command", "--agent-command", agent]
        started = time.monotonic()
        report = _fanfold(root, options, dict(os.environ))
        wall_s = time.monotonic() - started
        peak = _peak(log)
        fixed = sum(task["status"] == "fixed" for task in report["tasks"])
    good = wall_s <= 12 and peak == 4 and fixed == 8
    print("\n## agents that wait 5 s, 8 files, 4 at once\n")
    print("| files fixed | peak overlap | wall s | one after another s | speed-up | floor |\n|---|---|---|---|---|---|")
    print(f"| {fixed} | {peak} | {wall_s:.2f} | 40.00 | {40 / wall_s:.2f} | {'holds' if good else 'MISSED'} |")
    return {"wall_s": wall_s, "peak": peak, "fixed": fixed, "good": good}


def _peak(log: Path) -> int:
    """The most agents at work at once, from the beginnings and ends that they noted themselves."""
    running = peak = 0
    for _, step in sorted(
        (float(at), int(step)) for at, step in (line.split() for line in log.read_text().splitlines())
    ):
        running += step
        peak = max(peak, running)
    return peak


def _ruff() -> str:
    return str(Path(sys.executable).with_name("ruff"))


if __name__ == "__main__":
    sys.exit(main())
