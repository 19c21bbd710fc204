from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fanfold.nodes as package


@pytest.mark.parametrize("name", package.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    thing = getattr(package, name)
    assert name in dir(package)
    assert name == "NextNode" or thing.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nodes'"):
        _ = package.Nodes


def test_type_checkers_and_python_find_the_same_names() -> None:
    tree = ast.parse(Path(package.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    checked = {alias.name for node in ast.walk(block) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert checked == set(package.__all__)
    assert sorted(name for names in package._HOMES.values() for name in names) == sorted(package.__all__)


HEAVY = ("dspy", "pydantic_ai", "pydantic", "tenacity", "cachetools", "sqlite3", "langgraph")


def imported_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    everything = "import fanfold.nodes as nodes"
    for name in package.__all__:
        if name not in {"GraphState", "StateTypeError"}:
            everything += f"\nnodes.{name}"
    assert imported_by(everything) == set()


def test_everything_but_the_adapters_runs_without_their_extras() -> None:
    code = """
import asyncio, sys
sys.modules["dspy"] = sys.modules["pydantic_ai"] = None
from fanfold.nodes import *

async def double(value: int) -> int:
    return value * 2

async def main():
    executor = ParallelExecutor(retry=2, adaptive=True, concurrency=get_concurrency_model("openai"))
    node = from_function(double, writes="value")
    ctx = RunContext({"value": 1})
    results = await executor.execute_parallel([node, node], ctx)
    merged = executor.merge_states(results, MergeStrategy.ALL_SUCCESS)
    assert merged.state == {"value": 2}, merged
    assert (await run_graph(node, ctx)).context.state == {"value": 2}
    assert (await plan([node]).run(ctx)).context.state == {"value": 2}
    assert (await validate_determinism(node, ctx)).is_deterministic
    assert GraphState.from_context(ctx).to_context() == ctx
    try:
        from_dspy("a -> b")
    except ExtraMissing as error:
        assert "fanfold[dspy]" in error.hint
    else:
        raise SystemExit("no error")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
