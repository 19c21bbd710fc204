"""The scripted model speaks OpenAI's chat completions, whole and streamed, and fails as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from fanfold.testing.model_server import ModelServer, Reply, Requested, by_content, without_forms

TOOL = {"type": "function", "function": {"name": "answer", "parameters": {"type": "object"}}}
ASK: dict[str, Any] = {"model": "any", "messages": [{"role": "user", "content": "Which city?"}]}


class City(BaseModel):
    name: str


@asynccontextmanager
async def served(script: Any, **options: Any) -> AsyncIterator[tuple[ModelServer, httpx.AsyncClient]]:
    async with (
        ModelServer(script, **options) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as client,
    ):
        yield server, client


async def test_answers_come_in_the_order_of_the_script_until_it_is_over() -> None:
    async with served([Reply(text="one"), Reply(text="two")]) as (server, client):
        answers = [await client.post("/chat/completions", json=ASK) for _ in range(3)]
    assert [answer.json()["choices"][0]["message"]["content"] for answer in answers[:2]] == ["one", "two"]
    assert answers[2].status_code == 400
    assert len(server.requests) == 3
    assert server.requests[0].text == "Which city?"


async def test_data_is_given_in_the_form_that_is_asked_for() -> None:
    async with served([Reply(output={"name": "Lisboa"})] * 2) as (_, client):
        plain = (await client.post("/chat/completions", json=ASK)).json()["choices"][0]
        called = (await client.post("/chat/completions", json={**ASK, "tools": [TOOL]})).json()["choices"][0]
    assert json.loads(plain["message"]["content"]) == {"name": "Lisboa"}
    function = called["message"]["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == ("answer", {"name": "Lisboa"})
    assert (plain["finish_reason"], called["finish_reason"]) == ("stop", "tool_calls")


async def test_a_script_may_be_a_function_of_what_is_asked() -> None:
    def script(asked: Requested) -> Reply:
        return Reply(text=asked.text.upper())

    async with served(script) as (_, client):
        answer = (await client.post("/chat/completions", json=ASK)).json()
    assert answer["choices"][0]["message"]["content"] == "WHICH CITY?"


@pytest.mark.parametrize("tools", [[], [TOOL]])
async def test_a_streamed_answer_is_the_same_in_pieces(tools: list[Any]) -> None:
    told = {"name": "Lisboa, capital de Portugal"}
    asked = {**ASK, "tools": tools, "stream": True, "stream_options": {"include_usage": True}}
    async with served([Reply(output=told)]) as (_, client):
        answer = await client.post("/chat/completions", json=asked)
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    if tools:
        pieces = [delta["tool_calls"][0]["function"]["arguments"] for delta in deltas if "tool_calls" in delta]
    else:
        pieces = [delta.get("content") or "" for delta in deltas]
    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == told
    assert chunks[-1]["usage"]["total_tokens"] == 120


async def test_a_client_of_the_library_reads_its_stream() -> None:
    async with ModelServer([Reply(output={"name": "Lisboa"})]) as server:
        model = OpenAIChatModel("any", provider=OpenAICompatibleProvider("scripted", base_url=server.url))
        async with model, Agent(model, output_type=City).run_stream("Which city?") as result:
            assert await result.get_output() == City(name="Lisboa")
    assert server.requests[0].body["stream"] is True


async def test_an_answer_that_is_cut_breaks_off_in_the_middle() -> None:
    async with served([Reply(text="x" * 200, cut=True)] * 2) as (_, client):
        whole = await client.post("/chat/completions", json=ASK)
        streamed = await client.post("/chat/completions", json={**ASK, "stream": True})
    with pytest.raises(json.JSONDecodeError):
        whole.json()
    assert "x" * 16 in streamed.text
    assert "[DONE]" not in streamed.text


@pytest.mark.parametrize("status", [400, 429, 500, 503])
async def test_a_failure_has_its_status_and_says_when_to_come_back(status: int) -> None:
    async with served([Reply(status=status, text="busy", retry_after="7")]) as (_, client):
        answer = await client.post("/chat/completions", json=ASK)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert answer.json()["error"]["message"] == "busy"


async def test_a_body_can_be_anything() -> None:
    async with served([Reply(body=b"<html>")]) as (_, client):
        assert (await client.post("/chat/completions", json=ASK)).content == b"<html>"


async def test_only_its_key_is_let_in_and_no_request_shows_it() -> None:
    async with served([Reply(text="in")], key="4711") as (server, client):
        refused = await client.post("/chat/completions", json=ASK)
        let_in = await client.post("/chat/completions", json=ASK, headers={"Authorization": "Bearer 4711"})
        listed = await client.get("/models", headers={"Authorization": "Bearer 4711"})
        unlisted = await client.get("/models")
    assert [refused.status_code, let_in.status_code, listed.status_code, unlisted.status_code] == [401, 200, 200, 401]
    assert [request.authorized for request in server.requests] == [False, True]
    assert "4711" not in repr(server.requests)


async def test_a_hanging_answer_ends_with_the_server() -> None:
    async with ModelServer([Reply(hangs=True)] * 2) as server, httpx.AsyncClient(trust_env=False) as client:
        hanging = [asyncio.create_task(client.post(f"{server.url}/chat/completions", json=ASK)) for _ in range(2)]
        while server.peak < 2:
            await asyncio.sleep(0.005)
        await server.__aexit__(None, None, None)
        ended = await asyncio.gather(*hanging, return_exceptions=True)
    # Broken off or an error of the server: in any case no answer.
    assert all(isinstance(each, httpx.HTTPError) or each.status_code == 500 for each in ended)  # type: ignore[union-attr]


async def test_requests_in_any_order_are_answered_by_what_they_are_about() -> None:
    script = by_content({"Lisboa": [Reply(text="1"), Reply(text="2")], "Lisboa and Roma": [Reply(text="3")]})
    async with served(script) as (_, client):

        async def answer(question: str) -> Any:
            asked = {**ASK, "messages": [{"role": "user", "content": question}]}
            return (await client.post("/chat/completions", json=asked)).json()

        told = [await answer(text) for text in ("in Lisboa?", "Lisboa and Roma?", "Lisboa", "Lisboa", "Paris")]
    assert [one["choices"][0]["message"]["content"] for one in told[:4]] == ["1", "3", "2", "2"]
    assert "no answer" in told[4]["error"]["message"]


async def test_a_server_may_know_no_tools_and_no_schemas() -> None:
    async with served(without_forms(lambda _: Reply(text="yes"))) as (_, client):
        refused = [
            await client.post("/chat/completions", json={**ASK, **form})
            for form in ({"tools": [TOOL]}, {"response_format": {"type": "json_object"}})
        ]
        plain = await client.post("/chat/completions", json=ASK)
    assert [one.status_code for one in (*refused, plain)] == [400, 400, 200]
    assert "support tools" in refused[0].json()["error"]["message"]


async def test_what_an_answer_took_may_be_counted_or_not_told() -> None:
    replies = [Reply(text="a" * 400, input_tokens=None, output_tokens=None), Reply(text="yes", usage=False)]
    async with served(replies) as (server, client):
        counted = (await client.post("/chat/completions", json=ASK)).json()["usage"]
        assert "usage" not in (await client.post("/chat/completions", json=ASK)).json()
    assert counted["completion_tokens"] == pytest.approx(100, abs=2)
    assert counted["prompt_tokens"] == server.requests[0].tokens
    assert server.requests[0].at_s <= server.requests[1].at_s
