"""Judge a change: something fixed, nothing added, nothing broken, nothing silenced."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from fanfold.agents.protocol import Verdict
from fanfold.fix import gates
from fanfold.fix.checkers.protocol import Checked, Checker, Scope
from fanfold.fix.checkers.run import run_checkers
from fanfold.fix.compare import Comparison, compare
from fanfold.fix.finding import Finding
from fanfold.fix.project import Project
from fanfold.fix.split import Task
from fanfold.git import Change, FileDiff, Repository, Workspace
from fanfold.process import run

TestTree = Callable[[str], Awaitable[tuple[str, ...]]]

REGULAR = frozenset({"100644", "100755"})


@dataclass(frozen=True)
class Judgement(Verdict):
    """A verdict over findings of checkers, so that it can be written down and read back.

    `kept` are the findings of the task that are left, as they stand now; empty where nothing was compared.
    """

    added: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    kept: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Verified:
    """What was found good: the verdict, and what the file holds that it is about."""

    verdict: Judgement
    text: bytes


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
class Judge:
    """Judges what one workspace makes of one task; a text that was judged before is not checked again.

    `test` runs tests on the tree of a change that the checkers have nothing against, and names what it breaks;
    elsewhere, since tests may leave files behind. `best` is the best text that was found good so far, here or in a
    workspace before this one.
    """

    baseline: Baseline
    repository: Repository
    project: Project
    workspace: Workspace
    task: Task
    test: TestTree | None = None
    best: Verified | None = None
    _known: dict[bytes, Judgement] = field(default_factory=dict)
    _before: bytes | None = None

    async def examine(self) -> tuple[Change, Judgement]:
        """Capture what the workspace holds and judge exactly that.

        What git ignores is removed first: a planted cache or configuration must not sway a checker.
        """
        await self.workspace.clean_ignored()
        change = await self.workspace.capture()
        reasons = _forbidden(change, self.task)
        return change, self._no(reasons) if reasons or change.empty else await self.verify()

    async def verify(self) -> Judgement:
        """Judge the task's file as it stands in the workspace, all else being as in the base."""
        diff = await self.workspace.hunks(self.task.path)
        if diff is None:
            return self._no(())
        after = (self.workspace.root / self.task.path).read_bytes()
        digest = hashlib.sha256(after).digest()
        if digest not in self._known:
            verdict = self._known[digest] = await self._judge(diff, after)
            if verdict.ok and (self.best is None or verdict.fixed > self.best.verdict.fixed):
                self.best = Verified(verdict, after)
        return self._known[digest]

    async def restore_best(self) -> bool:
        """Put back the best text that was found good, in a clean workspace; whether there is one."""
        await self.workspace.reset()
        if self.best is not None:
            (self.workspace.root / self.task.path).write_bytes(self.best.text)
            self._known[hashlib.sha256(self.best.text).digest()] = self.best.verdict
        return self.best is not None

    async def _judge(self, diff: FileDiff, after: bytes) -> Judgement:
        path, before = self.task.path, await self._text_before()
        reasons = gates.no_suppression(path, before, after)
        if self.task.is_test:
            reasons += gates.keeps_tests(before, after)
        if gates.is_python(path):
            reasons += await self._compiles(after)
            reasons += gates.keeps_definitions(before, after, {one.line for one in self.task.findings})
        if reasons:
            return self._no(reasons)
        checked = await self._check()
        failures = tuple(f"could not check with {one.checker}: {one.error}" for one in checked if one.error is not None)
        if failures:
            return self._no(failures)
        return await self._tested(_verdict(self.task, self._compare(checked, diff)))

    async def _tested(self, verdict: Judgement) -> Judgement:
        if self.test is None or not verdict.harmless:
            return verdict
        broken = await self.test((await self.workspace.capture()).tree)
        if not broken:
            return verdict
        reasons = tuple(f"breaks {name}" for name in broken)
        return replace(verdict, ok=False, reasons=reasons)

    async def _text_before(self) -> bytes:
        if self._before is None:
            self._before = await self.workspace.at_base(self.task.path) or b""
        return self._before

    async def _compiles(self, source: bytes) -> tuple[str, ...]:
        """Ours may be another version of Python than the project's, which has the last word."""
        problem = gates.syntax_problem(source)
        if problem is None:
            return ()
        script = "import sys; compile(sys.stdin.buffer.read(), '<change>', 'exec')"
        theirs = await run([self.project.python, "-I", "-S", "-W", "ignore", "-c", script], stdin=source, deadline_s=60)
        return () if theirs.returncode == 0 else (f"does not compile: {problem}",)

    async def _check(self) -> tuple[Checked, ...]:
        scope = self.baseline.scope(self.workspace, self.project, (self.task.path,))
        return (await run_checkers(self.baseline.checkers, scope)).checked

    def _compare(self, checked: Sequence[Checked], diff: FileDiff) -> Comparison:
        """Checkers of single files are compared over the one file, all others over the whole project."""
        wide = {checker.name for checker in self.baseline.checkers if checker.reach == "project"}
        base = [one for one in self.baseline.findings if one.path == self.task.path or one.checker in wide]
        return compare(base, [finding for one in checked for finding in one.findings], {self.task.path: diff})

    def _no(self, reasons: tuple[str, ...]) -> Judgement:
        return Judgement(ok=False, reasons=reasons, left=len(self.task.findings))


def _forbidden(change: Change, task: Task) -> tuple[str, ...]:
    """Why the paths that a change touches rule it out."""
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


def _verdict(task: Task, comparison: Comparison) -> Judgement:
    # Fingerprints and messages may differ between two runs of a tool; the place and rule of a finding don't.
    gone = Counter(_identity(finding) for finding in comparison.gone)
    asked = Counter(_identity(finding) for finding in task.findings)
    fixed = sum((asked & gone).values())
    reasons = tuple(
        f"adds {one.checker} {one.rule} at {one.path}:{one.line}: {one.message}" for one in comparison.added
    )
    return Judgement(
        ok=fixed > 0 and not reasons,
        reasons=reasons,
        fixed=fixed,
        left=len(task.findings) - fixed,
        added=comparison.added,
        gone=comparison.gone,
        kept=tuple(now for old, now in comparison.kept if _identity(old) in asked),
    )


def _identity(finding: Finding) -> Finding:
    return replace(finding, fingerprint="", message="")
