from __future__ import annotations

import asyncio
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, Tracer

from fanfold.engine import Failed, Folded, fan_out
from fanfold.engine.retry import retry
from fanfold.engine.tracing import TracingUnavailable, spans, traced
from fanfold.testing.clock import virtual_time


class Tracing:
    """A tracer, and the spans that it has made."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer: Tracer = provider.get_tracer("test")

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def span(self, name: str) -> ReadableSpan:
        [span] = self.spans(name)
        return span


def attributes(span: ReadableSpan) -> dict[str, object]:
    return {name.removeprefix("fanfold."): value for name, value in (span.attributes or {}).items()}


def is_beneath(span: ReadableSpan, outer: ReadableSpan) -> bool:
    return span.parent is not None and outer.context is not None and span.parent.span_id == outer.context.span_id


@virtual_time
async def test_a_branch_is_a_span_with_its_place_attempt_and_outcome() -> None:
    tracing = Tracing()

    @traced(tracing.tracer)
    async def look(item: str) -> str:
        with tracing.tracer.start_as_current_span("the user's own"):
            await asyncio.sleep(1)
        return item

    with tracing.tracer.start_as_current_span("around"):
        await fan_out(look, ["a"], limit=1)
    [name] = {span.name for span in tracing.spans(look.__qualname__)}
    span = tracing.span(name)
    assert attributes(span) == {"key": "a", "path": ("a",), "attempt": 1, "outcome": "done"}
    assert is_beneath(tracing.span("the user's own"), span)
    assert is_beneath(span, tracing.span("around"))
    assert span.status.status_code is StatusCode.UNSET


@virtual_time
async def test_branches_that_run_together_keep_their_spans_apart() -> None:
    tracing = Tracing()

    @traced(tracing.tracer, name="look")
    async def look(item: int) -> int:
        await asyncio.sleep(1 + item % 3)
        with tracing.tracer.start_as_current_span(f"inner {item}"):
            await asyncio.sleep(1)
        return item

    await fan_out(look, range(20), limit=7)
    by_key = {attributes(span)["key"]: span for span in tracing.spans("look")}
    assert len(by_key) == 20
    for number in range(20):
        assert is_beneath(tracing.span(f"inner {number}"), by_key[str(number)])


@virtual_time
async def test_an_error_is_recorded_and_its_arguments_are_not() -> None:
    tracing = Tracing()

    @traced(tracing.tracer, name="look")
    async def look(secret: str) -> str:
        raise ValueError(f"nothing for {len(secret)} letters")

    with pytest.raises(ValueError, match="nothing"):
        await look("password")
    span = tracing.span("look")
    assert attributes(span) == {"attempt": 1, "outcome": "failed"}
    assert span.status.status_code is StatusCode.ERROR
    [event] = span.events
    assert event.attributes
    assert event.attributes["exception.type"] == "ValueError"
    assert event.attributes["exception.message"] == "nothing for 8 letters"
    assert "password" not in span.to_json().replace('look("password")', "")


@virtual_time
async def test_a_cancelled_call_is_a_span_that_says_so() -> None:
    tracing = Tracing()

    @traced(tracing.tracer, name="look")
    async def look() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(look())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert attributes(tracing.span("look"))["outcome"] == "cancelled"


@virtual_time
async def test_inside_retry_each_attempt_is_a_span_and_around_it_all_are_one() -> None:
    tracing = Tracing()
    calls: list[str] = []

    async def flaky(item: str) -> str:
        calls.append(item)
        if len(calls) < 3:
            raise ConnectionError(f"call {len(calls)}")
        return item

    each = traced(tracing.tracer, name="each")(flaky)
    branch = traced(tracing.tracer, name="all")(retry(3)(each))
    await fan_out(branch, ["a"], limit=1)
    told = [(attributes(span)["attempt"], attributes(span)["outcome"]) for span in tracing.spans("each")]
    assert told == [(1, "failed"), (2, "failed"), (3, "done")]
    assert attributes(tracing.span("all"))["attempt"] == 3
    assert all(is_beneath(span, tracing.span("all")) for span in tracing.spans("each"))


@virtual_time
async def test_events_become_spans_nested_as_the_branches_are() -> None:
    tracing = Tracing()

    async def leaf(item: str) -> str:
        await asyncio.sleep(1)
        return item

    with tracing.tracer.start_as_current_span("around"):
        read = spans(tracing.tracer)

    async def branch(item: str) -> str:
        await fan_out(leaf, ["x", "y"], limit=2, on_event=read)
        return item

    await fan_out(branch, ["a", "b"], limit=2, on_event=read)
    read(Folded(("total",), 2))
    paths = {attributes(span)["path"]: span for name in "xyab" for span in tracing.spans(f"branch {name}")}
    assert set(paths) == {("a",), ("b",), ("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")}
    assert is_beneath(paths["a", "x"], paths[("a",)])
    assert is_beneath(paths["b", "y"], paths[("b",)])
    assert is_beneath(paths[("a",)], tracing.span("around"))
    assert is_beneath(tracing.span("fold"), tracing.span("around"))
    assert attributes(tracing.span("fold")) == {"fields": ("total",), "branches": 2}


@virtual_time
async def test_events_of_retries_and_failures_are_in_the_span() -> None:
    tracing = Tracing()

    @retry(2, wait_initial_s=0)
    async def branch(item: str) -> None:
        raise ConnectionError(f"no {item}")

    await fan_out(branch, ["a"], limit=1, on_event=spans(tracing.tracer))
    span = tracing.span("branch a")
    assert attributes(span) == {"key": "a", "path": ("a",), "attempt": 2, "outcome": "failed"}
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ConnectionError: no a"
    assert [event.name for event in span.events] == ["retry", "exception"]
    assert dict(span.events[0].attributes or {}) == {
        "fanfold.attempt": 1,
        "fanfold.wait_s": 0,
        "exception.type": "ConnectionError",
        "exception.message": "no a",
    }


@virtual_time
async def test_a_branch_that_never_started_is_a_span_of_its_failure() -> None:
    tracing = Tracing()

    async def branch(item: str) -> str:
        await asyncio.sleep(60)
        return item

    await fan_out(branch, ["a", "b"], limit=1, total_deadline_s=5, on_event=spans(tracing.tracer))
    assert attributes(tracing.span("branch a"))["outcome"] == "failed"
    description = tracing.span("branch b").status.description
    assert description
    assert description.startswith("BranchNotStarted: ")


@virtual_time
async def test_without_a_tracer_the_global_one_is_used() -> None:
    @traced()
    async def look(item: str) -> str:
        return item

    assert await look("a") == "a"
    await fan_out(look, ["a"], limit=1, on_event=spans())


def test_without_opentelemetry_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    for make in (traced, spans):
        with pytest.raises(TracingUnavailable, match="not installed") as raised:
            make()
        assert raised.value.hint == "run: pip install 'fanfold[otel]'"


class Mute(Exception):
    """As a client library's error that reads a response which it never got."""

    def __str__(self) -> str:
        raise AttributeError


@virtual_time
async def test_an_error_that_cant_be_rendered_is_recorded_by_its_type() -> None:
    tracing = Tracing()

    @retry(2, wait_initial_s=0)
    @traced(tracing.tracer, name="fail")
    async def fail(item: str) -> None:
        raise Mute(item)

    [outcome] = await fan_out(fail, ["a"], limit=1, on_event=spans(tracing.tracer))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Mute)
    for span in [*tracing.spans("fail"), tracing.span("branch a")]:
        assert span.status.description == "Mute: (its message can't be rendered)"
        assert (span.events[-1].attributes or {})["exception.message"] == "(its message can't be rendered)"


@virtual_time
async def test_an_error_is_recorded_once_with_its_traceback() -> None:
    tracing = Tracing()

    @traced(tracing.tracer, name="fail")
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    span = tracing.span("fail")
    [event] = span.events
    assert "in fail" in str((event.attributes or {})["exception.stacktrace"])
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError: no")
