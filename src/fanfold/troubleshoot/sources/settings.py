"""What the settings of sources share: addresses, paths, secrets, and how a wrong one is complained about."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from fanfold.config.secret import Secret
from fanfold.config.settings import ConfigError
from fanfold.troubleshoot.sources.protocol import SourceError


def wrong(why: str) -> PydanticCustomError:
    """An error of a setting that doesn't repeat the setting, which might be secret."""
    return PydanticCustomError("setting", "{why}", {"why": why})


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, brackets that don't close
        is_one = False
    if not is_one:
        raise wrong("must be an address such as https://host.example.com:9090")
    if "@" in parts.netloc:
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
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


def is_safe_for_secrets(url: str) -> bool:
    """Whether what is sent there can't be read on the way: over TLS, or on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def revealed(secret: Secret) -> str:
    """The secret itself.

    Raises:
        SourceError: it isn't where the settings say.
    """
    try:
        return secret.reveal()
    except ConfigError as error:
        raise SourceError(error.message, hint=error.hint) from None


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
