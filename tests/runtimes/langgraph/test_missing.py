"""Without LangGraph, what needs it says how to have it, and all else works."""

from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import sys
sys.modules["langgraph"] = None
import fanfold, fanfold.engine, fanfold.runtimes
from fanfold.runtimes import Flow, Native
try:
    from fanfold.runtimes import LangGraph
except ImportError as error:
    print(error)
    print(error.hint)
async def branch(item, state): ...
flow = Flow(name="f", state=__import__("typing").TypedDict("S", {}), items=list, branch=branch)
try:
    flow.to_langgraph()
except ImportError as error:
    print(error.hint)
"""


def test_what_needs_it_says_how_to_install_it() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    hint = "pip install 'fanfold[langgraph]'"
    said, first, second = ran.stdout.splitlines()
    assert said.startswith("LangGraph isn't installed")
    assert first == second == hint


def test_importing_the_rest_imports_none_of_it() -> None:
    code = "import sys, fanfold, fanfold.runtimes, fanfold.engine; print('langgraph' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
