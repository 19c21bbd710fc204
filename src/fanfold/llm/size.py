"""How many tokens a request may have, before it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import ModelRequestParameters

PER_MESSAGE = 8
PER_REQUEST = 64


def most_tokens(text: str) -> int:
    """More than any common model makes of a text: source code has about 4 characters in a token, seldom under 2.

    A character beyond ASCII counts as all of its bytes, each of which may be a token.
    """
    characters = len(text)
    return (characters + 1) // 2 if text.isascii() else len(text.encode(errors="surrogatepass"))


def likely_tokens(text: str) -> int:
    """About as many as a model makes of a text."""
    return (len(text.encode(errors="surrogatepass")) + 2) // 3


def most_of_request(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> int:
    """The most tokens that a request has, with its tools and schemas."""
    texts = [*_texts(messages), *_schemas(parameters)]
    return PER_REQUEST + PER_MESSAGE * len(texts) + sum(map(most_tokens, texts))


def likely_in_answer(response: ModelResponse) -> int:
    """About as many tokens as an answer has whose server doesn't say."""
    return sum(likely_tokens(text) for text in _texts([response]))


def _texts(messages: Iterable[ModelMessage]) -> Iterator[str]:
    for message in messages:
        yield getattr(message, "instructions", None) or ""
        for part in message.parts:
            for name in ("content", "args"):
                value = getattr(part, name, None)
                if value is not None:
                    yield value if isinstance(value, str) else json.dumps(value, default=str)


def _schemas(parameters: ModelRequestParameters) -> Iterator[str]:
    for tool in (*parameters.function_tools, *parameters.output_tools):
        yield f"{tool.name} {tool.description or ''} {json.dumps(tool.parameters_json_schema)}"
    if parameters.output_object is not None:
        yield json.dumps(parameters.output_object.json_schema)
