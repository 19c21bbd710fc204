"""Send the spans of model calls to where the environment says: Langfuse, or whatever else takes OTLP."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fanfold.engine import TracingUnavailable

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@asynccontextmanager
async def exported(service: str = "fanfold") -> AsyncIterator[TracerProvider | None]:
    """A tracer provider for `Model.connect`, whose spans have been sent when the block ends.

    It goes by OpenTelemetry's own variables, as every exporter does: where to in OTEL_EXPORTER_OTLP_ENDPOINT, the key
    in OTEL_EXPORTER_OTLP_HEADERS. None = no endpoint is set, and so the global provider is used.

    Args:
        service: what the spans say that they come from.
    Raises:
        TracingUnavailable: an endpoint is set, and the exporter isn't installed.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS):
        yield None
        return
    try:
        exporter = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 the same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 the same
    except ImportError as error:
        raise TracingUnavailable(
            "sending spans needs OpenTelemetry's exporter, which isn't installed",
            hint="run: pip install 'fanfold[otel]'",
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter.OTLPSpanExporter()))
    try:
        yield provider
    finally:
        await asyncio.to_thread(provider.shutdown)
