"""Each example is run as its page says, and prints what it is there to show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
LANGSMITH = ("-W", "ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning")
"""What LangGraph brings along is deprecated since Python 3.14."""
MOST_LINES = 80

SHOWN = {
    "langgraph_complete_pattern.py": (
        r"successful_fixes: \['shop/cart.py', .*'shop/users.py'\]",
        r"failed_fixes: \['shop/taxes.py: the agent gave up'\]",
        r"total_errors_fixed: 27",
        r"files: \[('shop/\w+.py'(, )?){8}\]",
    ),
    "langgraph_complete_pattern.py compare": (r"1 at once: [\d.]+ s\n4 at once: [\d.]+ s", r"speed-up \d+\.\d"),
    "langgraph_builtin_concurrency.py": (
        r"max_concurrency 1: 1 at once, \[0, 1, 4, 9",
        r"max_concurrency 2: 2 at once, \[0, 1, 4, 9",
        r"max_concurrency 4: 4 at once, \[0, 1, 4, 9",
        r"no limit: 12 at once",
        r"`configurable`, where it means nothing: 12 at once",
    ),
    "langgraph_manual.py": (
        r"fixed: \['a.py by 2 rules', 'c.py by 2 rules'\]",
        r"failed: \['broken.py: no such syntax'\]",
        r"rules: \['no tabs'\]",
    ),
    "merge_strategies.py": (
        r"FIRST_SUCCESS: 6 \* 7 = 42",
        r"MAJORITY: 6 \* 7 = 42",
        r"ALL_SUCCESS refuses: .*broken: ConnectionError",
        r"ALL_SUCCESS, both by the reducer: \[\"spelling of .*\", 'length: 7'\]",
    ),
    "native_flow.py": (
        r"native: \{.*'remarks': \['intro: fan', 'usage: pip'\]",
        r"langgraph: \{.*'unread': \['blank: nothing to read'\]",
        r"the same state: True",
    ),
}


@pytest.mark.parametrize("command", SHOWN)
def test_an_example_prints_what_it_is_there_to_show(command: str) -> None:
    python = (sys.executable, "-W", "error", *LANGSMITH)
    done = subprocess.run([*python, *command.split()], cwd=EXAMPLES, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for pattern in SHOWN[command]:
        assert re.search(pattern, done.stdout), done.stdout


def test_every_example_is_run_and_is_in_the_index() -> None:
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    assert programs == {command.split()[0] for command in SHOWN}
    index = (EXAMPLES / "README.md").read_text()
    assert set(re.findall(r"`python examples/(\S+?)`", index)) == programs


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) < MOST_LINES
