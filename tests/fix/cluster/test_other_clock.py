"""A worker whose clock is off by an hour: limits of time are kept and times told as the coordinator has them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanfold.config import load_settings
from fanfold.fix import Request, run
from fanfold.fix.runs import find_past, home_of
from fanfold.git import Repository
from fanfold.testing.repositories import make_repository

pytest.importorskip("distributed")

SKEWED = Path(__file__).parents[2] / "runtimes" / "cluster" / "skewed_worker.py"
HOUR_S = 3600.0
AGENT = """\
import pathlib, sys
path = pathlib.Path(sys.argv[1])
path.write_text(path.read_text().replace("import os\\n", ""))
"""


@pytest.fixture(params=[HOUR_S, pytest.param(-HOUR_S, marks=pytest.mark.soak)])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a cluster whose worker's clock is off by an hour."""
    argv = [sys.executable, str(SKEWED), str(request.param)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


async def test_minutes_of_the_run_are_those_of_the_coordinators_clock(tmp_path: Path, address: str) -> None:
    bad = "import os\nimport sys\n\nprint(sys.argv)\n"
    repository = make_repository(tmp_path / "r", {"pyproject.toml": "[tool.ruff]\n", "a.py": bad})
    (tmp_path / "agent.py").write_text(AGENT)
    asked = {
        "agent_command": (sys.executable, str(tmp_path / "agent.py"), "{file}"),
        "checks": ["ruff"],
        "cluster": address,
        "max_minutes": 30,
        "runtime": "cluster",
        "sandbox": "none",
        "state": tmp_path / "state",
        "tests": "none",
        "workspaces": tmp_path / "home",
    }
    settings, began_s = load_settings(repository.root, asked), time.time()
    report = await run(Request(repository.root, settings))
    assert report.runtime == "cluster"
    assert [task.status for task in report.tasks] == ["fixed"]
    past = await find_past(home_of(settings, await Repository.open(repository.root)), report.run_id)
    (trail,) = past.trails("a.py")
    assert began_s <= trail.started_s <= time.time()
