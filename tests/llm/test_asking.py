"""Between a question and its answer: it is paid for, waits for its turn, and may have to be put in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from fanfold.errors import FanfoldError
from fanfold.llm import AnswerUnusable, InWords, Model, ModelError, ModelSettings, ModelUnusable, Refused, Unpaid, Usage
from fanfold.testing.model_server import ModelServer, Reply, Requested, by_content, without_forms


class City(BaseModel):
    name: str
    people: int


OUTPUT: dict[str, Any] = {"name": "Lisboa", "people": 545_000}
LISBON = Reply(output=OUTPUT)


@asynccontextmanager
async def connected(script: Any, **settings: Any) -> AsyncIterator[tuple[ModelServer, Model]]:
    async with ModelServer(script) as server:
        model = Model.of(ModelSettings(model="scripted", base_url=server.url, **settings))
        async with model.opened():
            yield server, model


class Short(FanfoldError):
    pass


@dataclass
class CountingPurse:
    """Refuses what would go beyond `tokens`, and remembers what was set aside and what it came to."""

    tokens: int = 1_000_000
    reserved: list[tuple[int, float | None]] = field(default_factory=list)
    settled: list[Usage] = field(default_factory=list)

    async def reserve_in_turn(self, *, tokens: int, cost_usd: float | None = None) -> CountingPurse:
        if sum(one.input_tokens + one.output_tokens for one in self.settled) + tokens > self.tokens:
            raise Short("not so much is left")
        self.reserved.append((tokens, cost_usd))
        return self

    def settle(self, usage: Usage) -> None:
        self.settled.append(usage)


async def at_least_a_million(city: City) -> None:
    if city.people < 1_000_000:
        raise Refused("a larger one")


async def test_an_answer_of_no_use_goes_back_with_the_reason() -> None:
    async with connected([LISBON, Reply(output={"name": "Roma", "people": 2_700_000})]) as (server, model):
        asked = await model.ask("Which city?", City, check=at_least_a_million)
    assert asked.output.name == "Roma"
    assert "a larger one" in server.requests[1].text
    assert "Lisboa" in asked.said
    assert "a larger one" in asked.said


async def test_an_answer_that_stays_of_no_use_is_an_error_that_says_why_and_what_it_took() -> None:
    async with connected([LISBON] * 9, max_requests=2) as (server, model):
        with pytest.raises(AnswerUnusable, match="scripted gave no answer that can be used: a larger one") as caught:
            await model.ask("Which city?", City, check=at_least_a_million)
    assert len(server.requests) == 2
    assert caught.value.usage == Usage(requests=2, input_tokens=200, output_tokens=40)
    assert "Lisboa" in caught.value.said


@pytest.mark.parametrize("form", ["tool", "schema", "words"])
async def test_an_error_says_what_was_wrong_with_the_form_of_an_answer(form: str) -> None:
    many = Reply(output={"name": "Lisboa", "people": "many"})
    async with connected([many] * 3, output=form) as (_, model):
        with pytest.raises(AnswerUnusable, match="of the form that was asked for: people: Input should be a valid int"):
            await model.ask("Which city?", City)


async def test_a_failure_in_the_middle_of_a_conversation_doesnt_begin_it_again() -> None:
    busy = Reply(status=429, retry_after="0")
    async with connected([Reply(output={"name": "Lisboa"}), busy, LISBON]) as (server, model):
        assert (await model.ask("Which city?", City)).output.people == 545_000
    sizes = [len(request.messages) for request in server.requests]
    assert sizes == [1, 3, 3]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_may_come_in_pieces(stream: bool) -> None:
    async with connected([LISBON], stream=stream) as (server, model):
        asked = await model.ask("Which city?", City)
    assert asked.output == City(**OUTPUT)
    assert asked.usage == Usage(requests=1, input_tokens=100, output_tokens=20)
    assert bool(server.requests[0].body.get("stream")) == stream


async def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    async with connected([Reply(output=OUTPUT, cut=True), LISBON], stream=True) as (server, model):
        assert (await model.ask("Which city?", City)).output == City(**OUTPUT)
    assert len(server.requests) == 2


async def test_plain_text_that_breaks_off_isnt_taken_for_an_answer() -> None:
    async with connected([Reply(text="Lisboa or rather Roma, which is larger", cut=True)] * 9, stream=True) as (
        _,
        model,
    ):
        with pytest.raises(ModelError, match="broke off"):
            await model.ask("Which city?", str)


async def test_a_slow_answer_has_its_time_and_no_more() -> None:
    slow = Reply(text="a long story of a city by the sea, told slowly", piece_s=0.2)
    async with connected([slow, slow], stream=True, timeout_seconds=0.3) as (_, model):
        with pytest.raises(ModelError, match=r"didn't answer in 0\.3 s"):
            await model.ask("Which city?", str)


@pytest.mark.parametrize("output", ["tool", "schema"])
async def test_a_server_that_knows_no_forms_is_asked_in_words_from_then_on(output: str) -> None:
    script = without_forms(lambda _: Reply(text='Here it is: {"name": "Lisboa", "people": 545000}'[12:]))
    async with connected(script, output=output) as (server, model):
        for _ in range(2):
            assert (await model.ask("Which city?", City)).output == City(**OUTPUT)
    assert [request.knows_forms for request in server.requests] == [True, False, False]


async def test_words_are_read_as_the_caller_wants_them() -> None:
    def read(text: str) -> City:
        name, _, people = text.partition(":")
        if not people.isdigit():
            raise Refused("write NAME:PEOPLE")
        return City(name=name, people=int(people))

    words = InWords("Answer as NAME:PEOPLE.", read)
    script = [Reply(text="Lisboa"), Reply(text="Lisboa:545000")]
    async with connected(script, output="words") as (server, model):
        assert (await model.ask("Which city?", City, in_words=words)).output == City(**OUTPUT)
    assert "Answer as NAME:PEOPLE." in server.requests[0].text
    assert "write NAME:PEOPLE" in server.requests[1].text


async def test_a_model_that_calls_no_tool_is_asked_in_words_within_the_same_number_of_requests() -> None:
    def script(asked: Requested) -> Reply:
        return Reply(text="I'd say Lisboa") if asked.knows_forms else Reply(text='{"name": "Lisboa", "people": 545000}')

    async with connected(script) as (server, model):
        for _ in range(3):
            assert (await model.ask("Which city?", City)).output == City(**OUTPUT)
    # Twice it might have been a slip.
    assert [request.knows_forms for request in server.requests] == [True, True, False] * 2 + [False]


async def test_a_request_that_is_too_long_isnt_taken_for_a_server_without_forms() -> None:
    long = Reply(status=400, text="maximum context length is 8192 tokens, you sent 9000 (100 in the tools)")
    async with connected([long, LISBON]) as (server, model):
        with pytest.raises(ModelError, match="maximum context length"):
            await model.ask("Which city?", City)
    assert len(server.requests) == 1


async def test_each_request_is_paid_for_before_it_is_sent_and_settled_after_it() -> None:
    purse = CountingPurse()
    async with connected([Reply(status=500), LISBON], price_per_million=(1.0, 10.0), max_tokens=500) as (_, model):
        asked = await model.ask("Which city?" * 50, City, purse=purse)
    assert len(purse.reserved) == len(purse.settled) == 2
    tokens, cost_usd = purse.reserved[0]
    assert tokens > 500
    assert cost_usd == pytest.approx(((tokens - 500) * 1.0 + 500 * 10.0) / 1e6)
    assert purse.settled == [Usage(cost_usd=0.0), asked.usage]
    assert asked.usage.cost_usd == pytest.approx((100 * 1.0 + 20 * 10.0) / 1e6)


@pytest.mark.parametrize("status", [408, 504, 524])
async def test_an_answer_that_a_server_in_between_didnt_wait_for_counts_in_full(status: int) -> None:
    purse = CountingPurse()
    async with connected([Reply(status=status), LISBON]) as (_, model):
        asked = await model.ask("Which city?", City, purse=purse)
    lost, answered = purse.settled
    assert lost.input_tokens + lost.output_tokens == purse.reserved[0][0]
    assert asked.usage == lost + answered


async def test_what_a_purse_refuses_isnt_sent_and_isnt_tried_again() -> None:
    async with connected([LISBON]) as (server, model):
        with pytest.raises(Unpaid, match="not so much is left") as caught:
            await model.ask("Which city?", City, purse=CountingPurse(tokens=100))
    assert isinstance(caught.value.why, Short)
    assert server.requests == []


async def test_an_answer_that_never_came_counts_in_full() -> None:
    purse = CountingPurse()
    async with connected([Reply(hangs=True)], timeout_seconds=0.3, max_tokens=700) as (_, model):
        with pytest.raises(ModelError):
            await model.ask("Which city?", City, purse=purse)
    [usage], [(tokens, _)] = purse.settled, purse.reserved
    assert usage.input_tokens + usage.output_tokens == tokens
    assert model.used == usage


async def test_who_is_cancelled_has_paid_for_what_was_sent() -> None:
    purse = CountingPurse()
    async with connected([Reply(hangs=True)]) as (server, model):
        asking = asyncio.create_task(model.ask("Which city?", City, purse=purse))
        while not server.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert len(purse.settled) == 1
    assert purse.settled[0].output_tokens > 0


async def test_an_answer_without_figures_is_estimated() -> None:
    async with connected([Reply(text="Lisboa " * 30, usage=False)], stream=True) as (_, model):
        usage = (await model.ask("Which city?" * 100, str)).usage
    assert usage.requests == 1
    assert 300 <= usage.input_tokens <= 1_100
    assert 30 <= usage.output_tokens <= 210


async def test_after_too_many_requests_all_who_ask_wait() -> None:
    script = by_content({"first": [Reply(status=429, retry_after="0.4"), LISBON], "second": [LISBON]})
    async with connected(script) as (server, model):
        first = asyncio.create_task(model.ask("first", City))
        while not server.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await model.ask("second", City)
        await first
    assert all(request.at_s - server.requests[0].at_s >= 0.39 for request in server.requests[1:])


async def test_no_more_are_under_way_than_are_allowed() -> None:
    async with connected(lambda _: Reply(output=OUTPUT, latency_s=0.05), max_concurrency=3) as (server, model):
        await asyncio.gather(*(model.ask(f"Which city is number {number}?", City) for number in range(12)))
    assert server.peak == 3


async def test_the_number_under_way_follows_what_the_server_bears() -> None:
    def script(_: Requested) -> Reply:
        return Reply(status=429, retry_after="0") if server.running > 6 else Reply(output=OUTPUT, latency_s=0.02)

    async with connected(script, max_concurrency=30, attempts=20) as (server, model):
        async with asyncio.TaskGroup() as group:
            for number in range(150):
                group.create_task(model.ask(f"Which city is number {number}?", City))
        pace = model.pace
    assert pace.slots.increases > 0
    assert pace.slots.decreases > 0
    assert server.peak < 30


def test_a_key_goes_to_another_machine_over_tls_alone() -> None:
    key = {"env": "KEY"}
    for url in ("http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:80/v1", "https://models.example/v1"):
        ModelSettings(model="x", base_url=url, api_key=key)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="plain http to another machine"):
        ModelSettings(model="x", base_url="http://models.example/v1", api_key=key)  # type: ignore[arg-type]
    ModelSettings(model="x", base_url="http://models.example/v1", api_key=key, allow_plain_http=True)  # type: ignore[arg-type]
    ModelSettings(model="x", base_url="http://models.example/v1")


async def test_a_request_larger_than_a_minute_allows_is_refused_at_once() -> None:
    async with connected([LISBON], tokens_per_minute=200) as (server, model):
        with pytest.raises(ModelError, match="the limit is 200"):
            await model.ask("Which city?", City)
    assert server.requests == []


async def test_a_wrong_key_is_told_apart_from_what_passes() -> None:
    async with connected([Reply(status=401, text="no such key")] * 3) as (server, model):
        with pytest.raises(ModelUnusable):
            await model.ask("Which city?", City)
    assert len(server.requests) == 1
