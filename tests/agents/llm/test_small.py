"""A small model is asked about one function at a time, and each answer stays only if it is verified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fanfold.agents import AgentError, AgentSettings, Material
from fanfold.agents.llm import Llm
from fanfold.testing.model_server import ModelServer, Reply, Requested, by_content

MakeBench = Callable[..., Any]

SOURCE = """\
import os


def read(path):
    try:
        return open(path).read()
    except:
        return None


class Box:
    def first(self, other):
        if other == None:
            return 1
        return 2

    def second(self, other):
        def inner():
            if other == None:
                return 1

        if other != None:
            return inner()
"""
READ = """```python
def read(path):
    try:
        return open(path).read()
    except OSError:
        return None
```"""
FIRST = """Of course:

```python
def first(self, other):
    if other is None:
        return 1
    return 2
```
Done."""
INNER = """```
def inner():
    if other is None:
        return 1
```"""
STILL_BARE = READ.replace("except OSError", "except").replace("None", "False")
ADDS = READ.replace("    try:", "    import sys\n    try:")
SELECT = ("E", "F")


@asynccontextmanager
async def served(script: Any, **options: Any) -> AsyncIterator[tuple[ModelServer, Llm]]:
    async with ModelServer(script) as server:
        told = {"model": "scripted", "base_url": server.url, "small": True, "timeout_seconds": 20, **options}
        yield server, Llm.make(AgentSettings(name="llm", options=told))


def answers(**more: Reply) -> dict[str, list[Reply]]:
    told = {"def read(": Reply(text=READ), "def first(": Reply(text=FIRST), "def inner(": Reply(text=INNER)}
    return {text: [more.get(text, reply)] for text, reply in told.items()}


async def test_each_function_is_asked_about_by_itself_and_what_is_verified_stays(make_bench: MakeBench) -> None:
    bench = make_bench(SOURCE, select=SELECT)
    otherwise = Reply(text="I don't know.")
    async with served(by_content(answers(), otherwise)) as (server, agent):
        report = await agent.work(bench.assignment())
    assert "except OSError:" in bench.text
    assert "    def first(self, other):\n        if other is None:\n" in bench.text
    assert "        def inner():\n            if other is None:\n" in bench.text
    assert bench.rules() == {"F401": 1, "E711": 1}
    assert report.summary == "3 answers kept"
    assert any("second" in note for note in report.refused)
    assert report.usage is not None
    assert report.usage.requests == len(server.requests)
    parts = ("def read(", "def first(", "def second(", "import os")
    for request in server.requests:
        assert sum(part in request.text for part in parts) <= 1
        assert not request.knows_forms


@pytest.mark.parametrize("text", [STILL_BARE, ADDS], ids=["fixes nothing", "adds a finding"])
async def test_what_isnt_verified_is_undone(make_bench: MakeBench, text: str) -> None:
    source = SOURCE.replace("import os\n\n\n", "")
    bench = make_bench(source, select=("E722", "F401"))
    async with served(lambda _: Reply(text=text)) as (_, agent):
        report = await agent.work(bench.assignment())
    assert bench.text == source
    assert report.summary == "0 answers kept"
    assert report.refused


async def test_a_statement_outside_of_functions_is_rewritten_too(make_bench: MakeBench) -> None:
    bench = make_bench("import os, sys\n\nprint(sys.argv, os.name)\n", select=SELECT)
    async with served([Reply(text="```python\nimport os\nimport sys\n```")]) as (_, agent):
        await agent.work(bench.assignment())
    assert bench.text == "import os\nimport sys\n\nprint(sys.argv, os.name)\n"


async def test_an_answer_without_code_goes_back(make_bench: MakeBench) -> None:
    bench = make_bench(SOURCE, select=("E722",))
    async with served([Reply(text="Use OSError."), Reply(text=READ)]) as (server, agent):
        report = await agent.work(bench.assignment())
    assert report.summary == "1 answer kept"
    assert "no code block" in server.requests[1].text


async def test_two_findings_of_a_function_come_together_and_more_one_after_another(make_bench: MakeBench) -> None:
    body = "".join(f"    if value == {one}:\n        print(None == value)\n" for one in ("None", "None", "True"))
    bench = make_bench(f"def check(value):\n{body}", select=("E711",))
    async with served(lambda _: Reply(text="I don't know."), max_requests=1) as (server, agent):
        await agent.work(bench.assignment())
    assert [request.text.count("- E711:") for request in server.requests] == [2, 2, 1]


async def test_what_is_known_of_a_piece_is_told_with_it_alone(make_bench: MakeBench) -> None:
    bench = make_bench(SOURCE, select=("E722", "E711"))
    own = {"E722": "OURS: name the exception"}
    feedback = "read: fixes nothing\nBox.first: adds F821\nsomething else"
    async with served(lambda _: Reply(text="I don't know."), max_requests=1) as (server, agent):
        await agent.work(bench.assignment(feedback=feedback, material=Material(own_advice=own)))
    [read] = [request.text for request in server.requests if "def read(" in request.text]
    [first] = [request.text for request in server.requests if "def first(" in request.text]
    assert ("fixes nothing" in read, "fixes nothing" in first) == (True, False)
    assert ("adds F821" in read, "adds F821" in first) == (False, True)
    assert ("OURS" in read, "OURS" in first) == (True, False)
    assert "something else" not in read


async def test_a_function_too_long_for_the_context_is_left(make_bench: MakeBench) -> None:
    long = "def read(path):\n" + "    print(path, 'and so on and on')\n" * 200 + "    assert path != None\n"
    bench = make_bench(long, select=("E711",))
    async with served([], context_tokens=500) as (server, agent):
        report = await agent.work(bench.assignment())
    assert server.requests == []
    assert "too long" in report.refused[0]


async def test_what_was_verified_stays_when_the_server_goes_away(make_bench: MakeBench) -> None:
    bench = make_bench(SOURCE, select=("E722", "E711"))
    asked: list[str] = []

    def gone(request: Requested) -> Reply:
        asked.append(request.text)
        return Reply(text=INNER) if "def inner(" in request.text else Reply(status=400, text="gone")

    async with served(gone) as (_, agent):
        report = await agent.work(bench.assignment())
    assert "        def inner():\n            if other is None:\n" in bench.text
    assert report.summary == "1 answer kept"
    assert report.transcript.count("== asked") == len(asked) > 1
    async with served(lambda _: Reply(status=400, text="gone")) as (_, agent):
        with pytest.raises(AgentError, match="gone"):
            await agent.work(bench.assignment())
