"""A scripted model behind the interfaces that coding agents use: Anthropic's messages and OpenAI's responses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fanfold.testing.loopback import Loopback

KINDS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
Event = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """What the model says: words, and perhaps a call of a tool. A status of 400 and above is an error instead."""

    text: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    input_tokens: int = 100
    output_tokens: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the model was asked.

    Attributes:
        body: the JSON of the request.
        headers: of the request, names in lower case.
    """

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def tools(self) -> list[str]:
        """Names of the tools that the model may call."""
        return [str(tool.get("name", tool.get("type"))) for tool in self.body.get("tools") or ()]

    @property
    def results(self) -> int:
        """How many tools have answered so far."""
        if self.path.endswith("/responses"):
            return sum("output" in str(one.get("type")) for one in self.body.get("input", ()) if isinstance(one, dict))
        parts = (part for one in self.body.get("messages", ()) for part in _parts(one.get("content")))
        return sum(part.get("type") == "tool_result" for part in parts)


class ModelApi(Loopback):
    """A model whose answers a function gives, as one that agents' programs can be pointed at.

        async with ModelApi(lambda asked: Say(text="done")) as api:
            ... ANTHROPIC_BASE_URL=api.url, or a base URL of api.url + "/v1" for OpenAI's ...

    Attributes:
        requests: all that it was asked, in order.
    """

    def __init__(self, script: Callable[[Asked], Say], *, port: int = 0) -> None:
        self._script = script
        routes = [
            Route("/v1/messages", self._messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", self._count, methods=["POST"]),
            Route("/v1/responses", self._responses, methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/{rest:path}", _nothing, methods=["GET", "HEAD", "POST"]),
        ]
        super().__init__(Starlette(routes=routes), port=port)
        self.requests: list[Asked] = []

    async def _messages(self, request: Request) -> Response:
        asked, say = await self._answer(request)
        if say.status != 200:
            error = {"type": KINDS.get(say.status, "api_error"), "message": say.text or "made to fail"}
            return JSONResponse({"type": "error", "error": error}, status_code=say.status, headers=_again(say))
        if asked.body.get("stream"):
            return _streamed(_message_events(asked, say))
        return JSONResponse(_message(asked, say))

    async def _responses(self, request: Request) -> Response:
        asked, say = await self._answer(request)
        if say.status != 200:
            error = {"message": say.text or "made to fail", "type": "server_error", "code": None}
            return JSONResponse({"error": error}, status_code=say.status, headers=_again(say))
        if asked.body.get("stream"):
            return _streamed(_response_events(asked, say))
        return JSONResponse(_response(asked, say))

    async def _answer(self, request: Request) -> tuple[Asked, Say]:
        asked = Asked(path=request.url.path, body=await request.json(), headers=dict(request.headers))
        self.requests.append(asked)
        return asked, self._script(asked)

    async def _count(self, request: Request) -> Response:
        return JSONResponse({"input_tokens": len(await request.body()) // 4})

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "scripted", "object": "model"}], "models": []})


async def _nothing(_: Request) -> Response:
    return JSONResponse({})


def _again(say: Say) -> dict[str, str]:
    """What tells clients whether to try again."""
    return {"x-should-retry": "true" if say.status in {408, 409, 429} or say.status >= 500 else "false"}


def _parts(content: object) -> list[Mapping[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _streamed(events: Iterator[Event]) -> Response:
    text = "".join(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in events)
    return StreamingResponse(iter([text]), media_type="text/event-stream")


def _message(asked: Asked, say: Say) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked.body.get("model", "scripted"),
        "content": _content(asked, say),
        "stop_reason": "tool_use" if say.tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": say.input_tokens, "output_tokens": say.output_tokens},
    }


def _content(asked: Asked, say: Say) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = [{"type": "text", "text": say.text}] if say.text else []
    if say.tool:
        number = f"toolu_{asked.results + 1}"
        content.append({"type": "tool_use", "id": number, "name": say.tool, "input": dict(say.arguments)})
    return content


def _message_events(asked: Asked, say: Say) -> Iterator[Event]:
    whole = _message(asked, say)
    begun = {"input_tokens": say.input_tokens, "output_tokens": 1}
    yield "message_start", {"message": {**whole, "content": [], "stop_reason": None, "usage": begun}}
    for index, part in enumerate(whole["content"]):
        if part["type"] == "text":
            empty, delta = {**part, "text": ""}, {"type": "text_delta", "text": part["text"]}
        else:
            empty = {**part, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(part["input"])}
        yield "content_block_start", {"index": index, "content_block": empty}
        yield "content_block_delta", {"index": index, "delta": delta}
        yield "content_block_stop", {"index": index}
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"delta": end, "usage": {"output_tokens": say.output_tokens}}
    yield "message_stop", {}


def _response(asked: Asked, say: Say) -> dict[str, Any]:
    usage = {
        "input_tokens": say.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": say.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": say.input_tokens + say.output_tokens,
    }
    head = {"id": "resp_1", "object": "response", "status": "completed", "model": asked.body.get("model", "scripted")}
    return {**head, "output": list(_items(asked, say)), "usage": usage, "error": None}


def _items(asked: Asked, say: Say) -> Iterator[dict[str, Any]]:
    if say.text:
        part = {"type": "output_text", "text": say.text, "annotations": []}
        yield {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    if say.tool:
        number = asked.results + 1
        call = {"id": f"fc_{number}", "call_id": f"call_{number}", "name": say.tool, "status": "completed"}
        kinds = {str(tool.get("name")): tool.get("type") for tool in asked.body.get("tools") or ()}
        if kinds.get(say.tool) == "custom":  # its input is text, not JSON
            yield {"type": "custom_tool_call", **call, "input": str(say.arguments.get("input", ""))}
        else:
            yield {"type": "function_call", **call, "arguments": json.dumps(say.arguments)}


def _response_events(asked: Asked, say: Say) -> Iterator[Event]:
    number = itertools.count()
    whole = _response(asked, say)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield "response.created", {"sequence_number": next(number), "response": begun}
    for index, item in enumerate(whole["output"]):
        place = {"output_index": index}
        yield "response.output_item.added", {"sequence_number": next(number), **place, "item": item}
        if item["type"] == "message":
            delta = {"item_id": item["id"], "content_index": 0, "delta": say.text}
            yield "response.output_text.delta", {"sequence_number": next(number), **place, **delta}
        yield "response.output_item.done", {"sequence_number": next(number), **place, "item": item}
    yield "response.completed", {"sequence_number": next(number), "response": whole}
