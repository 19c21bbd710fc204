"""Read what became of each test from a JUnit XML file."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from fanfold.errors import FanfoldError
from fanfold.fix.written import opened

CaseStatus = Literal["passed", "failed", "error", "skipped"]
WORST_FIRST: tuple[CaseStatus, ...] = ("error", "failed", "skipped", "passed")
MARKS: dict[str, CaseStatus] = {"failure": "failed", "error": "error", "skipped": "skipped"}
MAX_BYTES = 1024 * 1024 * 1024


class JUnitError(FanfoldError):
    """A file isn't a JUnit report."""


def read_cases(path: Path, *, max_bytes: int = MAX_BYTES) -> dict[str, CaseStatus]:
    """What became of each test.

    Args:
        path: written by the project's own test runner, so not to be trusted.
        max_bytes: a larger file is refused.
    Returns:
        Status by `classname::name`, in the order of the file. A test that is named more than once (its teardown,
        its subtests, or another test of the same name) has more entries, `name (2)` and so on, the worst first.
    Raises:
        JUnitError: no file, too large, not XML, with a document type, not a report.
    """
    cases = _Cases()
    parser = expat.ParserCreate()
    parser.StartElementHandler = cases.start
    parser.EndElementHandler = cases.end
    parser.StartDoctypeDeclHandler = cases.refuse_doctype
    try:
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise JUnitError(f"the test report has {size} bytes, more than {max_bytes}")
            parser.ParseFile(file)
    except OSError as error:
        raise JUnitError(f"there is no test report: {error.strerror}") from error
    except expat.ExpatError as error:
        raise JUnitError(f"the test report is not XML: {error}") from error
    return cases.by_name()


class _Cases:
    """Collects test cases from the events of a parse; texts, which may be huge, are never kept."""

    def __init__(self) -> None:
        self._found: defaultdict[str, list[CaseStatus]] = defaultdict(list)
        self._depth = 0
        self._name: str | None = None
        self._status: CaseStatus = "passed"

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and tag not in ("testsuites", "testsuite"):
            raise JUnitError(f"the test report is no JUnit file: it starts with <{tag[:50]}>")
        self._depth += 1
        if tag == "testcase":
            self._name = "::".join(one for one in (attributes.get("classname"), attributes.get("name")) if one)
            self._status = "passed"
        elif self._name is not None and tag in MARKS:
            self._status = min(self._status, MARKS[tag], key=WORST_FIRST.index)

    def end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "testcase" and self._name is not None:
            self._found[self._name].append(self._status)
            self._name = None

    def refuse_doctype(self, *_: object) -> None:
        """Entities are how a small file becomes a huge one or reads other files; no JUnit file has them."""
        raise JUnitError("the test report has a document type declaration")

    def by_name(self) -> dict[str, CaseStatus]:
        """All statuses; those of one name are told apart by number."""
        cases: dict[str, CaseStatus] = {}
        for name, statuses in self._found.items():
            for number, status in enumerate(sorted(statuses, key=WORST_FIRST.index), start=1):
                cases[name if number == 1 else f"{name} ({number})"] = status
        return cases
