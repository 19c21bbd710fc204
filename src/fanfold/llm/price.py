"""What a model's tokens cost: what the settings say, else the public prices of its provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fanfold.llm.settings import ModelSettings

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model as AiModel

MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """Turns tokens into USD, as far as anybody knows.

    Args:
        per_million: USD for a million tokens asked and a million answered; None = the public prices.
        model, provider: who is looked up there; "" = nobody can be: a server of one's own takes another price than the
            provider whose names its models have.
    """

    per_million: tuple[float, float] | None = None
    model: str = ""
    provider: str = ""

    @classmethod
    def of(cls, settings: ModelSettings, inner: AiModel) -> Price:
        """The price of the model that the settings name."""
        if settings.price_per_million is not None or settings.base_url is not None:
            return cls(settings.price_per_million)
        return cls(model=inner.model_name, provider=inner.system)

    @property
    def known(self) -> bool:
        """Whether anybody knows what a request costs."""
        return self.usd(1, 1) is not None

    def usd(self, input_tokens: int, output_tokens: int) -> float | None:
        """What so many tokens cost; None = nobody knows."""
        if self.per_million is not None:
            asked, answered = self.per_million
            return (input_tokens * asked + output_tokens * answered) / MILLION
        return self._public(input_tokens, output_tokens) if self.model else None

    def of_answer(self, answer: ModelResponse, input_tokens: int, output_tokens: int) -> float | None:
        """What an answer cost whose tokens are these, as its provider counts them; None = nobody knows."""
        if self.model and answer.usage.has_values():
            try:
                return float(answer.cost().total_price)
            except (LookupError, ValueError, AssertionError):
                pass
        return self.usd(input_tokens, output_tokens)

    def _public(self, input_tokens: int, output_tokens: int) -> float | None:
        from genai_prices import Usage, calc_price  # noqa: PLC0415 an extra, imported when used

        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        try:
            return float(calc_price(usage, self.model, provider_id=self.provider).total_price)
        except (LookupError, ValueError):
            return None
