from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from fanfold.testing.model_api import Asked, ModelApi, Say

TOOLS = [{"name": "Edit", "input_schema": {}}]


def script(asked: Asked) -> Say:
    return Say(text="Done.") if asked.results else Say(text="First", tool="Edit", arguments={"path": "a.py"})


def events(said: httpx.Response) -> Iterator[Mapping[str, Any]]:
    return (json.loads(line.removeprefix("data: ")) for line in said.text.splitlines() if line.startswith("data: "))


async def ask(api: ModelApi, path: str, **body: Any) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"{api.url}/v1/{path}", json={"model": "scripted", **body})


async def test_messages_call_tools_until_they_have_answered() -> None:
    asked = {"role": "user", "content": "fix it"}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]}
    async with ModelApi(script) as api:
        first = (await ask(api, "messages", messages=[asked], tools=TOOLS)).json()
        last = (await ask(api, "messages", messages=[asked, result], tools=TOOLS)).json()
        assert api.requests[0].tools == ["Edit"]
    assert [part["type"] for part in first["content"]] == ["text", "tool_use"]
    assert first["content"][1]["input"] == {"path": "a.py"}
    assert (first["stop_reason"], last["stop_reason"]) == ("tool_use", "end_turn")
    assert last["content"] == [{"type": "text", "text": "Done."}]


async def test_streamed_messages_say_the_same() -> None:
    async with ModelApi(script) as api:
        said = list(events(await ask(api, "messages", messages=[], tools=TOOLS, stream=True)))
    assert [said[0]["type"], said[-1]["type"]] == ["message_start", "message_stop"]
    deltas = [one["delta"] for one in said if one["type"] == "content_block_delta"]
    assert deltas[0] == {"type": "text_delta", "text": "First"}
    assert json.loads(deltas[1]["partial_json"]) == {"path": "a.py"}


@pytest.mark.parametrize("stream", [True, False])
async def test_responses_call_tools_until_they_have_answered(stream: bool) -> None:
    result = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
    async with ModelApi(script) as api:
        answers = [await ask(api, "responses", input=given, tools=TOOLS, stream=stream) for given in ([], [result])]
    whole = [list(events(one))[-1]["response"] if stream else one.json() for one in answers]
    assert [item["type"] for item in whole[0]["output"]] == ["message", "function_call"]
    assert json.loads(whole[0]["output"][1]["arguments"]) == {"path": "a.py"}
    assert [item["type"] for item in whole[1]["output"]] == ["message"]
    assert whole[0]["usage"]["total_tokens"] == 120


@pytest.mark.parametrize("path", ["messages", "responses"])
async def test_an_error_says_whether_to_try_again(path: str) -> None:
    async with ModelApi(lambda _: Say(status=401, text="no key")) as api:
        said = await ask(api, path)
    assert (said.status_code, said.headers["x-should-retry"]) == (401, "false")
    assert "no key" in said.text
