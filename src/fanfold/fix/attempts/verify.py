"""Judge a change: something fixed, nothing added, nothing broken, nothing silenced."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fanfold.agents.protocol import Verdict
from fanfold.fix import gates
from fanfold.fix.checkers.protocol import Checked, Checker, Scope
from fanfold.fix.checkers.run import run_checkers
from fanfold.fix.findings.compare import Comparison, compare
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.newer import NEWER, compiles, is_newer
from fanfold.fix.findings.split import Task
from fanfold.fix.project import Project
from fanfold.git import Change, FileDiff, Repository, Workspace

TestTree = Callable[[str], Awaitable[tuple[str, ...]]]

REGULAR = frozenset({"100644", "100755"})


@dataclass(frozen=True)
class Judgement(Verdict):
    """A verdict over findings of checkers, so that it can be written down and read back.

    `kept` are the findings of the task that are left, as they stand now, `others` those of its file that aren't of the
    task and were there before; both are empty where nothing was compared. Without `checked` some checker could not
    check, which may be otherwise the next time.
    """

    added: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    kept: tuple[Finding, ...] = ()
    others: tuple[Finding, ...] = ()
    checked: bool = True


@dataclass(frozen=True)
class Verified:
    """What was found good: the verdict, and what the files that were changed hold, by path."""

    verdict: Judgement
    texts: Mapping[str, bytes]


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
    policy: gates.Policy = field(default_factory=gates.Policy)

    def scope(self, workspace: Workspace, project: Project, paths: tuple[str, ...] | None = None) -> Scope:
        """What a checker is to look at in a workspace, None = everything."""
        return Scope(workspace.root, project, workspace.cache, paths, self.select, self.exclude)


@dataclass
class Judge:
    """Judges what one workspace makes of one task; texts that were judged before are not checked again.

    `test` runs tests on the tree of a change that the checkers have nothing against, and names what it breaks;
    elsewhere, since tests may leave files behind. `best` is what was best of what was found good so far, here
    or in a workspace before this one; what an agent had judged on its way may have been so by files that weren't
    captured with it, so that counts only once it was examined. `examined` has what was, here or in workspaces before.
    """

    baseline: Baseline
    repository: Repository
    project: Project
    workspace: Workspace
    task: Task
    test: TestTree | None = None
    best: Verified | None = None
    examined: dict[bytes, Judgement] = field(default_factory=dict)
    _known: dict[bytes, Judgement] = field(default_factory=dict)
    _before: dict[str, bytes] = field(default_factory=dict)
    _sure: Verified | None = None

    def __post_init__(self) -> None:
        self._sure = self.best

    async def examine(self) -> tuple[Change, Judgement]:
        """Capture what the workspace holds and judge exactly that.

        What git ignores is removed first: a planted cache or configuration must not sway a checker.
        """
        await self.workspace.clean_ignored()
        change = await self.workspace.capture()
        reasons = _forbidden(change, self.task)
        if reasons or change.empty:
            self._known.clear()
            return change, self._no(reasons)
        found = await self._verified()
        best = self.best
        if best is not None and best is not self._sure and best.verdict.fixed == found.verdict.fixed * found.verdict.ok:
            self.best = self._sure = found
        if found.verdict.checked:
            self.examined[_digest(found.texts)] = found.verdict
        return change, found.verdict

    async def verify(self) -> Judgement:
        """Judge the task's files as they stand in the workspace, all else being as in the base."""
        return (await self._verified()).verdict

    async def _verified(self) -> Verified:
        diffs = await self._diffs()
        if not diffs:
            return Verified(self._no(()), {})
        if missing := [path for path in diffs if not (self.workspace.root / path).is_file()]:
            return Verified(self._no(tuple(f"deletes {path}" for path in missing)), {})
        texts = {path: (self.workspace.root / path).read_bytes() for path in diffs}
        digest = _digest(texts)
        if digest not in self._known:
            verdict = self.examined.get(digest) or await self._judge(diffs, texts)
            if not verdict.checked:
                return Verified(verdict, texts)
            self._known[digest] = verdict
            if self.best is not None and self.best is not self._sure and _digest(self.best.texts) == digest:
                self.best = self._sure
            if verdict.ok and (self.best is None or verdict.fixed > self.best.verdict.fixed):
                self.best = Verified(verdict, texts)
        return Verified(self._known[digest], texts)

    async def restore_best(self) -> bool:
        """Put back the best texts that were found good, in a clean workspace; whether there are any.

        They are judged once more if they were never examined.
        """
        await self.workspace.reset()
        if self.best is not None:
            for path, text in self.best.texts.items():
                (self.workspace.root / path).write_bytes(text)
            digest = _digest(self.best.texts)
            self._known.pop(digest, None)
            if self.best is self._sure:
                self._known[digest] = self.best.verdict
        return self.best is not None

    async def _diffs(self) -> dict[str, FileDiff]:
        """What differs in the files that may be changed, by path."""
        found = {path: await self.workspace.hunks(path) for path in self.task.paths}
        return {path: diff for path, diff in found.items() if diff is not None}

    async def _judge(self, diffs: Mapping[str, FileDiff], texts: Mapping[str, bytes]) -> Judgement:
        reasons: tuple[str, ...] = ()
        for path, after in texts.items():
            reasons += _in_file(path, self.task, await self._refused(path, after))
        if reasons:
            return self._no(reasons)
        checked = await self._check(tuple(dict.fromkeys((self.task.path, *diffs))))
        failures = tuple(f"could not check with {one.checker}: {one.error}" for one in checked if one.error is not None)
        if failures:
            return replace(self._no(failures), checked=False)
        verdict = _verdict(self.task, self._compare(checked, diffs))
        if verdict.harmless:
            for path, after in texts.items():
                reasons += _in_file(path, self.task, await self._refused_late(path, after))
        return self._no(reasons) if reasons else await self._tested(verdict)

    async def _refused(self, path: str, after: bytes) -> tuple[str, ...]:
        """What the text of one file says against it, whatever checkers say."""
        edit = await self._edit(path, after)
        reasons = await asyncio.to_thread(gates.refusals, edit, self.baseline.policy)
        return reasons + await self._unreadable(edit) if gates.is_python(path) else reasons

    async def _refused_late(self, path: str, after: bytes) -> tuple[str, ...]:
        """What speaks against a text that checkers have nothing against."""
        edit, policy = await self._edit(path, after), self.baseline.policy
        reasons = await asyncio.to_thread(gates.late_refusals, edit, policy)
        if reasons or gates.NAMES_GATE in policy.allow or not edit.readable:
            return reasons
        return await gates.Modules(self.project.python, self.workspace.root).missing(edit)

    async def _edit(self, path: str, after: bytes) -> gates.Edit:
        found = {one for one in (*self.task.findings, *self.baseline.findings) if one.path == path}
        return gates.Edit(path, await self._text_before(path), after, tuple(sorted(found)), self.task.is_test)

    async def _tested(self, verdict: Judgement) -> Judgement:
        if self.test is None or not verdict.harmless:
            return verdict
        broken = await self.test((await self.workspace.capture()).tree)
        if not broken:
            return verdict
        reasons = tuple(f"breaks {name}" for name in broken)
        return replace(verdict, ok=False, reasons=reasons)

    async def _text_before(self, path: str) -> bytes:
        if path not in self._before:
            self._before[path] = await self.workspace.at_base(path) or b""
        return self._before[path]

    async def _unreadable(self, edit: gates.Edit) -> tuple[str, ...]:
        """Ours may be another version of Python than the project's, which says what compiles; gates need both texts."""
        problem = gates.syntax_problem(edit.after)
        if problem is not None and not await compiles(edit.after, self.project.python):
            return (f"does not compile: {problem}",)
        if edit.readable:
            return ()
        newer = [await is_newer(text, self.project.python) for text in (edit.before, edit.after)]
        return (NEWER,) if any(newer) else ()

    async def _check(self, paths: tuple[str, ...]) -> tuple[Checked, ...]:
        scope = self.baseline.scope(self.workspace, self.project, paths)
        return (await run_checkers(self.baseline.checkers, scope)).checked

    def _compare(self, checked: Sequence[Checked], diffs: Mapping[str, FileDiff]) -> Comparison:
        """Checkers of single files are compared over the files that were checked, all others over the whole project."""
        wide = {checker.name for checker in self.baseline.checkers if checker.reach == "project"}
        paths = {self.task.path, *diffs}
        base = [one for one in self.baseline.findings if one.path in paths or one.checker in wide]
        return compare(base, [finding for one in checked for finding in one.findings], diffs)

    def _no(self, reasons: tuple[str, ...]) -> Judgement:
        return Judgement(ok=False, reasons=reasons, left=len(self.task.findings))


