"""What a gate looks at: one file before and after, read as Python where it is Python."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from fanfold.fix.findings.finding import Finding
from fanfold.fix.gates.same import parts
from fanfold.fix.gates.source import Names, Source, source_of


def is_python(path: str) -> bool:
    """Whether a file of this name is Python source."""
    return path.endswith((".py", ".pyi"))


@dataclass(frozen=True)
class Edit:
    """A change of one file.

    Args:
        path: relative to the repository root.
        before: the text of the base, empty for a new file.
        after: the text to be judged.
        findings: what the checkers said of the text before, all that is known.
        is_test: whether the file belongs to the tests.
    """

    path: str
    before: bytes
    after: bytes
    findings: tuple[Finding, ...] = ()
    is_test: bool = False

    @cached_property
    def old(self) -> Source:
        """The text before; an empty one where it can't be read as Python."""
        return source_of(self.before) or Source(b"", Names(ast.Module([], [])))

    @cached_property
    def new(self) -> Source:
        """The text after; an empty one where it can't be read as Python."""
        return source_of(self.after) or Source(b"", Names(ast.Module([], [])))

    @property
    def removed(self) -> Source:
        """The text before without the functions and classes that are just the same in the one after.

        What counts something in both texts and asks for the difference finds the same one in `removed` and `added`.
        """
        return self._parts[0]

    @property
    def added(self) -> Source:
        """The text after without the functions and classes that are just the same in the one before."""
        return self._parts[1]

    @cached_property
    def _parts(self) -> tuple[Source, Source]:
        return parts(self.old, self.new)

    @cached_property
    def readable(self) -> bool:
        """Whether both texts can be read as Python."""
        return is_python(self.path) and source_of(self.before) is not None and source_of(self.after) is not None

    def rules_at(self, lines: Iterable[int]) -> list[Finding]:
        """The findings whose extent meets lines of the text before."""
        return list(dict.fromkeys(finding for line in lines for finding in self._by_line.get(line, ())))

    @cached_property
    def _by_line(self) -> Mapping[int, list[Finding]]:
        found: dict[int, list[Finding]] = defaultdict(list)
        for finding in self.findings:
            for line in range(finding.line, (finding.end_line or finding.line) + 1):
                found[line].append(finding)
        return dict(found)
