"""What the metrics source can be told: where Prometheus is, who asks, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from fanfold.config.secret import Secret
from fanfold.troubleshoot.sources.metrics.defaults import DEFAULTS, GROUPS, Group
from fanfold.troubleshoot.sources.metrics.promql import TemplateError, placeholders_of
from fanfold.troubleshoot.sources.metrics.query import Query, query_of
from fanfold.troubleshoot.sources.settings import (
    Address,
    Count,
    Seconds,
    Tls,
    complaint,
    is_safe_for_secrets,
    wrong,
)

NAME = "metrics"


def _groups(value: object) -> object:
    return {True: list(GROUPS), False: []}[value] if isinstance(value, bool) else value


class MetricsSettings(Tls):
    """What is asked of which Prometheus.

    Args:
        url: where it is, `https://prometheus.example.com:9090`, with a path where it has one.
        user, password: for Basic authentication.
        token: for Bearer authentication, instead of user and password.
        ca_file, certificate, key: see `Tls`.
        proxy: an HTTP proxy that leads there; None = none does, whatever the environment says.
        name: what reports call the source.
        timeout_s: seconds for all that is asked about an incident.
        request_timeout_s: seconds for one query.
        limit: queries at the same time, at most.
        max_series: series that one query may return.
        max_bytes: of one answer.
        max_evidence: series that are reported one by one.
        sensitivity: how many times its usual scatter a series must be away to count; less finds more.
        min_change: of its usual value a series must be away at least: 0.25 is a quarter.
        defaults: which ready-made queries are asked: all (true), none (false) or a list of groups.
        alerts: whether alerts that fire are asked for.
        workstations: the workstation, in the way that metrics spell it, by job; "*" for all others.
        queries: your own, by name: PromQL, or a table with promql, unit, wrong_below and wrong_above.
    """

    url: Address
    user: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    proxy: Address | None = None
    name: Annotated[str, Field(min_length=1)] = NAME
    timeout_s: Seconds = 5.0
    request_timeout_s: Seconds = 4.0
    limit: Count = 8
    max_series: Count = 500
    max_bytes: Annotated[int, Field(ge=4_096)] = 8 * 1024 * 1024
    max_evidence: Count = 20
    sensitivity: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    min_change: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.25
    defaults: Annotated[tuple[Group, ...], BeforeValidator(_groups)] = GROUPS
    alerts: bool = True
    workstations: dict[str, str] = Field(default_factory=dict)
    queries: dict[str, Annotated[Query, BeforeValidator(query_of)]] = Field(default_factory=dict)

    @field_validator("queries")
    @classmethod
    def _placeholders_are_quoted(cls, queries: dict[str, Query]) -> dict[str, Query]:
        for name, query in queries.items():
            try:
                placeholders_of(query.promql)
            except TemplateError as error:
                raise wrong(f"{name}: {error.message}; {error.hint}") from None
        return queries

    @model_validator(mode="after")
    def _says_who_asks(self) -> MetricsSettings:
        if self.token is not None and self.user is not None:
            raise wrong("user and password, or token, may be there, and not both")
        if (self.user is None) != (self.password is None):
            raise wrong("user and password belong together")
        if (self.token or self.password) and not is_safe_for_secrets(self.url):
            raise wrong("url must be https: the password would go over the network as clear text")
        return self

    @property
    def asked(self) -> dict[str, Query]:
        """All queries by name, the user's own first; one of theirs replaces a ready-made one of the same name."""
        ready = {name: query for group in self.defaults for name, query in DEFAULTS[group].items()}
        return self.queries | {name: query for name, query in ready.items() if name not in self.queries}


def settings_of(table: Mapping[str, object], root: Path) -> MetricsSettings:
    """The settings in a table of the configuration.

    Raises:
        SourceError: a key is unknown or a value is wrong; names the key, and repeats no value that may be secret.
    """
    values: dict[str, Any] = {key.replace("-", "_"): value for key, value in table.items()}
    try:
        return MetricsSettings.model_validate(values, context={"root": root})
    except ValidationError as error:
        raise complaint(error, NAME, tuple(MetricsSettings.model_fields)) from None
