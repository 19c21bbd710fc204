"""Which findings are worked on, and why the others aren't."""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from fanfold.fix.checkers.rules import UNREADABLE, matches
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.globs import Globs
from fanfold.fix.reporting.report import LeftOut


@dataclass(frozen=True)
class Selection:
    """What the user wants worked on; an empty field leaves nothing out.

    Args:
        paths: files and folders, relative to the root.
        include: globs, one of which a path has to match, in gitignore's syntax.
        exclude: globs, none of which a path may match.
        select: rules, as `checkers.rules` reads them; one has to match.
        ignore: rules, none of which may match.
        max_files: at most so many files, the first by path.
        max_findings: at most so many findings, in whole files: going by path, a file that has more findings than
            are still free is left out, and the next one is looked at.
        only: the paths that are in question at all, as those that changed; None = all.
    """

    paths: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    max_files: int | None = None
    max_findings: int | None = None
    only: frozenset[str] | None = None


@dataclass(frozen=True)
class Known:
    """Findings that the project lives with, each with the reason; and what the user should know about them."""

    reasons: Mapping[Finding, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selected:
    """The findings to work on, by path and place, and a line for each file and reason of the others."""

    findings: tuple[Finding, ...]
    left_out: tuple[LeftOut, ...] = ()


def select(
    findings: Iterable[Finding],
    selection: Selection,
    *,
    tracked: Collection[str] | None = None,
    known: Mapping[Finding, str] | None = None,
) -> Selected:
    """Divide findings into those to work on and those to leave alone; the same for any order of `findings`.

    Args:
        findings: of the base commit.
        selection: what the user wants.
        tracked: all paths of the base commit, None = not known; nothing else is worked on, which is how
            `.gitignore` is honoured.
        known: findings that the project lives with, each with the reason.
    Raises:
        FixError: a path of the selection isn't tracked, or a glob can't be read.
    """
    if tracked is not None:
        _refuse_unknown(selection.paths, tracked)
    reason_of = _reasons(selection, None if tracked is None else frozenset(tracked), known or {})
    kept: list[Finding] = []
    left_out: Counter[tuple[str, str]] = Counter()
    for finding in sorted(findings):
        if (reason := reason_of(finding)) is None:
            kept.append(finding)
        else:
            left_out[finding.path, reason] += 1
    kept, beyond = _within_limits(kept, selection)
    lines = [LeftOut(path, reason, count) for (path, reason), count in left_out.items()]
    return Selected(tuple(kept), tuple(sorted((*lines, *beyond), key=lambda one: (one.path, one.reason))))


def _reasons(
    selection: Selection, tracked: frozenset[str] | None, known: Mapping[Finding, str]
) -> Callable[[Finding], str | None]:
    """What decides about one finding: the first reason against it, None where there is none."""
    include, exclude = Globs(selection.include), Globs(selection.exclude)
    folders = tuple(_folder(path) for path in selection.paths)

    @functools.cache
    def against_path(path: str) -> str | None:
        if tracked is not None and path not in tracked:
            return "not in the base commit"
        if folders and not any(_is_below(path, folder) for folder in folders):
            return "not among the paths given"
        if selection.only is not None and path not in selection.only:
            return "not changed"
        if include and not include.match(path):
            return "not included"
        return "excluded" if exclude.match(path) else None

    def against(finding: Finding) -> str | None:
        if reason := against_path(finding.path) or known.get(finding):
            return reason
        # A file that could not be read was not checked for the rules selected: leaving that out would call it clean.
        if finding.rule in UNREADABLE:
            return None
        if selection.select and not any(matches(finding, one) for one in selection.select):
            return "rule not selected"
        return "rule ignored" if any(matches(finding, one) for one in selection.ignore) else None

    return against


def _within_limits(findings: Sequence[Finding], selection: Selection) -> tuple[list[Finding], list[LeftOut]]:
    """Whole files, in order of their paths, as far as the limits go."""
    kept: list[Finding] = []
    beyond: list[LeftOut] = []
    files = 0
    for path, group in groupby(findings, key=lambda finding: finding.path):
        own = list(group)
        if selection.max_files is not None and files >= selection.max_files:
            beyond.append(LeftOut(path, _more_than(selection.max_files, "file"), len(own)))
        elif selection.max_findings is not None and len(kept) + len(own) > selection.max_findings:
            beyond.append(LeftOut(path, _more_than(selection.max_findings, "finding"), len(own)))
        else:
            kept += own
            files += 1
    return kept, beyond


def _more_than(most: int, what: str) -> str:
    return f"more than {most} {what}{'' if most == 1 else 's'}"


def _refuse_unknown(paths: Iterable[str], tracked: Collection[str]) -> None:
    folders = {""}
    for path in tracked if paths else ():
        folder = path.rpartition("/")[0]
        while folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    for path in paths:
        name = _folder(path)
        if name in folders or name in tracked:
            continue
        near = _near(name, tracked)
        hint = f"did you mean {near}? " if near else ""
        raise FixError(
            f"{path!r} is not in the commit that would be fixed", hint=f"{hint}add and commit new files first"
        )


def _near(name: str, tracked: Collection[str]) -> str | None:
    """The path that was probably meant: one of the same name elsewhere, else one spelt alike beside it."""
    folder, _, file = name.rpartition("/")
    if elsewhere := sorted(path for path in tracked if path.rpartition("/")[2] == file):
        return elsewhere[0]
    beside = [path for path in tracked if path.rpartition("/")[0] == folder]
    return next(iter(difflib.get_close_matches(name, beside, n=1)), None)


def _folder(path: str) -> str:
    """A path as git has it: without `./` and a `/` at its end, the root as ""."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
