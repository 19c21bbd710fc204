"""Baselines: files that say which findings a project lives with, so that lines may move."""

from __future__ import annotations

import json
import os
import stat
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanfold.fix.checkers.paths import Tree
from fanfold.fix.checkers.sariflog import NotSarif, runs_of
from fanfold.fix.checkers.sarifuri import Locator
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding

VERSION = 1
KEY = "fanfold_baseline"
SARIF_FINGERPRINT = "fanfold/v1"
MAX_BYTES = 64 * 1024**2
FORMATS = "it may be what --write-baseline writes, Fanfold's JSON report, or SARIF 2.1.0"


@dataclass(frozen=True)
class Entry:
    """One finding of a baseline; without a fingerprint it is any of its rule in its file, best one at its line."""

    path: str
    checker: str
    rule: str
    fingerprint: str = ""
    line: int = 0


@dataclass(frozen=True)
class Matched:
    """Which findings a baseline has, and which of its entries have no finding any more."""

    known: frozenset[Finding]
    gone: tuple[Entry, ...]


def read_baseline(file: Path, root: Path) -> tuple[Entry, ...]:
    """The entries of a baseline, in the file's order.

    Args:
        file: what `write_baseline` wrote, a JSON report of Fanfold's, or a SARIF log of any tool.
        root: the repository, which paths are relative to.
    Raises:
        FixError: there is no such file, it is too large, or it is none of these.
    """
    try:
        told = json.loads(_content(file))
    except (ValueError, RecursionError) as error:
        raise FixError(f"the baseline {file} is no JSON: {error}", hint=FORMATS) from None
    try:
        return _entries(told, root)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, NotSarif) as error:
        raise FixError(f"the baseline {file} can't be understood: {error}", hint=FORMATS) from None


def write_baseline(file: Path, findings: Iterable[Finding]) -> int:
    """Write down findings to live with: one a line, sorted, without line numbers, so that versions differ little.

    Returns:
        How many they are.
    Raises:
        FixError: the file can't be written, or is a link, which a repository may have put there.
    """
    if file.is_symlink():
        raise FixError(f"the baseline {file} is a link", hint="name the file that it leads to")
    entries = sorted({(one.path, one.checker, one.rule, one.fingerprint) for one in findings})
    names = ("path", "checker", "rule", "fingerprint")
    lines = ",\n".join(json.dumps(dict(zip(names, entry, strict=True))) for entry in entries)
    text = f'{{"{KEY}": {VERSION}, "findings": [\n{lines}\n]}}\n'
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise FixError(f"the baseline can't be written to {file}: {error.strerror or error}") from None
    return len(entries)


def match(findings: Collection[Finding], entries: Iterable[Entry]) -> Matched:
    """Pair findings with entries, one to one: by fingerprint, else as many of a rule in a file as there were."""
    by_name = {finding.fingerprint: finding for finding in findings if finding.fingerprint}
    known: set[Finding] = set()
    gone: list[Entry] = []
    unnamed: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if not entry.fingerprint:
            unnamed[entry.path, entry.rule].append(entry)
        elif entry.fingerprint in by_name:
            known.add(by_name[entry.fingerprint])
        else:
            gone.append(entry)
    asked: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding not in known and (finding.path, finding.rule) in unnamed:
            asked[finding.path, finding.rule].append(finding)
    for name, waiting in unnamed.items():
        paired, left = _paired(asked[name], waiting)
        known.update(paired)
        gone.extend(left)
    return Matched(frozenset(known), tuple(gone))


def _paired(findings: Iterable[Finding], entries: Iterable[Entry]) -> tuple[list[Finding], list[Entry]]:
    """Findings of one rule in one file that entries without a name stand for, and the entries that stand for none."""
    at_line: defaultdict[int, deque[Entry]] = defaultdict(deque)
    for entry in entries:
        at_line[entry.line].append(entry)
    paired, others = [], []
    for finding in findings:
        if waiting := at_line[finding.line]:
            waiting.popleft()
            paired.append(finding)
        else:
            others.append(finding)
    left = [entry for waiting in at_line.values() for entry in waiting]
    return [*paired, *others[: len(left)]], left[len(others) :]


def _content(file: Path) -> bytes:
    """All bytes of a file, and none beyond what a baseline may have, whatever lies at its place."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would have us wait
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FixError(f"the baseline {file} is no regular file", hint=FORMATS)
        with open(descriptor, "rb") as opened:  # noqa: PTH123 a descriptor
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "write it with --write-baseline"
        raise FixError(f"the baseline {file} can't be read: {error.strerror or error}", hint=hint) from None
    if len(content) > MAX_BYTES:
        raise FixError(
            f"the baseline {file} has more than {MAX_BYTES:,} bytes",
            hint="fix some of what is in it, and write it anew with --write-baseline for fewer paths or rules",
        )
    return content


def _entries(told: Any, root: Path) -> tuple[Entry, ...]:
    if "runs" in told:
        return _sarif(told, root)
    if KEY in told:
        if told[KEY] != VERSION:
            raise ValueError(f"its version is {told[KEY]!r}, and this Fanfold knows {VERSION}")
        return tuple(_entry(one) for one in told["findings"])
    if "remaining" in told and "schema_version" in told:
        return tuple(_entry(one) for one in told["remaining"])
    raise ValueError("it is neither a baseline nor a report")


def _entry(one: Mapping[str, Any]) -> Entry:
    path, checker, rule, fingerprint = (one[name] for name in ("path", "checker", "rule", "fingerprint"))
    if not all(isinstance(word, str) for word in (path, checker, rule, fingerprint)):
        raise TypeError(f"a finding's path, checker, rule and fingerprint are texts: {dict(one)!r:.200}")
    return Entry(path, checker, rule, fingerprint, int(one.get("line", 0)))


def _sarif(told: Any, root: Path) -> tuple[Entry, ...]:
    locate = Locator(Tree(root))
    found: list[Entry] = []
    for log, run in zip(told["runs"], runs_of(told, "", locate), strict=True):
        tool = str(log["tool"]["driver"]["name"])
        names = _fingerprints(log)
        # Suppressed results are no entries, so a log's results and its findings count alike only without these.
        alike = len(names) == len(run.findings)
        for number, one in enumerate(run.findings):
            found.append(Entry(one.path, tool, one.rule, names[number] if alike else "", one.line))
    return tuple(found)


def _fingerprints(run: Mapping[str, Any]) -> list[str]:
    results = run.get("results") or []
    return [str((one.get("partialFingerprints") or {}).get(SARIF_FINGERPRINT, "")) for one in results]
