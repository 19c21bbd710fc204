"""Which model is asked, and how much it may take."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from fanfold.config.secret import Secret

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


URL = re.compile(r"https?://[^\s/@]+(/\S*)?")


def _is_url(value: str) -> str:
    if not URL.fullmatch(value):
        raise ValueError('must be a URL without a name or password in it, such as "http://127.0.0.1:11434/v1"')
    return value


class ModelSettings(BaseModel):
    """A model, and its limits.

    Args:
        model: a provider and its model, "openai:gpt-5", "anthropic:claude-sonnet-4-5", as Pydantic AI names them; with
            `base_url`, the name that the server there has for it.
        base_url: of a server that speaks OpenAI's chat completions, up to and with its "/v1"; None = the provider's.
        api_key: None = where the provider looks for it: OPENAI_API_KEY, say. A server at `base_url` gets this one only.
        timeout_seconds: for an answer, with all that is tried again.
        attempts: how often a request is sent whose server is busy, out of order or out of reach.
        max_tokens: of one answer.
        max_requests: that are answered, where an answer isn't of the form that was asked for.
        max_total_tokens: of all requests and answers together; None = whatever they need.
        temperature: None = the model's own; many models refuse another one.
        price_per_million: USD for a million tokens asked and for a million answered; None = the provider's public
            prices, and with `base_url` an unknown one.
        requests_per_minute, tokens_per_minute: never more within any 60 s; None = as many as the server bears.
        max_concurrency: requests under way at once; fewer while the server has too much to do.
        stream: whether answers come in pieces: one that is cut off is known for what it is.
        allow_plain_http: whether the key may go unencrypted to another machine.
        output: how an answer of a certain form is asked for: by a tool that the model calls, by a JSON schema that the
            server enforces, or by words alone, for servers that know neither; where one refuses what it is asked in,
            words are used from then on.
        tracing: whether each request is an OpenTelemetry span, with its figures alone or with what was said, too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    model: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    base_url: Annotated[str, AfterValidator(_is_url)] | None = None
    api_key: Secret | None = None
    timeout_seconds: Seconds = 60.0
    attempts: int = Field(default=3, ge=1)
    max_tokens: int = Field(default=4_096, ge=1)
    max_requests: int = Field(default=3, ge=1)
    max_total_tokens: int | None = Field(default=100_000, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    output: Literal["tool", "schema", "words"] = "tool"
    tracing: Literal["off", "figures", "content"] = "off"
    price_per_million: tuple[Dollars, Dollars] | None = None
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    max_concurrency: int = Field(default=16, ge=1)
    stream: bool = False
    allow_plain_http: bool = False

    @model_validator(mode="after")
    def _keeps_its_key(self) -> Self:
        parts = urlsplit(self.base_url or "https:")
        if self.api_key and parts.scheme == "http" and not (self.allow_plain_http or _is_loopback(parts.hostname)):
            raise ValueError("api_key would go over plain http to another machine: use https, or set allow_plain_http")
        return self


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
