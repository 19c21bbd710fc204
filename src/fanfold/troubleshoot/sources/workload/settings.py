"""What the workload source can be told: where schedulers are, who asks, and how much is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fanfold.config.secret import Secret
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.settings import Address, Count, OneOrMore, Seconds, Tls, is_safe_for_secrets, wrong

NAME = "tws_status"


def _base(url: str) -> str:
    """A scheduler's address: a host and a port over TLS; on this machine without it, too."""
    parts = urlsplit(url)
    if parts.path.rstrip("/") not in ("", "/twsd", "/twsd/api/v2"):
        raise wrong(f"must end after the port: {parts.scheme}://{parts.netloc}")
    if not is_safe_for_secrets(url):
        raise wrong("must be https: the password would go over the network as clear text")
    return f"{parts.scheme}://{parts.netloc}"


Url = Annotated[Address, AfterValidator(_base)]


class SchedulerSettings(Tls):
    """One scheduler: where it is and who asks.

    Args:
        urls: addresses of the master and its backups, `https://host:31116`; the next one is asked where one is down.
        user, password: for Basic authentication.
        token: for Bearer authentication, instead of user and password.
        api: 2, or 1 for old installations; 1 says nothing of successors.
        ca_file, certificate, key: see `Tls`.
        tls_name: the name that the certificate is made out to, where that isn't the host's.
        proxy: an HTTP proxy that leads there; None = none does, whatever the environment says.
    """

    urls: Annotated[OneOrMore[Url], Field(min_length=1)]
    user: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    api: Literal[1, 2] = 2
    tls_name: str | None = None
    proxy: Address | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_url(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "url" in data and "urls" not in data:
            return {("urls" if key == "url" else key): value for key, value in data.items()}
        return data

    @model_validator(mode="after")
    def _says_who_asks(self) -> SchedulerSettings:
        if (self.token is None) == (self.user is None):
            raise wrong("user and password, or token, must be there, and not both")
        if (self.user is None) != (self.password is None):
            raise wrong("user and password belong together")
        return self


class WorkloadSettings(BaseModel):
    """What is asked of which scheduler.

    Args:
        name: what reports call the source.
        timeout_s: seconds for all that is asked about an incident.
        request_timeout_s: seconds for one request until it is tried again.
        attempts: tries of a request that only reads.
        limit: requests at the same time, at most.
        depth: how far predecessors and successors are followed.
        max_jobs: jobs that are looked into for one incident.
        max_log_bytes: of a job's log, its beginning and its end together.
        instances: schedulers by the name of the instance; without it, the settings of one stand at the top.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1)] = NAME
    timeout_s: Seconds = 5.0
    request_timeout_s: Seconds = 3.0
    attempts: Count = 3
    limit: Count = 8
    depth: Count = 3
    max_jobs: Count = 8
    max_log_bytes: Annotated[int, Field(ge=4_096)] = 256 * 1024
    instances: dict[str, SchedulerSettings]

    def scheduler_of(self, instance: str | None) -> str:
        """The name of the scheduler that an incident is about.

        Raises:
            SourceError: it isn't configured, or several are and none was named.
        """
        if instance is None and len(self.instances) > 1:
            raise SourceError("it isn't said which scheduler is meant", hint=f"name one of {self._names()}")
        if instance is None or "" in self.instances:
            return next(iter(self.instances))
        for name in self.instances:
            if name.casefold() == instance.casefold():
                return name
        raise SourceError(f"no scheduler {instance!r} is configured", hint=f"name one of {self._names()}")

    def leaves_open(self, instance: str | None) -> bool:
        """Whether an instance is named, and the only scheduler has no name by which to tell that it is this one."""
        return instance is not None and "" in self.instances

    def _names(self) -> str:
        return ", ".join(sorted(self.instances))


def settings_of(table: Mapping[str, object], root: Path) -> WorkloadSettings:
    """The settings in a table of the configuration.

    Raises:
        SourceError: a key is unknown or a value is wrong; names the key, and repeats no value that may be secret.
    """
    values: dict[str, Any] = {key.replace("-", "_"): value for key, value in table.items()}
    at_the_top = {key: values.pop(key) for key in ("url", *SchedulerSettings.model_fields) if key in values}
    if "instances" not in values:
        values["instances"] = {"": at_the_top}
    elif at_the_top:
        raise SourceError(
            f"{next(iter(at_the_top))} stands beside instances", hint="put it into the table of each instance"
        )
    try:
        return WorkloadSettings.model_validate(values, context={"root": root})
    except ValidationError as error:
        raise _complaint(error) from None


def _complaint(error: ValidationError) -> SourceError:
    first = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in first["loc"] if part not in ("instances", "")]
    key = ".".join(path) or "the settings of a scheduler"
    said = first["msg"]
    if first["type"] == "extra_forbidden":
        known = sorted({*WorkloadSettings.model_fields, *SchedulerSettings.model_fields})
        return SourceError(f"the workload source has no setting {key}", hint=f"known are {', '.join(known)}")
    if first["type"] == "missing":
        return SourceError(f"the workload source needs {key}", hint="it needs urls, and user and password or a token")
    return SourceError(f"the workload source's {key}: {said}", hint="correct it in its table of the configuration")
