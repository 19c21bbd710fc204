"""A language model's server whose answers are scripted: OpenAI's chat completions on a loopback port."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanfold.testing.loopback import NEEDED, Loopback

try:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route
except ImportError as error:
    raise ImportError(NEEDED) from error

CREATED = 1_733_900_000
PIECE_CHARS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the model, or of its server. One of `text`, `output`, `arguments` and `body`, or a status.

    Attributes:
        text: said as it is.
        output: data, given in the form that the request asks for: as the arguments of a tool, else as JSON text.
        arguments: of the tool, as they are, JSON or not.
        tool: that is called; None = the request's first one.
        body: the whole of the answer, as it is, well-formed or not.
        status: an HTTP status of 400 and above is an error of the server, `text` its message.
        retry_after: the header of that name.
        latency_s: seconds before the answer; hangs: it never comes.
        cut: a streamed answer breaks off in the middle, an unstreamed one too.
        finish: why the model ended; None = as it should.
        input_tokens, output_tokens: what it says that it took; None = about what was really said.
        usage: whether it says that at all.
        piece_s: seconds between two pieces of a streamed answer.
    """

    text: str | None = None
    output: Mapping[str, Any] | None = None
    arguments: str | None = None
    tool: str | None = None
    body: bytes | None = None
    status: int = 200
    retry_after: str | None = None
    latency_s: float = 0.0
    hangs: bool = False
    cut: bool = False
    finish: str | None = None
    input_tokens: int | None = 100
    output_tokens: int | None = 20
    usage: bool = True
    piece_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """What the server was asked.

    Attributes:
        body: the JSON of the request.
        authorized: whether it came with the server's key.
        at_s: when, on the event loop's clock.
    """

    path: str
    body: Mapping[str, Any]
    authorized: bool
    at_s: float = 0.0

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        """What was said so far: `role`, `content` and more."""
        return list(self.body.get("messages", ()))

    @property
    def text(self) -> str:
        """All that the model was told and shown, as one text."""
        return "\n".join(_text(message.get("content")) for message in self.messages)

    @property
    def tokens(self) -> int:
        """About as many tokens as all of the request has."""
        return _tokens(json.dumps([self.messages, self.body.get("tools", ())]))

    @property
    def knows_forms(self) -> bool:
        """Whether it asks for data, by a tool or by a schema."""
        return bool(self.body.get("tools")) or "response_format" in self.body

    @property
    def tools(self) -> list[str]:
        """Names of the tools that the model may call."""
        return [tool["function"]["name"] for tool in self.body.get("tools", ())]


Script = Sequence[Reply] | Callable[[Requested], Reply]


def by_content(answers: Mapping[str, Sequence[Reply]], otherwise: Reply | None = None) -> Callable[[Requested], Reply]:
    """A script for requests that come in any order: what one is about is told by a text that it holds.

    Args:
        answers: by such a text; the last one is given again and again. Of several texts the longest counts.
        otherwise: the answer to requests that hold none; None = 400.
    """
    left = {text: list(replies) for text, replies in answers.items()}

    def script(asked: Requested) -> Reply:
        found = max((text for text in left if text in asked.text), key=len, default=None)
        if found is None:
            return otherwise or Reply(status=400, text="the script has no answer to this")
        return left[found].pop(0) if len(left[found]) > 1 else left[found][0]

    return script


def without_forms(script: Callable[[Requested], Reply]) -> Callable[[Requested], Reply]:
    """The script of a server that knows neither tools nor schemas, and says so."""
    refusal = Reply(status=400, text="this model does not support tools or response_format")
    return lambda asked: refusal if asked.knows_forms else script(asked)


