"""Spans of model calls reach a server that takes OTLP, which is how Langfuse takes them."""

from __future__ import annotations

import sys

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fanfold.engine import TracingUnavailable
from fanfold.llm import Model, ModelSettings, exported
from fanfold.testing.loopback import Loopback
from fanfold.testing.model_server import ModelServer, Reply

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Collector(Loopback):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.authorizations: list[str | None] = []
        super().__init__(Starlette(routes=[Route("/v1/traces", self._take, methods=["POST"])]))

    async def _take(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        self.authorizations.append(request.headers.get("authorization"))
        return Response(b"", media_type="application/x-protobuf")


async def test_spans_are_sent_where_the_environment_says_before_the_block_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Collector() as collector, ModelServer([Reply(text="Lisboa")]) as server:
        monkeypatch.setenv(ENDPOINT, collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20cGs6c2s=")
        settings = ModelSettings(model="scripted", base_url=server.url, tracing="figures")
        async with exported() as spans, Model.connect(settings, tracer_provider=spans) as model:
            await model.ask("Which city?", str)
    assert any(b"chat scripted" in body and b"fanfold" in body for body in collector.bodies)
    assert set(collector.authorizations) == {"Basic cGs6c2s="}


async def test_without_an_endpoint_the_global_provider_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    async with exported() as spans:
        assert spans is None


async def test_without_the_exporter_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(TracingUnavailable) as raised:
        async with exported():
            pass
    assert "fanfold[otel]" in (raised.value.hint or "")
