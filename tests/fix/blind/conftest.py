"""What the gates say of a change, asked as verification asks them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from fanfold.fix import gates
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import is_test

Texts: TypeAlias = Mapping[str, str]
Judged: TypeAlias = Callable[[Texts, Texts, Iterable[Finding]], Awaitable[tuple[str, ...]]]
"""Files by their paths before and after a change, and the findings before it; what is said against it."""


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    async def judged(before: Texts, after: Texts, findings: Iterable[Finding]) -> tuple[str, ...]:
        for path, text in after.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        found, said = sorted(findings), tuple[str, ...]()
        for path, text in after.items():
            was = before.get(path, "")
            if was == text:
                continue
            own = tuple(one for one in found if one.path == path)
            edit = gates.Edit(path, was.encode(), text.encode(), own, is_test(path))
            said += gates.refusals(edit) + gates.late_refusals(edit)
            if edit.readable:
                said += await gates.Modules(Path(sys.executable), tmp_path).missing(edit)
        return said

    return judged
