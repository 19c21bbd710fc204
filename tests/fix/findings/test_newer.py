"""What only a newer Python than Fanfold's can read is never landed unjudged."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.repositories import TemporaryRepository, make_repository

UNUSED = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"
UNREADABLE = "import os\nthis is no Python\n"
NEWER = "#!/bin/sh\ncat > /dev/null\n"
NEWER_AND_REFUSES = '#!/bin/sh\ncase "$*" in *version_info*) exit 0;; esac\nexit 1\n'
AS_NEW_AND_TAKES_ALL = '#!/bin/sh\ncase "$*" in *version_info*) exit 1;; esac\ncat > /dev/null\n'


def make(tmp_path: Path, python: str, files: dict[str, str]) -> TemporaryRepository:
    """A repository whose project has an interpreter that says of everything what it was told to say."""
    repository = make_repository(tmp_path / "r", {".gitignore": ".venv\n", **files})
    repository.write({".venv/bin/python": python})
    (repository.root / ".venv/bin/python").chmod(0o755)
    return repository


async def fix(repository: TemporaryRepository, tmp_path: Path, written: str) -> tuple[Report, list[str]]:
    agent = ScriptedAgent(otherwise=written)
    options = {"workspaces": tmp_path / "home", "tests": "none", "max_attempts": 1}
    report = await run(Request(repository.root, load_settings(repository.root, options)), agent=agent)
    return report, [assignment.path for assignment in agent.asked]


async def test_file_of_a_newer_python_is_skipped_before_any_agent_is_asked(tmp_path: Path) -> None:
    repository = make(tmp_path, NEWER, {"new.py": UNREADABLE, "old.py": UNUSED})
    report, asked = await fix(repository, tmp_path, FIXED)
    assert asked == ["old.py"]
    new, old = report.tasks
    assert (new.status, old.status) == ("skipped", "fixed")
    assert "can't read it, so that no gate can judge a change" in new.reasons[0]


async def test_file_that_no_python_can_read_is_worked_on(tmp_path: Path) -> None:
    repository = make(tmp_path, NEWER_AND_REFUSES, {"broken.py": UNREADABLE})
    report, asked = await fix(repository, tmp_path, FIXED)
    assert asked == ["broken.py"]
    assert [task.status for task in report.tasks] == ["fixed"]


@pytest.mark.parametrize(
    ("python", "before", "after"), [(NEWER, UNUSED, UNREADABLE), (AS_NEW_AND_TAKES_ALL, UNREADABLE, FIXED)]
)
async def test_change_that_gates_can_not_read_is_refused(tmp_path: Path, python: str, before: str, after: str) -> None:
    report, asked = await fix(make(tmp_path, python, {"a.py": before}), tmp_path, after)
    assert asked == ["a.py"]
    assert [task.status for task in report.tasks] == ["refused"]
    assert "can't read it, so that no gate can judge a change" in report.tasks[0].reasons[0]