def _digest(texts: Mapping[str, bytes]) -> bytes:
    whole = hashlib.sha256()
    for path, text in sorted(texts.items()):
        whole.update(path.encode("utf-8", "surrogateescape") + b"\0" + hashlib.sha256(text).digest())
    return whole.digest()


def _in_file(path: str, task: Task, reasons: Sequence[str]) -> tuple[str, ...]:
    """Reasons with the name of their file, where it isn't the task's own."""
    return tuple(reasons if path == task.path else (f"{reason}, in {path}" for reason in reasons))


def _forbidden(change: Change, task: Task) -> tuple[str, ...]:
    """Why the paths that a change touches rule it out."""
    reasons = [f"changes {one.path!r}, which is not its file" for one in change.paths if one.path not in task.paths]
    for one in change.paths:
        if one.path in task.paths:
            its = "its file" if one.path == task.path else repr(one.path)
            if one.status == "D":
                reasons.append(f"deletes {its}")
            elif one.new_mode not in REGULAR:
                reasons.append(f"turns {its} into something that is no regular file")
            elif one.new_mode != one.old_mode:
                reasons.append(f"changes the mode of {its} from {one.old_mode} to {one.new_mode}")
    return tuple(reasons)


def _verdict(task: Task, comparison: Comparison) -> Judgement:
    # Fingerprints and messages may differ between two runs of a tool; the place and rule of a finding don't.
    gone = Counter(_identity(finding) for finding in comparison.gone)
    asked = Counter(_identity(finding) for finding in task.findings)
    same = [(old, now) for old, now in comparison.kept if old.path == now.path == task.path]
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
        kept=tuple(_at_hand(old, now) for old, now in comparison.kept if _identity(old) in asked),
        others=tuple(now for old, now in same if _identity(old) not in asked),
    )


def _at_hand(old: Finding, now: Finding) -> Finding:
    """What is left of a finding; one that is elsewhere now, as a test's failure may be, is told where it was."""
    return now if now.path == old.path else replace(now, path=old.path, line=old.line, column=old.column)


def _identity(finding: Finding) -> Finding:
    return replace(finding, fingerprint="", message="")
