"""What the log source can be told: where logs are, how they write times, how much of them is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fanfold.config.secret import Secret
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.settings import Count, Seconds, Tls, wrong

NAME = "log_cache"
SCHEMES = ("redis", "rediss", "unix")
PREFIX = "fanfold:logs"


def _check_url(value: str) -> None:
    """It is an address without a password; one with a password is a secret, and stands elsewhere."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise wrong("must be an address such as redis://localhost:6379/0") from None
    if parts.password or (parts.username and parts.scheme != "unix"):
        raise wrong('must not hold a user or a password: name them with user and password = { env = "NAME" }')
    if parts.query or parts.fragment:  # such an option could turn off that certificates are verified
        raise wrong("must end with the number of the database: nothing may follow ? or #")
    if parts.scheme not in SCHEMES or (not parts.hostname and parts.scheme != "unix") or port == 0:
        raise wrong(f"must be an address such as redis://localhost:6379/0, with one of {', '.join(SCHEMES)}")


def _redis(value: object) -> object:
    if isinstance(value, str):
        return {"url": value}
    if isinstance(value, Mapping) and len(value) == 1 and set(value) <= {"env", "file"}:
        return {"url": value}
    return value


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise wrong("must be a zone such as America/Sao_Paulo or UTC") from None
    return name


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


class RedisSettings(Tls):
    """Where the cache is.

    Args:
        url: `redis://host:6379/0`, `rediss://` with TLS, `unix:///path`; with a password in it, a secret.
        user, password: where the server wants them.
        ca_file, certificate, key: see `Tls`.
        prefix: what all keys begin with.
        request_timeout_s: seconds for one request, and for connecting.
    """

    url: str | Secret
    user: str | None = None
    password: Secret | None = None
    prefix: Annotated[str, Field(pattern=r"^[\w:.{}-]{1,64}$")] = PREFIX
    request_timeout_s: Seconds = 3.0

    @model_validator(mode="before")
    @classmethod
    def _url_is_safe(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("url"), str):
            _check_url(data["url"])
        return data

    @model_validator(mode="after")
    def _uses_its_files(self) -> RedisSettings:
        if self.has_files and isinstance(self.url, str) and not self.url.startswith("rediss:"):
            raise wrong("ca_file and certificate belong to rediss://, which is TLS")
        return self

    @property
    def place(self) -> str:
        """Where it is, in words that hold no secret."""
        if isinstance(self.url, Secret):
            return f"the Redis of {self.url}"
        parts = urlsplit(self.url)
        return f"Redis at {parts.path if parts.scheme == 'unix' else parts.netloc}"


class LogSettings(BaseModel):
    """Which logs are looked into, and how far.

    Args:
        name: what reports call the source.
        timeout_s: seconds for all that is asked about an incident.
        redis: the cache that `fanfold logs ingest` fills.
        paths: files, folders with all that is below them, patterns; compressed and rotated files, too.
        timezone: of times that name no zone; None = that of this machine.
        day_first: whether 03/04/2024 is the third of April; None = what fits.
        baseline_s: seconds before the window that say what is usual.
        max_bytes: of all files together; of each, the end up to the incident.
        max_files: the newest ones.
        max_lines: that are compared: the newest ones of the window, and as many from before it; of the cache, so many
            for each job and for all.
        max_evidence: pieces of evidence about one incident.
        max_others: of them, errors in the window that name no job.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1)] = NAME
    timeout_s: Seconds = 5.0
    redis: Annotated[RedisSettings, BeforeValidator(_redis)] | None = None
    paths: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_several)] = ()
    timezone: Annotated[str, AfterValidator(_known_zone)] | None = None
    day_first: bool | None = None
    baseline_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 7 * 86_400.0
    max_bytes: Annotated[int, Field(ge=4_096)] = 16 * 1024 * 1024
    max_files: Count = 200
    max_lines: Count = 20_000
    max_evidence: Annotated[int, Field(ge=1, le=100)] = 20
    max_others: Annotated[int, Field(ge=0)] = 3

    @property
    def zone(self) -> tzinfo | None:
        """The zone of times that name none; None = that of this machine."""
        return ZoneInfo(self.timezone) if self.timezone else None


def settings_of(table: Mapping[str, object], root: Path) -> LogSettings:
    """The settings in a table of the configuration.

    Raises:
        SourceError: a key is unknown or a value is wrong; names the key, and repeats no value that may be secret.
    """
    values = {key.replace("-", "_"): value for key, value in table.items()}
    try:
        settings = LogSettings.model_validate(values, context={"root": root})
    except ValidationError as error:
        raise _complaint(error) from None
    if settings.redis is None and not settings.paths:
        raise SourceError(
            "the log source needs redis or paths",
            hint='say redis = "redis://localhost:6379/0", or paths = ["/var/log/batch"]',
        )
    return settings


def redis_settings(server: str | RedisSettings, *, prefix: str | None = None) -> RedisSettings:
    """The settings of a server, of which the address alone may be known.

    Args:
        prefix: of its keys; None = as it is.
    Raises:
        SourceError: it is no address, or holds a password; or the prefix can't be one.
    """
    told: dict[str, Any] = {"url": server} if isinstance(server, str) else server.model_dump(exclude_none=True)
    try:
        return RedisSettings.model_validate(told if prefix is None else told | {"prefix": prefix})
    except ValidationError as error:
        raise _complaint(error) from None


def _complaint(error: ValidationError) -> SourceError:
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"] if part not in ("Secret", "str")) or "redis.url"
    key = "redis.url" if key == "redis" and first["type"] == "setting" else key
    if first["type"] == "extra_forbidden":
        known = sorted({*LogSettings.model_fields, *(f"redis.{name}" for name in RedisSettings.model_fields)})
        return SourceError(f"the log source has no setting {key}", hint=f"known are {', '.join(known)}")
    return SourceError(f"the log source's {key}: {first['msg']}", hint="correct it in its table of the configuration")
