"""What the mcp source can be told: which server, which of its tools, and what the tool is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from fanfold.config.secret import Secret
from fanfold.troubleshoot.sources.placeholders import NAMES, unknown_in
from fanfold.troubleshoot.sources.settings import Address, Tls, complaint, is_safe_for_secrets, wrong

NAME = "mcp"


class McpSettings(Tls):
    """Which tool of which server is called.

    Args:
        command: the program of a server that speaks on standard input and output, and its arguments.
        url: of a server that speaks streamable HTTP, instead of a command.
        tool: its name.
        arguments: of the tool; in texts `{job}`, `{instance}`, `{message}`, `{codes}`, `{since}` and `{until}` stand
            for what the incident is about. With `{job}` it is called once for each job, and not at all where none is.
        env: variables that the program may see beside the usual ones.
        secrets: variables that are set for the program, by name.
        token: for Bearer authentication.
        headers: more headers, by name.
        ca_file, certificate, key: see `Tls`.
        proxy: an HTTP proxy that leads there; None = none does, whatever the environment says.
        name: what reports call the source.
        timeout_s: seconds for all calls, and before that for the server's start.
        max_bytes: of one message of the server.
        limit: calls at the same time, at most.
    """

    command: tuple[str, ...] = ()
    url: Address | None = None
    tool: Annotated[str, Field(min_length=1)]
    arguments: dict[str, Any] = Field(default_factory=dict)
    env: tuple[str, ...] = ()
    secrets: dict[str, Secret] = Field(default_factory=dict)
    token: Secret | None = None
    headers: dict[str, Secret] = Field(default_factory=dict)
    proxy: Address | None = None
    name: Annotated[str, Field(min_length=1)] = NAME
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    max_bytes: Annotated[int, Field(ge=4_096)] = 4 * 1024 * 1024
    limit: Annotated[int, Field(ge=1)] = 4

    @model_validator(mode="after")
    def _names_a_server(self) -> McpSettings:
        if (self.url is None) == (not self.command):
            raise wrong("needs command or url, and not both")
        if self.command and not self.command[0].strip():
            raise wrong("command must begin with a program")
        if self.url is not None and (self.env or self.secrets):
            raise wrong("env and secrets belong to a command; a url has token and headers")
        if self.url is None and (self.token or self.headers or self.has_files or self.proxy):
            raise wrong("token, headers, certificates and proxy belong to a url; a command has env and secrets")
        if self.url and (self.token or self.headers) and not is_safe_for_secrets(self.url):
            raise wrong("url must be https: the token would go over the network as clear text")
        if unknown := unknown_in(self.arguments):
            raise wrong(f"arguments have an unknown placeholder {{{unknown}}}; there are {', '.join(NAMES)}")
        return self


def settings_of(table: Mapping[str, object], root: Path) -> McpSettings:
    """The settings in a table of the configuration.

    Raises:
        SourceError: a key is unknown or a value is wrong; names the key, and repeats no value that may be secret.
    """
    values = {key.replace("-", "_"): value for key, value in table.items()}
    try:
        return McpSettings.model_validate(values, context={"root": root})
    except ValidationError as error:
        raise complaint(error, NAME, tuple(McpSettings.model_fields)) from None
