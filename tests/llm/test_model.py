"""A model is asked over real HTTP: what it answers, what it takes, and what keeps it from answering."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel
from pydantic_ai import models
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage

from fanfold.config.secret import Secret
from fanfold.llm import Asked, Model, ModelError, ModelSettings, ModelUnusable, Usage, counted
from fanfold.testing.model_server import ModelServer, Reply

KEY = "not-a-real-key-4711"


class City(BaseModel):
    name: str
    people: int


LISBON = Reply(output={"name": "Lisboa", "people": 545_000})


@asynccontextmanager
async def connected(
    *script: Reply, key: str | None = None, tracer_provider: TracerProvider | None = None, **settings: Any
) -> AsyncIterator[tuple[ModelServer, Model]]:
    async with ModelServer(script, key=key) as server:
        told = ModelSettings(model="scripted", base_url=server.url, **settings)
        async with Model.connect(told, tracer_provider=tracer_provider) as model:
            yield server, model


@pytest.mark.parametrize("output", ["tool", "schema", "words"])
async def test_an_answer_has_the_form_that_was_asked_for(output: str) -> None:
    async with connected(LISBON, output=output) as (server, model):
        asked: Asked[City] = await model.ask("Which city?", City, instructions="Be brief.")
    assert asked.output == City(name="Lisboa", people=545_000)
    (request,) = server.requests
    assert bool(request.tools) == (output == "tool")
    assert ("json_schema" in str(request.body.get("response_format"))) == (output == "schema")
    assert "Be brief." in request.text
    assert "Which city?" in request.text


async def test_text_is_an_answer_too() -> None:
    async with connected(Reply(text="Lisboa")) as (_, model):
        assert (await model.ask("Which city?", str)).output == "Lisboa"


async def test_what_an_answer_took_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fanfold.llm")
    async with connected(LISBON, LISBON) as (_, model):
        first = await model.ask("Which city?", City)
        await model.ask("Which city?", City)
        assert first.usage == Usage(requests=1, input_tokens=100, output_tokens=20)
        assert model.used == Usage(requests=2, input_tokens=200, output_tokens=40)
    assert first.elapsed_s > 0
    record = next(record for record in caplog.records if record.message == "model_asked")
    assert record.__dict__["input_tokens"] == 100
    assert record.__dict__["model"] == "scripted"


def test_costs_add_up_where_all_of_them_are_known() -> None:
    assert (Usage(requests=1, cost_usd=0.5) + Usage() + Usage(requests=1, cost_usd=0.25)).cost_usd == 0.75
    assert (Usage(requests=1, cost_usd=0.5) + Usage(requests=1)).cost_usd is None
    assert (Usage() + Usage()).cost_usd is None


async def test_each_block_counts_what_is_asked_within_it() -> None:
    async with connected(*[LISBON] * 4) as (_, model):
        with counted() as all_of_it:
            await model.ask("Which city?", City)
            with counted() as some:
                async with asyncio.TaskGroup() as group:
                    group.create_task(model.ask("Which city?", City))
                    group.create_task(model.ask("Which city?", City))
        await model.ask("Which city?", City)
    assert (some.usage.requests, some.usage.input_tokens, some.asked) == (2, 200, 2)
    assert (all_of_it.usage.requests, all_of_it.usage.output_tokens, all_of_it.asked) == (3, 60, 3)


async def test_cost_is_that_of_the_public_prices_and_unknown_elsewhere() -> None:
    figures = RequestUsage(input_tokens=10_000, output_tokens=1_000)
    reply = ModelResponse([TextPart("Lisboa")], usage=figures, model_name="gpt-4o", provider_name="openai")
    for model, known in ((FunctionModel(lambda *_: reply, model_name="gpt-4o"), True), (TestModel(), False)):
        asked = await Model(model, ModelSettings(model="x")).ask("Which city?", str)
        assert (asked.usage.cost_usd is not None) == known
        assert asked.usage.cost_usd is None or asked.usage.cost_usd > 0


async def test_server_that_calls_its_own_model_by_a_known_name_has_no_price() -> None:
    async with (
        ModelServer([Reply(text="Lisboa")]) as server,
        Model.connect(ModelSettings(model="gpt-4o", base_url=server.url)) as model,
    ):
        assert (await model.ask("Which city?", str)).usage.cost_usd is None


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_that_fails_for_a_while_is_asked_again(status: int) -> None:
    async with connected(Reply(status=status, retry_after="0"), LISBON) as (server, model):
        assert (await model.ask("Which city?", City)).output.name == "Lisboa"
    assert len(server.requests) == 2


async def test_an_answer_that_is_cut_off_is_asked_for_again_or_refused() -> None:
    async with connected(*[Reply(output=LISBON.output, cut=True)] * 3, attempts=1) as (_, model):
        with pytest.raises(ModelError):
            await model.ask("Which city?", City)


async def test_a_server_that_goes_on_failing_is_given_up() -> None:
    async with connected(*[Reply(status=500, retry_after="0")] * 9, attempts=2) as (server, model):
        with pytest.raises(ModelError, match="scripted gave no answer"):
            await model.ask("Which city?", City)
    assert len(server.requests) == 2


async def test_a_longer_wait_than_there_is_time_for_is_not_begun() -> None:
    async with connected(Reply(status=429, retry_after="3600"), LISBON, timeout_seconds=20) as (server, model):
        with pytest.raises(ModelError):
            await model.ask("Which city?", City)
    assert len(server.requests) == 1


async def test_a_request_that_is_refused_is_not_sent_again() -> None:
    async with connected(Reply(status=400, text="no such thing"), LISBON) as (server, model):
        with pytest.raises(ModelError, match="no such thing"):
            await model.ask("Which city?", City)
    assert len(server.requests) == 1


async def test_a_server_that_hangs_costs_its_time_and_no_more() -> None:
    async with connected(Reply(hangs=True), timeout_seconds=0.3) as (_, model):
        with pytest.raises(ModelError, match=r"didn't answer in 0\.3 s"):
            await model.ask("Which city?", City)


async def test_a_server_out_of_reach_is_an_error_with_a_hint() -> None:
    async with ModelServer([]) as server:
        url = server.url
    async with Model.connect(ModelSettings(model="scripted", base_url=url, attempts=1)) as model:
        with pytest.raises(ModelError) as raised:
            await model.ask("Which city?", City)
    assert raised.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        Reply(arguments='{"name": "Lis'),
        Reply(arguments='{"name": "Lisboa", "people": "many"}'),
        Reply(text="I would rather talk about the weather"),
    ],
)
async def test_an_answer_of_another_form_is_given_back_to_the_model(wrong: Reply) -> None:
    async with connected(wrong, LISBON) as (server, model):
        asked = await model.ask("Which city?", City)
    assert asked.output.people == 545_000
    assert asked.usage.requests == len(server.requests) == 2


async def test_a_model_that_never_finds_the_form_is_given_up() -> None:
    async with connected(*[Reply(arguments="{}")] * 9, max_requests=2) as (server, model):
        with pytest.raises(ModelError):
            await model.ask("Which city?", City)
        assert model.used.requests == 2
    assert len(server.requests) == 2


async def test_a_body_that_is_no_json_is_an_error() -> None:
    async with connected(*[Reply(body=b'{"choices": [')] * 3, attempts=1) as (_, model):
        with pytest.raises(ModelError):
            await model.ask("Which city?", City)


async def test_more_tokens_than_allowed_are_an_error() -> None:
    async with connected(Reply(output=LISBON.output, input_tokens=900), max_total_tokens=500) as (_, model):
        with pytest.raises(ModelError, match="more than is allowed"):
            await model.ask("Which city?", City)
        assert model.used.input_tokens == 900


async def test_the_key_is_sent_and_shown_to_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SCRIPTED_ACCESS", KEY)
    caplog.set_level(logging.INFO)
    secret = Secret.from_env("SCRIPTED_ACCESS")
    async with connected(LISBON, key=KEY, api_key=secret) as (server, model):
        await model.ask(f"The log says {KEY}; which city?", City)
        assert KEY not in repr(model)
    assert server.requests[0].authorized
    assert KEY not in server.requests[0].text
    assert KEY not in caplog.text


async def test_a_wrong_key_is_an_error_that_does_not_show_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    async with connected(LISBON, key="another", api_key=Secret.from_file(file)) as (server, model):
        with pytest.raises(ModelUnusable, match="refused the key") as raised:
            await model.ask("Which city?", City)
    assert KEY not in str(raised.value)
    assert len(server.requests) == 1


async def test_what_comes_to_no_server_takes_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    async with Model.connect(ModelSettings(model="scripted", base_url=nowhere, attempts=2)) as model:
        with pytest.raises(ModelError, match="gave no answer") as raised:
            await model.ask("Which city?", City)
    assert (raised.value.usage.requests, raised.value.usage.input_tokens) == (0, 0)


async def test_a_servers_own_words_are_told_without_what_stands_around_them() -> None:
    async with connected(LISBON, key="another", attempts=1) as (_, model):
        with pytest.raises(ModelUnusable) as raised:
            await model.ask("Which city?", City)
    assert raised.value.message == "scripted refused the key: 401: Incorrect API key provided."


async def test_a_server_that_repeats_the_key_does_not_bring_it_into_logs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SCRIPTED_ACCESS", KEY)
    said = Reply(status=500, text=f"key {KEY} is not welcome", retry_after="0")
    async with connected(said, said, attempts=2, api_key=Secret.from_env("SCRIPTED_ACCESS")) as (_, model):
        with pytest.raises(ModelError, match="is not welcome") as raised:
            await model.ask("Which city?", City)
    logging.getLogger("test").warning("failed", exc_info=raised.value)
    assert "is not welcome" in caplog.text
    assert KEY not in caplog.text


async def test_a_key_of_openai_is_not_sent_to_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with connected(LISBON, key=KEY) as (server, model):
        with pytest.raises(ModelUnusable):
            await model.ask("Which city?", City)
    assert not server.requests[0].authorized


async def test_secrets_are_masked_in_all_that_a_model_is_told() -> None:
    async with connected(LISBON) as (server, model):
        await model.ask("password = 'tr0ub4dor&3'", City, instructions="AKIAIOSFODNN7EXAMPLE")
    assert "tr0ub4dor" not in server.requests[0].text
    assert "AKIAIOSFODNN7EXAMPLE" not in server.requests[0].text


@pytest.mark.parametrize(
    ("model", "says"),
    [("gpt", "can't be asked"), ("nobody:gpt", "can't be asked"), ("openai:gpt-5", "there is no key for openai:gpt-5")],
)
async def test_a_model_that_nobody_knows_or_has_a_key_for_is_refused(
    model: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ModelUnusable, match=says) as raised:
        async with Model.connect(ModelSettings(model=model)):
            pass
    assert ("export OPENAI_API_KEY" in str(raised.value.hint)) is (model == "openai:gpt-5")


async def test_a_provider_is_given_the_key_from_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("SCRIPTED_ACCESS", KEY)
    async with ModelServer([LISBON], key=KEY) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        settings = ModelSettings(model="openai-chat:scripted", api_key=Secret.from_env("SCRIPTED_ACCESS"))
        async with Model.connect(settings) as model:
            assert (await model.ask("Which city?", City)).output.name == "Lisboa"


async def test_no_request_is_sent_where_none_is_allowed() -> None:
    async with connected(LISBON) as (server, model):
        with models.override_allow_model_requests(False), pytest.raises(ModelUnusable, match="not allowed"):
            await model.ask("Which city?", City)
    assert server.requests == []


async def test_a_model_of_pydantic_ai_can_be_used_as_it_is() -> None:
    model = Model(TestModel(custom_output_args={"name": "Porto", "people": 1}), ModelSettings(model="test"))
    assert (await model.ask("Which city?", City)).output.name == "Porto"


@pytest.mark.parametrize("tracing", ["off", "figures", "content"])
async def test_requests_are_spans_where_that_is_wanted(tracing: str) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with connected(LISBON, tracing=tracing, tracer_provider=provider) as (_, model):
        await model.ask("Which city? password = 'tr0ub4dor&3'", City)
    spans = exporter.get_finished_spans()
    shown = "".join(str(dict(span.attributes or {})) for span in spans)
    assert any(span.name.startswith("chat scripted") for span in spans) == (tracing != "off")
    assert ("gen_ai.usage.input_tokens" in shown) == (tracing != "off")
    assert ("Which city?" in shown) == ("Lisboa" in shown) == (tracing == "content")
    assert "tr0ub4dor" not in shown


@pytest.mark.parametrize("url", ["http://user:secret@127.0.0.1/v1", "127.0.0.1/v1", "file:///etc/passwd"])
def test_a_base_url_is_a_web_address_without_a_password(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        ModelSettings(model="any", base_url=url)


def test_a_key_in_settings_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="a secret is not written into settings") as raised:
        ModelSettings.model_validate({"model": "openai:gpt-5", "api_key": KEY})
    assert KEY not in str(raised.value)
