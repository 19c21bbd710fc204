"""An agent that does whatever its model says needs a sandbox wherever it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from fanfold.agents import Assignment, Report
from fanfold.config import FixSettings
from fanfold.fix.attempts.confine import Confinement, Place, refuse_unbounded
from fanfold.fix.errors import FixError


@dataclass
class Wild:
    name: str = "wild"
    deterministic: bool = False
    starts_programs: bool = True
    unbounded: str = "it does what it likes"

    async def work(self, assignment: Assignment) -> Report:
        raise NotImplementedError


@pytest.fixture
def _no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.usefixtures("_no_sandbox")
async def test_it_is_not_begun_with_on_a_worker_that_has_none(tmp_path: Path) -> None:
    async def work(_: Place) -> Report:
        raise AssertionError

    (tmp_path / "scratch").mkdir()
    confinement = Confinement(FixSettings(), None, None)  # type: ignore[arg-type]  # what it doesn't come to
    with pytest.raises(FixError, match="agent wild is not started without a sandbox, for it does what it likes"):
        await confinement.carry_out(Wild(), None, "a.py", tmp_path / "scratch", work)  # type: ignore[arg-type]


@pytest.mark.usefixtures("_no_sandbox")
async def test_before_a_run_it_is_refused_unless_it_may() -> None:
    with pytest.raises(FixError, match="there is none here: bubblewrap does not work here"):
        await refuse_unbounded(FixSettings(), [Wild()])
    await refuse_unbounded(FixSettings(sandbox="none"), [Wild()])
    await refuse_unbounded(FixSettings(), [Wild(unbounded="")])
