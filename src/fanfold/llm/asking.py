"""One question on its way: each of its requests is paid for, waits for its turn, and is sent again where that helps.

Imported when a question is asked, for it needs Pydantic AI.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Protocol

from pydantic_ai import exceptions
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models import Model as AiModel
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings as AiSettings
from pydantic_ai.usage import RequestUsage

from fanfold.engine import Reservation as Turn
from fanfold.engine import adaptive, is_throttled, is_timeout, retry
from fanfold.errors import FanfoldError
from fanfold.llm.errors import Unpaid
from fanfold.llm.pace import Pace
from fanfold.llm.price import Price
from fanfold.llm.settings import ModelSettings
from fanfold.llm.size import likely_in_answer, most_of_request
from fanfold.llm.usage import Usage

_FORMS = re.compile(
    r"\btools?\b|tool_choice|function.?call|response_format|json.?schema|json_object|grammar", re.IGNORECASE
)
_TOO_LONG = re.compile(r"context|too long|maximum", re.IGNORECASE)
NOTHING = Usage(cost_usd=0.0)
_NO_CONNECTION = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
_GAVE_UP = frozenset({408, 504, 524})
"""What servers in between say that didn't wait for the answer; there may be one all the same."""
NO_FORMS = frozenset({400, 404, 415, 422, 500, 501})


class Reservation(Protocol):
    """A part of a budget that nobody else can spend until it is settled."""

    def settle(self, usage: Usage) -> None:
        """Give back what wasn't used."""
        ...


class Purse(Protocol):
    """What may be spent on a question; `fanfold.agents.Purse` is one."""

    async def reserve_in_turn(self, *, tokens: int, cost_usd: float | None = None) -> Reservation:
        """Set aside the most that a request may take; raises a FanfoldError where so much isn't left."""
        ...


class AnswerCut(Exception):
    """A streamed answer broke off before its end."""


class NoToolCalled(Exception):
    """The model was given a tool to answer with and goes on in plain text."""


class Clock:
    """The time that an answer has; it stands still while a request waits for its turn."""

    def __init__(self, scope: asyncio.Timeout) -> None:
        self.scope = scope
        self._left_s: float | None = None

    def stop(self) -> None:
        """Let no time pass from here."""
        due_s = self.scope.when()
        if due_s is not None and not self.scope.expired():
            self._left_s = due_s - asyncio.get_running_loop().time()
            self.scope.reschedule(None)

    def go_on(self) -> None:
        """Let time pass again."""
        if self._left_s is not None:
            self.scope.reschedule(asyncio.get_running_loop().time() + self._left_s)
            self._left_s = None


