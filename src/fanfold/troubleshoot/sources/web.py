"""What sources that speak HTTP share: which addresses may be asked, whom to trust, how much is read."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Protocol
from urllib.parse import urlsplit

from pydantic import AfterValidator, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from fanfold.config.secret import Secret
from fanfold.config.settings import ConfigError
from fanfold.troubleshoot.sources.protocol import SourceError


class Body(Protocol):
    """An answer whose body has not been read."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Its pieces."""


def wrong(why: str) -> PydanticCustomError:
    """An error of a setting that doesn't repeat the setting, which might be secret."""
    return PydanticCustomError("setting", "{why}", {"why": why})


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong("must be an address such as https://host.example.com:9090")
    if parts.username or parts.password:
        raise wrong("must not hold a user or a password: they have settings of their own")
    if parts.query or parts.fragment:
        raise wrong("must end with its path: nothing may follow ? or #")
    return url.rstrip("/")


def _from_root(path: Path, info: ValidationInfo) -> Path:
    root = info.context.get("root") if isinstance(info.context, Mapping) else None
    return Path(root or Path.cwd()) / path.expanduser()


Address = Annotated[str, AfterValidator(_address)]
"""An http or https URL without a user and without a query."""
FileFromRoot = Annotated[Path, AfterValidator(_from_root)]
"""A path; a relative one starts from `root` of the validation context."""


def is_safe_for_secrets(url: str) -> bool:
    """Whether what is sent there can't be read on the way: over TLS, or on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def trust_of(ca_file: Path | None) -> ssl.SSLContext:
    """Whose certificates are good: those that a file vouches for, else those that the system knows.

    Raises:
        SourceError: the file can't be used.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "it holds no certificate"
        raise SourceError(
            f"ca_file {ca_file} can't be used: {why}", hint="name a file of certificates in PEM"
        ) from None


def revealed(secret: Secret) -> str:
    """The secret itself.

    Raises:
        SourceError: it isn't where the settings say.
    """
    try:
        return secret.reveal()
    except ConfigError as error:
        raise SourceError(error.message, hint=error.hint) from None


async def at_most(body: Body, max_bytes: int) -> tuple[bytes, bool]:
    """The first bytes of a body, and whether there were more; the rest is never asked for."""
    read = bytearray()
    async for piece in body.aiter_bytes():
        read += piece
        if len(read) > max_bytes:
            return bytes(read[:max_bytes]), True
    return bytes(read), False


def complaint(error: ValidationError, source: str, known: tuple[str, ...]) -> SourceError:
    """What is wrong with the settings of a source: names the key, and repeats no value that may be secret.

    Args:
        source: what the source is called in the message.
        known: the keys that there are.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "its settings"
    if first["type"] == "extra_forbidden":
        return SourceError(f"the {source} source has no setting {key}", hint=f"known are {', '.join(sorted(known))}")
    if first["type"] == "missing":
        return SourceError(f"the {source} source needs {key}", hint="set it in the source's table")
    return SourceError(
        f"the {source} source's {key}: {first['msg']}", hint="correct it in its table of the configuration"
    )
