"""Other embedders than the built-in one: a server that speaks OpenAI's interface, or code that settings name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fanfold.config.secret import Secret
from fanfold.troubleshoot.sources.knowledge.named import made
from fanfold.troubleshoot.sources.knowledge.vectors import Embedder, VectorsUnavailable
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.settings import Address, Seconds, is_safe_for_secrets, wrong
from fanfold.troubleshoot.sources.web import Credentials, credentials

if TYPE_CHECKING:
    import httpx

GROUP = "fanfold.embedders"
MAX_BYTES = 64 * 1024 * 1024


class EmbeddingServer(BaseModel):
    """A server that makes vectors, as OpenAI's does and as Ollama, vLLM, LM Studio and others do.

    Args:
        url: where its interface begins, for instance "http://localhost:11434/v1".
        model: the model that it is asked for.
        key: what it wants to be shown; None = nothing.
        timeout_s: seconds for one request.
        batch: texts in one request.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Address
    model: Annotated[str, Field(min_length=1)]
    key: Secret | None = None
    timeout_s: Seconds = 2.0
    batch: Annotated[int, Field(ge=1, le=2048)] = 128

    @model_validator(mode="after")
    def _key_is_safe(self) -> Self:
        if self.key is not None and not is_safe_for_secrets(self.url):
            raise wrong("must be https: the key would go over the network as clear text")
        return self


class ServedEmbedder:
    """Asks a server for vectors.

    Raises:
        SourceError: its key isn't where the settings say.
    """

    def __init__(self, server: EmbeddingServer) -> None:
        self._server = server
        self._shown: Credentials = credentials(token=server.key)
        self._host = urlsplit(server.url).netloc

    @property
    def model(self) -> str:
        """The model's name."""
        return self._server.model

    def of(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of texts.

        Raises:
            VectorsUnavailable: the server can't be asked, refuses, or answers something else.
        """
        import httpx  # noqa: PLC0415 whoever asks nobody needs no HTTP client

        rows: list[list[float]] = []
        step = self._server.batch
        try:
            # Neither a redirect nor a proxy of the environment gets to see the key.
            with httpx.Client(
                headers=dict(self._shown.headers),
                timeout=self._server.timeout_s,
                follow_redirects=False,
                trust_env=False,
            ) as client:
                for at in range(0, len(texts), step):
                    rows += self._asked(client, texts[at : at + step])
        except httpx.HTTPError as error:
            raise VectorsUnavailable(f"{self._host} can't be asked for vectors: {type(error).__name__}") from error
        return rows

    def _asked(self, client: httpx.Client, texts: Sequence[str]) -> list[list[float]]:
        # Empty texts are refused by some servers.
        told = {"model": self._server.model, "input": [text or " " for text in texts]}
        with client.stream("POST", f"{self._server.url}/embeddings", json=told) as response:
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_BYTES:
                    raise VectorsUnavailable(f"{self._host} sends more than {MAX_BYTES // 1024 // 1024} MB of vectors")
        if not response.is_success:
            said = self._shown.said(body.decode(errors="replace"))
            raise VectorsUnavailable(f"{self._host} refuses to make vectors with HTTP {response.status_code}: {said}")
        return _rows(bytes(body), len(texts), self._host)


def embedder_of(named: EmbeddingServer | str | None) -> Embedder | None:
    """The embedder that settings name; None = the built-in one.

    Args:
        named: a server, an entry point of the group `fanfold.embedders`, or "module:attribute": something that makes
            an `Embedder` when it is called without arguments, usually its class.
    Raises:
        SourceError: there is no such embedder.
    """
    if named is None or isinstance(named, EmbeddingServer):
        return None if named is None else ServedEmbedder(named)
    found: Any = made(GROUP, named)
    if not isinstance(getattr(found, "model", None), str) or not callable(getattr(found, "of", None)):
        raise SourceError(f"{named} makes no embedder", hint="it needs a name `model` and a method `of(texts)`")
    embedder: Embedder = found
    return embedder


def _rows(body: bytes, count: int, host: str) -> list[list[float]]:
    try:
        data = sorted(json.loads(body)["data"], key=lambda one: int(one["index"]))
        rows = [[float(value) for value in one["embedding"]] for one in data]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise VectorsUnavailable(f"{host} answers with something else than vectors") from None
    if len(rows) != count:
        raise VectorsUnavailable(f"{host} answers with {len(rows)} vectors for {count} texts")
    return rows
