"""A model is asked within what is allowed in any 60 s, and nearly all of that is used; on virtual time."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from fanfold.llm import Model, ModelError, ModelSettings
from fanfold.testing.clock import virtual_time

WINDOW_S = 60.0
ASKERS = 16


class Provider:
    """A model that takes its time, and remembers when it was asked and what that took."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.uses: list[tuple[float, int]] = []

    async def answer(self, messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        began_s = asyncio.get_running_loop().time()
        asked = len(str(messages[0].parts[0].content)) // 4  # type: ignore[union-attr]
        answered = self._random.randint(50, 400)
        await asyncio.sleep(self._random.uniform(1.0, 6.0))
        self.uses.append((began_s, asked + answered))
        return ModelResponse([TextPart("yes")], usage=RequestUsage(input_tokens=asked, output_tokens=answered))

    def in_windows(self) -> list[tuple[int, int]]:
        """Requests and tokens in each window that ends with a request."""
        uses = sorted(self.uses)
        windows = ([(at_s, n) for at_s, n in uses if end_s - WINDOW_S < at_s <= end_s] for end_s, _ in uses)
        return [(len(window), sum(n for _, n in window)) for window in windows]


async def _asked_for(seconds: float, settings: ModelSettings, provider: Provider) -> None:
    model = Model(FunctionModel(provider.answer, model_name="scripted"), settings)
    random, loop = Random(1), asyncio.get_running_loop()

    async def ask_on_and_on() -> None:
        while loop.time() < seconds:
            await model.ask("x" * random.randint(4_000, 40_000), str)

    await asyncio.gather(*(ask_on_and_on() for _ in range(ASKERS)))


@pytest.mark.parametrize(
    ("requests", "tokens", "used"),
    [(30, None, 0), (None, 200_000, 1), (30, 1_000_000, 0)],
    ids=["requests", "tokens", "both"],
)
@virtual_time
async def test_no_window_is_above_the_allowance_and_nearly_all_of_it_is_used(
    requests: int | None, tokens: int | None, used: int
) -> None:
    provider = Provider(seed=7)
    settings = ModelSettings(
        model="scripted", requests_per_minute=requests, tokens_per_minute=tokens, max_tokens=1_000, timeout_seconds=30
    )
    await _asked_for(200.0, settings, provider)
    windows = provider.in_windows()
    limits = (requests, tokens)
    for index, limit in enumerate(limits):
        assert limit is None or max(window[index] for window in windows) <= limit
    limit = limits[used]
    assert limit is not None
    last_s = max(at_s for at_s, _ in provider.uses)
    whole = sum((1, n)[used] for at_s, n in provider.uses if at_s <= last_s - last_s % WINDOW_S)
    assert whole >= 0.9 * limit * (last_s // WINDOW_S)


@virtual_time
async def test_waiting_for_a_turn_takes_nothing_of_the_time_for_the_answer() -> None:
    provider = Provider(seed=7)
    settings = ModelSettings(model="scripted", requests_per_minute=1, timeout_seconds=10)
    model = Model(FunctionModel(provider.answer, model_name="scripted"), settings)
    await asyncio.gather(*(model.ask("x" * 400, str) for _ in range(4)))
    assert [round(at_s) for at_s, _ in sorted(provider.uses)] == [0, 60, 120, 180]


@virtual_time
async def test_the_answer_itself_has_its_time_after_a_wait() -> None:
    async def never(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        await asyncio.sleep(3_000)
        raise AssertionError

    settings = ModelSettings(model="scripted", requests_per_minute=1, timeout_seconds=10, attempts=1)
    model = Model(FunctionModel(never, model_name="scripted"), settings)
    outcomes = await asyncio.gather(*(model.ask("x", str) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(one, ModelError) and "10 s" in str(one) for one in outcomes)
    assert round(asyncio.get_running_loop().time()) == 130
