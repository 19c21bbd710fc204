"""What is asked, and the forms in which an answer can be given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from fanfold.llm.errors import Refused

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model as AiModel
    from pydantic_ai.settings import ModelSettings as AiSettings

T = TypeVar("T")
Form = Literal["tool", "schema", "words"]


@dataclass(frozen=True)
class InWords(Generic[T]):
    """How an answer is given as plain text.

    Args:
        instructions: what the model is told of it, after the instructions that are always given.
        read: makes the answer of the text; raises `Refused` where it can't.
    """

    instructions: str
    read: Callable[[str], T]


@dataclass(frozen=True)
class Question(Generic[T]):
    """One question, without what must not be told."""

    prompt: str
    output_type: type[T]
    instructions: str = ""
    check: Callable[[T], Awaitable[None]] | None = None
    in_words: InWords[T] | None = None

    def agent(
        self, model: AiModel, form: Form, *, how: AiSettings, retries: int, capabilities: list[Any]
    ) -> Agent[object, T]:
        """What asks it in this form, and gives back what is refused."""
        from pydantic_ai import Agent  # noqa: PLC0415 an extra, imported when used

        worded = self.in_words if form == "words" else None
        told = [text for text in (self.instructions, worded.instructions if worded else "") if text]
        agent: Agent[object, T] = Agent(
            model,
            output_type=cast("type[T]", self._output(form)),
            instructions="\n\n".join(told) or None,
            name="fanfold",
            model_settings=how,
            retries={"output": retries},
            capabilities=capabilities,
        )
        if self.check is not None:
            check, patience = self.check, _Patience()

            @agent.output_validator
            async def checked(output: T) -> T:
                try:
                    await check(output)
                except Refused as refusal:
                    raise patience.after(output, refusal) from refusal
                return output

        return agent

    def _output(self, form: Form) -> object:
        from pydantic_ai import NativeOutput, PromptedOutput, TextOutput  # noqa: PLC0415 an extra, imported when used

        if self.output_type is str:
            return str
        if form == "words" and (worded := self.in_words) is not None:
            patience = _Patience()

            async def read(text: str) -> T:
                try:
                    return worded.read(text)
                except Refused as refusal:
                    raise patience.after(text, refusal) from refusal

            read.__annotations__["return"] = self.output_type
            return TextOutput(cast("Any", read))
        forms = {
            "tool": self.output_type,
            "schema": NativeOutput(self.output_type),
            "words": PromptedOutput(self.output_type),
        }
        return forms[form]


@dataclass
class _Patience:
    """Gives a refused answer back to the model, unless it was the answer to just that refusal."""

    _refused: object = field(default=None)

    def after(self, answer: object, refusal: Refused) -> Exception:
        """What is to be raised."""
        from pydantic_ai import ModelRetry, UnexpectedModelBehavior  # noqa: PLC0415 an extra, imported when used

        if answer == self._refused:
            return UnexpectedModelBehavior("it gave the same answer again")
        self._refused = answer
        return ModelRetry(str(refusal))
