"""A secret that settings name and don't hold: where it stands is written down, what it is isn't."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from fanfold.config.settings import ConfigError, expanded

MAX_BYTES = 64 * 1024
FORMS = '{ env = "NAME" } or { file = "path" }'


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret stands: in an environment variable or in a file. Its value is read each time it is asked for.

    As the type of a pydantic field it takes `{env = "NAME"}` and `{file = "path"}`, and refuses the secret itself
    without repeating it. A relative path starts from `root` of the validation context, else from the current folder.

    Attributes:
        kind: "env" or "file".
        place: the variable's name, or the file's path.
    """

    kind: str
    place: str

    @classmethod
    def from_env(cls, name: str) -> Secret:
        """The secret in environment variable `name`."""
        return cls("env", name)

    @classmethod
    def from_file(cls, path: Path | str) -> Secret:
        """The secret in a file, which holds nothing else; white space at its end doesn't count."""
        return cls("file", str(path))

    def reveal(self) -> str:
        """The secret itself; for whoever sends it, and for nobody who writes anything down.

        Raises:
            ConfigError: the variable isn't set, the file can't be read, or nothing stands there.
        """
        value = self._from_environment() if self.kind == "env" else self._from_file()
        if not value:
            raise ConfigError(f"{self} is empty", hint="put the secret there")
        return value

    def _from_environment(self) -> str:
        value = os.environ.get(self.place)
        if value is None:
            raise ConfigError(f"{self} is not set", hint=f"export {self.place}, or name another place for the secret")
        return value

    def _from_file(self) -> str:
        try:
            with Path(self.place).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise ConfigError(
                f"{self} can't be read: {error.strerror}", hint="look at the path and at its rights"
            ) from None
        if len(content) > MAX_BYTES:
            raise ConfigError(f"{self} holds more than {MAX_BYTES} bytes", hint="name a file with the secret alone")
        try:
            return content.decode().rstrip()
        except UnicodeDecodeError:
            raise ConfigError(f"{self} is not text in UTF-8", hint="name a file with the secret alone") from None

    def __str__(self) -> str:
        return f"the variable {self.place}" if self.kind == "env" else f"the file {self.place}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A field of this type takes a Secret or a table that says where one stands."""
        return core_schema.with_info_plain_validator_function(
            _secret, serialization=core_schema.plain_serializer_function_ser_schema(_table)
        )


def _secret(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        _refuse(f"a secret is not written into settings, but named: {FORMS}")
    if not isinstance(value, Mapping) or len(value) != 1:
        _refuse(f"a secret is named as {FORMS}")
    kind, place = next(iter(value.items()))
    if kind not in ("env", "file") or not isinstance(place, str) or not place.strip():
        _refuse(f"a secret is named as {FORMS}")
    return Secret("env", place) if kind == "env" else Secret("file", str(_absolute(place, info.context)))


def _absolute(place: str, context: object) -> Path:
    root = context.get("root") if isinstance(context, Mapping) else None
    return Path(root or Path.cwd()) / expanded(place)


def _refuse(why: str) -> NoReturn:
    # Of a type of its own, for pydantic's text of a ValueError would be followed by the input, which may be the secret.
    raise PydanticCustomError("secret", "{why}", {"why": why})


def _table(secret: Secret) -> dict[str, str]:
    return {secret.kind: secret.place}
