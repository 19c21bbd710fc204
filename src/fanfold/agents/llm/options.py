"""What can be set for a model that fixes findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from fanfold.agents.protocol import AgentUnusable
from fanfold.agents.registry import AgentSettings
from fanfold.llm import ModelSettings

CONTEXT_TOKENS = 24_000
SMALL_CONTEXT_TOKENS = 3_000
LONGEST_ANSWER_S = 300.0


class LlmOptions(ModelSettings):
    """A model, its limits, and what it is shown.

    Args:
        small: ask about one function with one or two findings at a time, in plain text.
        context_tokens: what one question has, about; None = 24,000, and 3,000 for a small model.
    """

    max_tokens: int = Field(default=8_192, ge=1)
    max_total_tokens: int | None = Field(default=None, ge=1)
    stream: bool = True
    small: bool = False
    context_tokens: int | None = Field(default=None, ge=500)

    @property
    def shown_tokens(self) -> int:
        """What one question has, about."""
        return self.context_tokens or (SMALL_CONTEXT_TOKENS if self.small else CONTEXT_TOKENS)


def options_of(settings: AgentSettings) -> LlmOptions:
    """The checked options; an answer has as long as an attempt, but 5 minutes at most where nothing is said.

    Raises:
        AgentUnusable: no model is named, an option is unknown, or it has a wrong value.
    """
    given = {name.replace("-", "_"): value for name, value in settings.options.items()}
    if not given.get("model"):
        raise AgentUnusable(
            f"agent {settings.name!r} needs the name of a model", hint="say --agent llm:openai:gpt-5-mini, or so"
        )
    given.setdefault("timeout_seconds", min(settings.deadline_s, LONGEST_ANSWER_S))
    try:
        return LlmOptions.model_validate(given)
    except ValidationError as error:
        raise _complaint(settings.name, error, given) from None


def _complaint(name: str, error: ValidationError, given: Mapping[str, Any]) -> AgentUnusable:
    """The first thing that is wrong; what may be secret isn't repeated."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return AgentUnusable(f"agent {name!r} has no setting {place!r}", hint="there are " + _known())
    words = first["msg"].removeprefix("Value error, ")
    where = f"{place}: " if place.partition(".")[0] in given else ""
    return AgentUnusable(f"agent {name!r}: {where}{words}", hint="see docs/llm-agent.md")


def _known() -> str:
    return ", ".join(sorted(LlmOptions.model_fields))