class ModelServer(Loopback):
    """A model whose answers are given beforehand, behind the API that most servers of models speak.

        async with ModelServer([Reply(status=429, retry_after="1"), Reply(output={"cause": "disk_full"})]) as server:
            settings = ModelSettings(model="scripted", base_url=server.url)

    Args:
        script: one answer a request, in order, or a function of the request. When it is over, the answer is 400.
        key: what Bearer authentication must be; None = any, or none.
        port: 0 = any free one.
    Attributes:
        requests: all that it was asked, in order.
        running: how many requests are under way now.
        peak: how many were so at the same time, at most.
    """

    def __init__(self, script: Script, *, key: str | None = None, port: int = 0) -> None:
        self._script = script if callable(script) else _in_order(script)
        self._bearer = key
        routes = [
            Route("/v1/chat/completions", self._complete, methods=["POST"]),
            Route("/v1/models", self._list, methods=["GET"]),
        ]
        super().__init__(Starlette(routes=routes), port=port)
        self.running = 0
        self.requests: list[Requested] = []
        self.peak = 0

    @property
    def url(self) -> str:
        """The base URL that clients are given: `http://127.0.0.1:8080/v1`."""
        return f"{super().url}/v1"

    async def _complete(self, request: Request) -> Response:
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            return await self._answer(request)
        finally:
            self.running -= 1

    async def _answer(self, request: Request) -> Response:
        asked = Requested(
            path=request.url.path,
            body=await request.json(),
            authorized=self._lets_in(request),
            at_s=asyncio.get_running_loop().time(),
        )
        self.requests.append(asked)
        if not asked.authorized:
            return _error(401, "Incorrect API key provided.")
        reply = self._script(asked)
        await asyncio.sleep(reply.latency_s)
        if reply.hangs:
            await asyncio.Event().wait()
        if reply.status != 200:
            return _error(reply.status, reply.text or "made to fail", reply.retry_after)
        if reply.body is not None:
            return Response(reply.body, media_type="application/json")
        if asked.body.get("stream"):
            return StreamingResponse(_streamed(asked, reply), media_type="text/event-stream")
        return _whole(asked, reply)

    async def _list(self, request: Request) -> Response:
        if not self._lets_in(request):
            return _error(401, "Incorrect API key provided.")
        return JSONResponse({"object": "list", "data": [{"id": "scripted", "object": "model", "owned_by": "fanfold"}]})

    def _lets_in(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return self._bearer is None or hmac.compare_digest(given.encode(), f"Bearer {self._bearer}".encode())


def _in_order(replies: Sequence[Reply]) -> Callable[[Requested], Reply]:
    left = iter(replies)
    # Not a status that anybody tries again after.
    return lambda _: next(left, Reply(status=400, text="the script is over"))


def _error(status: int, message: str, retry_after: str | None = None) -> Response:
    kind = {401: "invalid_request_error", 429: "rate_limit_exceeded"}.get(status, "server_error")
    headers = {} if retry_after is None else {"retry-after": retry_after}
    body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    return JSONResponse(body, status_code=status, headers=headers)


def _whole(asked: Requested, reply: Reply) -> Response:
    call, content = _said(asked, reply)
    message = {"role": "assistant", "content": content, **({"tool_calls": [call]} if call else {})}
    choice = {"index": 0, "message": message, "finish_reason": _finish(call, reply), "logprobs": None}
    body = {**_head(asked, "chat.completion"), "choices": [choice], **_told_usage(asked, reply)}
    text = json.dumps(body)
    return Response(text[: len(text) // 2] if reply.cut else text, media_type="application/json")


async def _streamed(asked: Requested, reply: Reply) -> AsyncIterator[str]:
    call, content = _said(asked, reply)
    head = _head(asked, "chat.completion.chunk")
    deltas = _deltas(call, content)
    for delta in deltas[: len(deltas) // 2] if reply.cut else deltas:
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        await asyncio.sleep(reply.piece_s)
    if reply.cut:
        return
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(call, reply)}]})
    if (asked.body.get("stream_options") or {}).get("include_usage") and reply.usage:
        yield _event({**head, "choices": [], **_told_usage(asked, reply)})
    yield "data: [DONE]\n\n"


def _deltas(call: dict[str, Any] | None, content: str | None) -> list[dict[str, Any]]:
    begin: dict[str, Any] = {"role": "assistant", "content": None if call else ""}
    if call is None:
        return [begin, *({"content": piece} for piece in _pieces(content or ""))]
    named = {"index": 0, **call, "function": {"name": call["function"]["name"], "arguments": ""}}
    pieces = _pieces(call["function"]["arguments"])
    rest = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    return [{**begin, "tool_calls": [named]}, *rest]


def _said(asked: Requested, reply: Reply) -> tuple[dict[str, Any] | None, str | None]:
    """A call of a tool, or text."""
    arguments = reply.arguments
    if arguments is None and reply.output is not None:
        arguments = json.dumps(reply.output)
    if arguments is None:
        return None, reply.text or ""
    name = reply.tool or next(iter(asked.tools), None)
    if name is None:
        return None, arguments
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}, reply.text


def _finish(call: object, reply: Reply) -> str:
    return reply.finish or ("tool_calls" if call else "stop")


def _head(asked: Requested, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": CREATED, "model": asked.body.get("model", "scripted")}


def _told_usage(asked: Requested, reply: Reply) -> dict[str, dict[str, int]]:
    if not reply.usage:
        return {}
    said = _said(asked, reply)
    answered = _tokens(f"{said[1] or ''}{json.dumps(said[0]) if said[0] else ''}")
    prompt = asked.tokens if reply.input_tokens is None else reply.input_tokens
    completion = answered if reply.output_tokens is None else reply.output_tokens
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}}


def _tokens(text: str) -> int:
    return len(text) // 4 + 1


def _event(chunk: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE_CHARS] for start in range(0, len(text), PIECE_CHARS)]


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""
