"""Judge a change: something fixed, nothing added, nothing broken, nothing silenced."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fanfold.agents.protocol import Verdict
from fanfold.fix import gates
from fanfold.fix.checkers.protocol import Checked, Checker, Scope
from fanfold.fix.checkers.run import run_checkers
from fanfold.fix.compare import Comparison, compare
from fanfold.fix.finding import Finding
from fanfold.fix.project import Project
from fanfold.fix.split import Task
from fanfold.git import Change, FileDiff, Workspace
from fanfold.process import run

REGULAR = frozenset({"100644", "100755"})


@dataclass(frozen=True)
class Baseline:
    """What the checkers said of the base commit, and with which of them changes can be judged.

    A checker that could not check the base can't judge a change either: it is left out here and reported.
    """

    commit: str
    checkers: tuple[Checker, ...]
    findings: tuple[Finding, ...]
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def scope(self, workspace: Workspace, project: Project, paths: tuple[str, ...] | None = None) -> Scope:
        """What a checker is to look at in a workspace, None = everything."""
        return Scope(workspace.root, project, workspace.cache, paths, self.select, self.exclude)


@dataclass
class Verifier:
    """Verifies changes of one workspace at a time against the baseline; remembers what it has already judged.

    A verdict is remembered by the file's content: the last rung of an agent's ladder isn't checked twice.
    """

    baseline: Baseline
    project: Project
    _seen: dict[tuple[str, str], Verdict] = field(default_factory=dict)

    async def examine(self, workspace: Workspace, task: Task) -> tuple[Change, Verdict]:
        """Capture what the workspace holds and judge exactly that.

        What git ignores is removed first: a planted cache or configuration must not sway a checker.
        """
        await workspace.clean_ignored()
        change = await workspace.capture()
        reasons = _forbidden(change, task)
        if reasons:
            return change, Verdict(ok=False, reasons=reasons, left=len(task.findings))
        return change, await self.verify(workspace, task)

    async def verify(self, workspace: Workspace, task: Task) -> Verdict:
        """Judge the task's file as it stands in the workspace, all else being as in the base."""
        diff = await workspace.hunks(task.path)
        if diff is None:
            return Verdict(ok=False, left=len(task.findings))
        after = (workspace.root / task.path).read_bytes()
        seen = (task.path, hashlib.sha256(after).hexdigest())
        if seen not in self._seen:
            self._seen[seen] = await self._judge(workspace, task, diff, after)
        return self._seen[seen]

    async def _judge(self, workspace: Workspace, task: Task, diff: FileDiff, after: bytes) -> Verdict:
        before = await workspace.read_base(task.path) or b""
        reasons = gates.no_suppression(task.path, before, after)
        if task.is_test:
            reasons += gates.keeps_tests(before, after)
        if gates.is_python(task.path):
            reasons += await self._compiles(after)
        if reasons:
            return Verdict(ok=False, reasons=reasons, left=len(task.findings))
        checked = await self._check(workspace, task.path)
        failures = tuple(f"could not check with {one.checker}: {one.error}" for one in checked if one.error)
        if failures:
            return Verdict(ok=False, reasons=failures, left=len(task.findings))
        return _verdict(task, self._compare(task.path, checked, {task.path: diff}))

    async def _compiles(self, source: bytes) -> tuple[str, ...]:
        """Ours may be another version of Python than the project's, which has the last word."""
        problem = gates.syntax_problem(source)
        if problem is None:
            return ()
        script = "import sys; compile(sys.stdin.buffer.read(), '<change>', 'exec')"
        theirs = await run([self.project.python, "-I", "-S", "-W", "ignore", "-c", script], stdin=source, deadline_s=60)
        return () if theirs.returncode == 0 else (f"does not compile: {problem}",)

    async def _check(self, workspace: Workspace, path: str) -> Sequence[Checked]:
        """Checkers of single files look at the one file, all others at the whole project."""
        narrow = [checker for checker in self.baseline.checkers if checker.reach == "file"]
        wide = [checker for checker in self.baseline.checkers if checker.reach == "project"]
        one, whole = await asyncio.gather(
            run_checkers(narrow, self.baseline.scope(workspace, self.project, (path,))),
            run_checkers(wide, self.baseline.scope(workspace, self.project)),
        )
        return one.checked + whole.checked

    def _compare(self, path: str, checked: Sequence[Checked], diffs: Mapping[str, FileDiff]) -> Comparison:
        wide = {checker.name for checker in self.baseline.checkers if checker.reach == "project"}
        base = [one for one in self.baseline.findings if one.path == path or one.checker in wide]
        return compare(base, [finding for one in checked for finding in one.findings], diffs)


def _forbidden(change: Change, task: Task) -> tuple[str, ...]:
    """Why the paths that a change touches rule it out."""
    if change.empty:
        return ("nothing was changed",)
    reasons = [f"changes {one.path!r}, which is not its file" for one in change.paths if one.path != task.path]
    for one in change.paths:
        if one.path == task.path:
            if one.status == "D":
                reasons.append("deletes its file")
            elif one.new_mode not in REGULAR:
                reasons.append("turns its file into something that is no regular file")
            elif one.new_mode != one.old_mode:
                reasons.append(f"changes the file's mode from {one.old_mode} to {one.new_mode}")
    return tuple(reasons)


def _verdict(task: Task, comparison: Comparison) -> Verdict:
    # Fingerprints and messages may differ between two runs of a tool; the place and rule of a finding don't.
    gone = Counter(_identity(finding) for finding in comparison.gone)
    fixed = sum((Counter(_identity(finding) for finding in task.findings) & gone).values())
    reasons = tuple(
        f"adds {one.checker} {one.rule} at {one.path}:{one.line}: {one.message}" for one in comparison.added
    )
    return Verdict(
        ok=fixed > 0 and not reasons,
        reasons=reasons,
        fixed=fixed,
        left=len(task.findings) - fixed,
        added=comparison.added,
        gone=comparison.gone,
    )


def _identity(finding: Finding) -> Finding:
    return replace(finding, fingerprint="", message="")
