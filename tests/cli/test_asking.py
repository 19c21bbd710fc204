"""What is shown while sources are asked: a line for each, which stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fanfold.cli.asking import Asking, lines


def test_each_source_has_a_line_that_counts_from_when_it_was_asked() -> None:
    asking = Asking(asked={"tws_status": 1.0, "metrics": 2.5}, came_to={"tws_status": "   0.4 s  TWS status: nothing"})
    assert lines(asking, 3.0) == ["   0.4 s  TWS status: nothing", "   0.5 s  metrics: asked"]


def test_terminal_keeps_the_lines_and_gets_its_cursor_back(tmp_path: Path) -> None:
    import pty
    import subprocess

    script = (
        "from fanfold.cli.asking import SourceProgress; from fanfold.engine import BranchFinished, BranchQueued, Done\n"
        "with SourceProgress() as progress:\n"
        "    progress(BranchQueued('metrics', ('metrics',)))\n"
        "    done = Done('metrics', {'parallel_results': []}, 0.0, 0.2)\n"
        "    progress(BranchFinished('metrics', ('metrics',), done, 0.2))\n"
    )
    parent, child = pty.openpty()
    env = {**os.environ, "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", script], stderr=child, check=True, cwd=tmp_path, env=env)
    told = os.read(parent, 65536)
    os.close(child)
    os.close(parent)
    assert told.rindex(b"\x1b[?25h") > told.rindex(b"\x1b[?25l")
    assert told.rstrip().endswith(b"0.2 s  metrics: nothing")
