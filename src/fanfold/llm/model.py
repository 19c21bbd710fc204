"""Ask a language model, and get an answer of the form that was asked for."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from fanfold.engine import DeadlineExceeded, deadline, is_throttled, is_timeout, retry
from fanfold.engine.wrapper import text_of
from fanfold.llm.errors import ModelError, ModelUnusable
from fanfold.llm.provider import provided
from fanfold.llm.settings import ModelSettings
from fanfold.llm.usage import Usage, count
from fanfold.redact import MASK, redact

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider
    from pydantic_ai import Agent
    from pydantic_ai.models import Model as AiModel
    from pydantic_ai.usage import RunUsage

LOG = logging.getLogger(__name__)
MOST_ERROR_CHARS = 300
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[T]):
    """An answer.

    Attributes:
        output: of the form that was asked for; untrusted all the same.
        model: who gave it.
    """

    output: T
    model: str
    usage: Usage
    elapsed_s: float


class Model:
    """A language model that can be asked.

        async with Model.connect(ModelSettings(model="openai:gpt-5")) as model:
            asked = await model.ask("How many jobs failed? ...", int)

    Secrets are masked in all that it is told. What fails for a while is tried again, as `fanfold.engine.retry` does.

    Args:
        inner: a model of Pydantic AI, open; `connect` makes it from settings.
        key: what it must never be told: its own key.
        tracer_provider: takes the spans; None = the global one.
    """

    def __init__(
        self,
        inner: AiModel,
        settings: ModelSettings,
        *,
        key: str | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        self._inner, self._settings, self._key, self._tracer_provider = inner, settings, key, tracer_provider
        self._used = Usage()

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, settings: ModelSettings, *, tracer_provider: TracerProvider | None = None
    ) -> AsyncIterator[Model]:
        """The model that the settings name, while its connections are held open; nothing is sent yet.

        Raises:
            ModelUnusable: a package or a key is missing, or nobody knows the model.
            ConfigError: the key can't be read.
        """
        # Pydantic AI takes a second to import, and the key may stand in a file.
        key = await asyncio.to_thread(settings.api_key.reveal) if settings.api_key else None
        inner = await asyncio.to_thread(provided, settings, key)
        async with inner:
            yield cls(inner, settings, key=key, tracer_provider=tracer_provider)

    @property
    def name(self) -> str:
        """What the settings call it."""
        return self._settings.model

    @property
    def used(self) -> Usage:
        """All that was asked so far, failures included."""
        return self._used

    async def ask(self, prompt: str, output_type: type[T], *, instructions: str = "") -> Asked[T]:
        """Ask once, with no memory of what was asked before.

        Args:
            output_type: what pydantic can check: a model, a dataclass, `str`. An answer of another form is given back
                to the model, as often as the settings allow.
            instructions: what it is told to do, apart from what it is told about.
        Raises:
            ModelError: it gave no such answer, not in its time, or it would take more than is allowed.
            ModelUnusable: it can't be asked at all.
        """
        from pydantic_ai.usage import RunUsage  # noqa: PLC0415 an extra, imported when used

        usage, began_s = RunUsage(), asyncio.get_running_loop().time()
        agent = self._agent(output_type, self._masked(instructions))
        try:
            output = cast("T", await self._tried(agent, self._masked(prompt), usage))
        except Exception as error:  # noqa: BLE001 each provider's client raises what it likes
            # What a server says may show what it was sent, the key too: only what is masked goes on from here.
            raise self._failed(error) from None
        finally:
            elapsed_s = asyncio.get_running_loop().time() - began_s
            spent = _spent(usage, is_priced=self._settings.base_url is None)
            self._used += spent
            count(spent)
            LOG.info("model_asked", extra=_figures(self.name, spent, elapsed_s))
        return Asked(output=output, model=self.name, usage=spent, elapsed_s=elapsed_s)

    async def _tried(self, agent: Agent[object, Any], prompt: str, usage: RunUsage) -> object:
        from pydantic_ai.usage import UsageLimits  # noqa: PLC0415 an extra, imported when used

        settings = self._settings
        limits = UsageLimits(request_limit=settings.max_requests, total_tokens_limit=settings.max_total_tokens)

        async def once() -> object:
            return (await agent.run(prompt, usage=usage, usage_limits=limits)).output

        # The answers to all attempts count towards the limits: they were paid for.
        again = retry(settings.attempts, on=_passes, retry_after_max_s=settings.timeout_seconds, isolate=False)
        return await deadline(settings.timeout_seconds, name=self.name)(again(once))()

    def _agent(self, output_type: type[T], instructions: str) -> Agent[object, T]:
        from pydantic_ai import Agent, NativeOutput, PromptedOutput  # noqa: PLC0415 an extra, imported when used
        from pydantic_ai.settings import ModelSettings as AiSettings  # noqa: PLC0415 the same

        settings = self._settings
        # The engine tries again: a client that does so too would multiply the attempts.
        how: AiSettings = {"max_tokens": settings.max_tokens, "max_retries": 0}
        if settings.temperature is not None:
            how["temperature"] = settings.temperature
        forms = {"tool": output_type, "schema": NativeOutput(output_type), "words": PromptedOutput(output_type)}
        return Agent(
            self._inner,
            output_type=cast("type[T]", output_type if output_type is str else forms[settings.output]),
            instructions=instructions or None,
            name="fanfold",
            model_settings=how,
            retries={"output": settings.max_requests - 1},
            capabilities=self._tracing(),
        )

    def _tracing(self) -> list[Any]:
        if self._settings.tracing == "off":
            return []
        from pydantic_ai.capabilities import Instrumentation  # noqa: PLC0415 an extra, imported when used
        from pydantic_ai.models.instrumented import InstrumentationSettings  # noqa: PLC0415 the same

        content = self._settings.tracing == "content"
        return [
            Instrumentation(InstrumentationSettings(tracer_provider=self._tracer_provider, include_content=content))
        ]

    def _masked(self, text: str) -> str:
        return redact(text.replace(self._key, MASK) if self._key else text, os.environ)

    def _failed(self, error: Exception) -> ModelError:
        from pydantic_ai import exceptions, models  # noqa: PLC0415 an extra, imported when used

        what = self._masked(text_of(error))[:MOST_ERROR_CHARS]
        if not models.ALLOW_MODEL_REQUESTS and type(error) is RuntimeError:
            return ModelUnusable(f"{self.name} isn't asked: {what}", hint="allow requests to models")
        match error:
            case DeadlineExceeded():
                seconds = self._settings.timeout_seconds
                return ModelError(f"{self.name} didn't answer in {seconds:g} s", hint="give it more time")
            case exceptions.UsageLimitExceeded():
                return ModelError(f"{self.name} would take more than is allowed: {what}", hint="raise the limit")
            case exceptions.ModelAuthenticationError():
                return ModelUnusable(f"{self.name} refused the key: {what}", hint="check api_key")
            case exceptions.UserError():
                return ModelUnusable(f"{self.name} can't be asked: {what}", hint="check the model's settings")
            case exceptions.UnexpectedModelBehavior():
                return ModelError(f"{self.name} gave no answer of the form that was asked for: {what}")
        return ModelError(f"{self.name} gave no answer: {what}", hint="check base_url, or try again later")


def _passes(error: Exception) -> bool:
    """Whether it may be gone at the next try."""
    from pydantic_ai import exceptions  # noqa: PLC0415 an extra, imported when used

    if isinstance(error, exceptions.ModelQuotaExceededError | exceptions.ModelRequestRejectedError):
        return False
    passing = (exceptions.ModelServerError, exceptions.ModelUnavailableError, exceptions.ModelConnectionError)
    return isinstance(error, passing) or is_throttled(error) or is_timeout(error)


def _spent(usage: RunUsage, *, is_priced: bool) -> Usage:
    # A server of one's own takes another price than the provider whose names its models have; and where an answer came
    # without its figures, what is known of the cost isn't all of it.
    cost = usage.cost if is_priced and not usage.unmeasured_requests else None
    return Usage(
        requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=None if cost is None else float(cost),
    )


def _figures(model: str, usage: Usage, elapsed_s: float) -> dict[str, object]:
    return {
        "model": model,
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "elapsed_ms": round(elapsed_s * 1000, 3),
    }