class Asking(WrapperModel):
    """A model for one question.

    Attributes:
        used: what the requests took; where that isn't known, all that was reserved for them.
        said: the conversations so far, each as its messages.
    """

    def __init__(
        self, inner: AiModel, settings: ModelSettings, *, pace: Pace, price: Price, clock: Clock, purse: Purse | None
    ) -> None:
        super().__init__(inner)
        self._asked_with, self._pace, self._price, self._clock, self._purse = settings, pace, price, clock, purse
        self.used = Usage()
        self.said: list[list[ModelMessage]] = []

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: AiSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """An answer, once there is one.

        Raises:
            NoToolCalled: some servers take tools and tell their model nothing of them.
            Unpaid: a budget doesn't have what it may take.
        """
        if len(messages) > 1:
            self.said.pop()
        self.said.append(list(messages))
        settings = self._asked_with
        again = retry(settings.attempts, on=passes, retry_after_max_s=settings.timeout_seconds, isolate=False)
        response = await again(adaptive(self._pace.slots)(self._in_turn))(
            messages, model_settings, model_request_parameters
        )
        self.said[-1].append(response)
        if model_request_parameters.output_tools and self._ignores_tools(self.said[-1]):
            raise NoToolCalled
        return response

    def _ignores_tools(self, said: list[ModelMessage]) -> bool:
        """Whether all answers but the last one that is allowed were plain text."""
        answers = [message for message in said if isinstance(message, ModelResponse)]
        calls = any(isinstance(part, ToolCallPart) for answer in answers for part in answer.parts)
        return not calls and len(answers) == self._asked_with.max_requests - 1

    async def _in_turn(
        self, messages: list[ModelMessage], how: AiSettings | None, parameters: ModelRequestParameters
    ) -> ModelResponse:
        """The answer to one request, sent when it is paid for and there is room; neither wait counts as time."""
        most = self._usage(most_of_request(messages, parameters), self._asked_with.max_tokens)
        self._clock.stop()
        try:
            reservation = await self._reserved(most)
        except BaseException:
            self._clock.go_on()
            raise
        took = NOTHING

        async def send(turn: Turn) -> ModelResponse:
            nonlocal took
            self._clock.go_on()
            took = most  # all of it counts until less is known
            try:
                response = await self._sent(messages, how, parameters)
            except (exceptions.ModelHTTPError, exceptions.ModelConnectionError) as error:
                if not may_be_answered(error):
                    took = NOTHING  # what is refused, or came nowhere, isn't charged
                raise
            took = self._took(response, most)
            turn.settle(took.input_tokens + took.output_tokens)
            return response

        try:
            return await self._pace.admit(send, asked=most.input_tokens, answered=most.output_tokens)
        finally:
            self._clock.go_on()
            self.used += took
            if reservation is not None:
                reservation.settle(took)

    async def _reserved(self, most: Usage) -> Reservation | None:
        if self._purse is None:
            return None
        try:
            return await self._purse.reserve_in_turn(
                tokens=most.input_tokens + most.output_tokens, cost_usd=most.cost_usd
            )
        except FanfoldError as error:
            raise Unpaid(error) from error

    async def _sent(
        self, messages: list[ModelMessage], how: AiSettings | None, parameters: ModelRequestParameters
    ) -> ModelResponse:
        if not self._asked_with.stream:
            return await self.wrapped.request(messages, how, parameters)
        async with self.wrapped.request_stream(messages, how, parameters) as stream:
            try:
                async for _ in stream:
                    pass
            except exceptions.ModelAPIError as error:
                if type(error) is exceptions.ModelAPIError:  # what went well but for its end
                    raise AnswerCut(error.message) from error
                raise
            response = stream.get()
        if response.finish_reason is None:
            raise AnswerCut("the answer broke off before its end")
        return response

    def _took(self, response: ModelResponse, most: Usage) -> Usage:
        self._pace.seen(most.input_tokens, response.usage.input_tokens)
        # Many a server of one's own doesn't say.
        asked = response.usage.input_tokens or most.input_tokens
        answered = response.usage.output_tokens or likely_in_answer(response)
        if not response.usage.has_values():
            response.usage = RequestUsage(input_tokens=asked, output_tokens=answered)
        return replace(self._usage(asked, answered), cost_usd=self._price.of_answer(response, asked, answered))

    def _usage(self, asked: int, answered: int) -> Usage:
        cost_usd = self._price.usd(asked, answered)
        return Usage(requests=1, input_tokens=asked, output_tokens=answered, cost_usd=cost_usd)


def passes(error: Exception) -> bool:
    """Whether it may be gone at the next try."""
    if isinstance(error, exceptions.ModelQuotaExceededError | exceptions.ModelRequestRejectedError):
        return False
    if refuses_forms(error):
        return False
    passing = (exceptions.ModelServerError, exceptions.ModelUnavailableError, exceptions.ModelConnectionError)
    return isinstance(error, (*passing, AnswerCut)) or is_throttled(error) or is_timeout(error)


def may_be_answered(error: Exception) -> bool:
    """Whether a model may have answered a request that failed so."""
    if isinstance(error, exceptions.ModelHTTPError):
        return error.status_code in _GAVE_UP
    return was_sent(error)


def was_sent(error: BaseException) -> bool:
    """Whether a request may have come to a server, by the names that HTTP clients have for what went wrong."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ in _NO_CONNECTION:
            return False
        cause = cause.__cause__ or cause.__context__
    return True


def refuses_forms(error: Exception) -> bool:
    """Whether a server says that it knows no tools or schemas, in whatever words it has for that."""
    if not isinstance(error, exceptions.ModelHTTPError) or error.status_code not in NO_FORMS:
        return False
    words = f"{error.message} {error.body}"
    return bool(_FORMS.search(words)) and not _TOO_LONG.search(words)
