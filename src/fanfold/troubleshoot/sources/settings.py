"""What the settings of sources share: addresses, paths, secrets, and how a wrong one is complained about."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from fanfold.config.secret import Secret
from fanfold.config.settings import ConfigError, expanded
from fanfold.troubleshoot.sources.protocol import SourceError

T = TypeVar("T")


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
    return Path(root or Path.cwd()) / expanded(path)


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]
"""An http or https URL without a user and without a query."""
FileFromRoot = Annotated[Path, AfterValidator(_from_root)]
"""A path; a relative one starts from `root` of the validation context."""
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
OneOrMore = Annotated[tuple[T, ...], BeforeValidator(_one_or_more)]
"""Several of them, or one without brackets around it."""


class Tls(BaseModel):
    """Whom a source trusts, and what it shows of itself, where it speaks TLS.

    Args:
        ca_file: certificates that vouch for the server; None = those of the system.
        certificate: the source's own, with those that vouch for it, for servers that want one.
        key: the key of that; None = it stands in the same file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    ca_file: FileFromRoot | None = None
    certificate: FileFromRoot | None = None
    key: FileFromRoot | None = None

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if self.key and not self.certificate:
            raise wrong("key belongs to a certificate, which isn't there")
        return self

    @property
    def has_files(self) -> bool:
        """Whether anything is said."""
        return bool(self.ca_file or self.certificate)

    def trust(self) -> ssl.SSLContext:
        """What connections are made with: certificates are verified.

        Raises:
            SourceError: a file can't be used.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror if type(error) is not ssl.SSLError and error.strerror else "it holds no certificate"
            raise SourceError(
                f"ca_file {self.ca_file} can't be used: {why}", hint="name a file of certificates in PEM"
            ) from None
        if self.certificate:
            try:
                # Without a password OpenSSL would ask for one at the terminal.
                context.load_cert_chain(self.certificate, self.key, password="")
            except (OSError, ssl.SSLError, ValueError):
                raise SourceError(
                    f"certificate {self.certificate} can't be used with its key {self.key or 'in the same file'}",
                    hint="name files in PEM that belong together and can be read; the key without a password",
                ) from None
        return context


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
