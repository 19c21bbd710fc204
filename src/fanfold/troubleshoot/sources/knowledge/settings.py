"""What the knowledge source can be told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from fanfold.troubleshoot.sources.knowledge.embedders import EmbeddingServer
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.settings import FileFromRoot, OneOrMore, Seconds

NAME = "rag_search"


def _kind(value: object) -> str:
    return "name" if isinstance(value, str) else "table"


WhatEmbeds = Annotated[
    Annotated[EmbeddingServer, Tag("table")] | Annotated[str, Tag("name"), Field(min_length=1)], Discriminator(_kind)
]


class KnowledgeSettings(BaseModel):
    """Where knowledge is, and how much of it is told.

    Args:
        name: what reports call the source.
        timeout_s: seconds for one answer.
        limit: entries in one answer; `rag_result_limit` says the same.
        paths: folders and files that are brought into the index before the first answer.
        index: the index's file; None = in the user's data folder.
        starter: whether the starter set counts.
        vectors: whether entries are also searched by meaning.
        embedder: what makes vectors: a server's table, an entry point or "module:attribute"; None = wordllama.
        searcher: an entry point or "module:attribute" that finds entries in place of the index; None = the index.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: Annotated[str, Field(min_length=1)] = NAME
    timeout_s: Seconds = 5.0
    limit: Annotated[int, Field(ge=1, le=100, validation_alias=AliasChoices("limit", "rag_result_limit"))] = 5
    paths: OneOrMore[FileFromRoot] = ()
    index: FileFromRoot | None = None
    starter: bool = True
    vectors: bool = True
    embedder: WhatEmbeds | None = None
    searcher: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> KnowledgeSettings:
        besides = {"paths", "index", "starter", "vectors", "embedder"} & self.model_fields_set
        if self.searcher is not None and besides:
            raise ValueError(f"a searcher takes the place of the index, so leave out {', '.join(sorted(besides))}")
        return self


def settings_of(table: Mapping[str, object], root: Path) -> KnowledgeSettings:
    """The settings in a table of the configuration.

    Raises:
        SourceError: a key is unknown or a value is wrong; names the key.
    """
    values: dict[str, Any] = {key.replace("-", "_"): value for key, value in table.items()}
    try:
        return KnowledgeSettings.model_validate(values, context={"root": root})
    except ValidationError as error:
        raise _complaint(error) from None


def _complaint(error: ValidationError) -> SourceError:
    first = error.errors(include_url=False, include_input=False)[0]
    loc = [str(part) for part in first["loc"] if part not in ("table", "name") or len(first["loc"]) == 1]
    key = ".".join(loc) or "settings"
    if first["type"] == "extra_forbidden":
        fields = EmbeddingServer.model_fields if loc[:-1] == ["embedder"] else KnowledgeSettings.model_fields
        return SourceError(f"the knowledge source has no setting {key}", hint=f"known are {', '.join(sorted(fields))}")
    return SourceError(
        f"the knowledge source's {key}: {first['msg']}", hint="correct it in its table of the configuration"
    )
