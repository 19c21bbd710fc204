"""Ask a language model, and get an answer of the form that was asked for."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from fanfold.engine import RequestTooLarge
from fanfold.engine.wrapper import text_of
from fanfold.llm.errors import AnswerUnusable, ModelError, ModelUnusable, Refused, Unpaid
from fanfold.llm.pace import Pace
from fanfold.llm.price import Price
from fanfold.llm.provider import provided
from fanfold.llm.question import Form, InWords, Question
from fanfold.llm.said import transcript
from fanfold.llm.settings import ModelSettings
from fanfold.llm.usage import Usage, count
from fanfold.redact import MASK, redact

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider
    from pydantic_ai.models import Model as AiModel
    from pydantic_ai.settings import ModelSettings as AiSettings

    from fanfold.llm.asking import Asking, Purse

LOG = logging.getLogger(__name__)
MOST_ERROR_CHARS = 300
SLIPS = 2
"""After so many answers in plain text where a tool was to be called, one after another, words are asked for."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[T]):
    """An answer.

    Attributes:
        output: of the form that was asked for; untrusted all the same.
        model: who gave it.
        said: the conversation, without secrets.
    """

    output: T
    model: str
    usage: Usage
    elapsed_s: float
    said: str = ""


class Model:
    """A language model that can be asked.

        async with Model.connect(ModelSettings(model="openai:gpt-5")) as model:
            asked = await model.ask("How many jobs failed? ...", int)

    Secrets are masked in all that it is told. What fails for a while is tried again, as `fanfold.engine.retry` does.
    All who ask it share its limits, on one event loop at a time.

    Args:
        inner: a model of Pydantic AI, open; `connect` makes it from settings.
        key: what it must never be told: its own key.
        tracer_provider: takes the spans; None = the global one.
    Attributes:
        pace: how fast it is asked, and what came of that.
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
        self.pace, self._price = Pace(settings), Price.of(settings, inner)
        self._used = Usage()
        self._form: Form = settings.output
        self._slips = 0

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
        model = await asyncio.to_thread(cls.of, settings, tracer_provider=tracer_provider)
        async with model.opened():
            yield model

    @classmethod
    def of(cls, settings: ModelSettings, *, tracer_provider: TracerProvider | None = None) -> Model:
        """The model that the settings name, with no connection yet; this takes its time.

        Raises:
            ModelUnusable, ConfigError: as `connect`.
        """
        key = settings.api_key.reveal() if settings.api_key else None
        return cls(provided(settings, key), settings, key=key, tracer_provider=tracer_provider)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hold its connections open; blocks stand within and beside others, and the last one closes them."""
        async with self._inner:
            yield

    @property
    def name(self) -> str:
        """What the settings call it."""
        return self._settings.model

    @property
    def price_known(self) -> bool:
        """Whether anybody knows what asking it costs."""
        return self._price.known

    @property
    def used(self) -> Usage:
        """All that was asked so far, failures included."""
        return self._used

    async def ask(
        self,
        prompt: str,
        output_type: type[T],
        *,
        instructions: str = "",
        check: Callable[[T], Awaitable[None]] | None = None,
        in_words: InWords[T] | None = None,
        purse: Purse | None = None,
    ) -> Asked[T]:
        """Ask once, with no memory of what was asked before.

        Args:
            output_type: what pydantic can check: a model, a dataclass, `str`. An answer of another form is given back
                to the model, as often as the settings allow.
            instructions: what it is told to do, apart from what it is told about.
            check: raises `Refused` for an answer that is of no use; it is given back to the model, too.
            in_words: how the answer is given where the server knows neither tools nor schemas; None = as JSON.
            purse: what may be spent; None = as much as it takes.
        Raises:
            ModelError: it gave no such answer, not in its time, or it would take more than is allowed.
            ModelUnusable: it can't be asked at all.
            Unpaid: the purse doesn't have what the next request may take.
        """
        from fanfold.llm.asking import Asking, Clock  # noqa: PLC0415 an extra, imported when used

        question = Question(self._masked(prompt), output_type, self._masked(instructions), check, in_words)
        clock, began_s = Clock(asyncio.timeout(self._settings.timeout_seconds)), asyncio.get_running_loop().time()
        asking = Asking(self._inner, self._settings, pace=self.pace, price=self._price, clock=clock, purse=purse)
        try:
            async with clock.scope:
                output = await self._answer(question, asking)
        except Exception as error:  # noqa: BLE001 each provider's client raises what it likes
            # What a server says may show what it was sent, the key too: only what is masked goes on from here.
            raise self._failed(error, asking, is_late=clock.scope.expired()) from None
        finally:
            elapsed_s = asyncio.get_running_loop().time() - began_s
            self._used += asking.used
            count(asking.used)
            LOG.info("model_asked", extra=_figures(self.name, asking.used, elapsed_s))
        said = self._masked(transcript(asking.said))
        return Asked(output=output, model=self.name, usage=asking.used, elapsed_s=elapsed_s, said=said)

    async def _answer(self, question: Question[T], asking: Asking) -> T:
        """The answer; in words where the server turns out to know nothing else."""
        from fanfold.llm.asking import NoToolCalled, refuses_forms  # noqa: PLC0415 an extra, imported when used

        form = self._form
        try:
            return await self._in_form(form, question, asking)
        except Exception as error:
            if form == "words" or not (isinstance(error, NoToolCalled) or refuses_forms(error)):
                raise
            refused = not isinstance(error, NoToolCalled)
        output = await self._in_form("words", question, asking)
        # One answer that called no tool may be a slip: only a server's no is remembered at once.
        self._slips = 0 if refused else self._slips + 1
        if refused or self._slips >= SLIPS:
            self._form = "words"
        return output

    async def _in_form(self, form: Form, question: Question[T], asking: Asking) -> T:
        from pydantic_ai.usage import UsageLimits  # noqa: PLC0415 an extra, imported when used

        settings, used = self._settings, asking.used
        tokens = settings.max_total_tokens
        requests = settings.max_requests - used.requests
        # The answers to all attempts count towards the limits: they were paid for.
        left = None if tokens is None else tokens - used.input_tokens - used.output_tokens
        limits = UsageLimits(request_limit=requests, total_tokens_limit=left)
        # The engine tries again: a client that does so too would multiply the attempts.
        how: AiSettings = {"max_tokens": settings.max_tokens, "max_retries": 0}
        if settings.temperature is not None:
            how["temperature"] = settings.temperature
        agent = question.agent(asking, form, how=how, retries=requests - 1, capabilities=self._tracing())
        return (await agent.run(question.prompt, usage_limits=limits)).output

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

    def _failed(self, error: Exception, asking: Asking, *, is_late: bool) -> ModelError:
        told = error if isinstance(error, Unpaid) else self._late() if is_late else self._told(error)
        told.usage, told.said = asking.used, self._masked(transcript(asking.said))
        return told

    def _late(self) -> ModelError:
        return ModelError(
            f"{self.name} didn't answer in {self._settings.timeout_seconds:g} s", hint="give it more time"
        )

    def _told(self, error: Exception) -> ModelError:
        from pydantic_ai import exceptions, models  # noqa: PLC0415 an extra, imported when used

        from fanfold.llm.asking import AnswerCut  # noqa: PLC0415 the same

        what = self._masked(_words_of(error))[:MOST_ERROR_CHARS]
        if not models.ALLOW_MODEL_REQUESTS and type(error) is RuntimeError:
            return ModelUnusable(f"{self.name} isn't asked: {what}", hint="allow requests to models")
        match error:
            case RequestTooLarge():
                return ModelError(f"{self.name} isn't asked: {error.message}", hint="raise tokens_per_minute")
            case AnswerCut():
                return ModelError(f"{self.name} broke off its answer", hint="try again later, or set stream = false")
            case exceptions.UsageLimitExceeded():
                return ModelError(f"{self.name} would take more than is allowed: {what}", hint="raise the limit")
            case exceptions.ModelAuthenticationError():
                return ModelUnusable(f"{self.name} refused the key: {what}", hint="check api_key")
            case exceptions.UserError():
                return ModelUnusable(f"{self.name} can't be asked: {what}", hint="check the model's settings")
            case exceptions.UnexpectedModelBehavior():
                return AnswerUnusable(self._masked(_unusable(self.name, error, what)))
        return ModelError(f"{self.name} gave no answer: {what}", hint="check base_url, or try again later")


def _words_of(error: Exception) -> str:
    """What went wrong, as the server says it where it says it."""
    body = getattr(error, "body", None)
    said = body.get("message") if isinstance(body, Mapping) else None
    status = getattr(error, "status_code", None)
    return f"{status}: {said}" if isinstance(said, str) and status is not None else text_of(error)


def _unusable(name: str, error: Exception, what: str) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, (Refused, ValidationError)):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, Refused):
        return f"{name} gave no answer that can be used: {' '.join(cause.why.split())[:MOST_ERROR_CHARS]}"
    wrong = what if cause is None else _wrong_in(cause)
    return f"{name} gave no answer of the form that was asked for: {wrong}"


def _wrong_in(error: ValidationError) -> str:
    """What was wrong with the last answer, place by place."""
    said = ((".".join(map(str, one["loc"])), one["msg"]) for one in error.errors(include_url=False))
    return "; ".join(f"{place}: {words}" if place else words for place, words in said)[:MOST_ERROR_CHARS]


def _figures(model: str, usage: Usage, elapsed_s: float) -> dict[str, object]:
    return {
        "model": model,
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "elapsed_ms": round(elapsed_s * 1000, 3),
    }
