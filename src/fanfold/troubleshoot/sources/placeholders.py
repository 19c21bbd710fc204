"""Placeholders in settings, filled with what an incident is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fanfold.troubleshoot.incident import Incident

NAMES = ("job", "instance", "message", "codes", "since", "until")
MOST_JOBS = 8
LONGEST = 10_000
_PLACEHOLDER = re.compile(rf"\{{({'|'.join(NAMES)})\}}")
_UNKNOWN = re.compile(r"\{([a-z_]+)\}")


def names_in(template: Any) -> frozenset[str]:
    """The placeholders in a template: a text, or lists and tables of texts."""
    return frozenset(match[1] for text in _texts(template) for match in _PLACEHOLDER.finditer(text))


def unknown_in(template: Any) -> str:
    """Something in a template that looks like a placeholder and is none; "" where there is nothing."""
    found = (match[1] for text in _texts(template) for match in _UNKNOWN.finditer(text))
    return next((name for name in found if name not in NAMES), "")


def values_for(incident: Incident, template: Any) -> list[dict[str, str]]:
    """What the placeholders stand for, once for each job where the template asks for a job.

    Returns:
        Nothing where it asks for a job and none is known. What isn't known otherwise is empty.
    """
    common = {
        "instance": incident.instance or "",
        "message": incident.message,
        "codes": ",".join(incident.codes),
        "since": (incident.until - timedelta(seconds=incident.window_s)).isoformat(),
        "until": incident.until.isoformat(),
    }
    shown = {name: _plain(value) for name, value in common.items()}
    if "job" not in names_in(template):
        return [shown]
    return [{**shown, "job": _plain(job)} for job in incident.jobs[:MOST_JOBS]]


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """The template with values for its placeholders; what a value holds is not filled in again."""
    if isinstance(template, str):
        return _PLACEHOLDER.sub(lambda match: values[match[1]], template)
    if isinstance(template, Mapping):
        return {key: filled(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, values) for value in template]
    return template


def _texts(template: Any) -> list[str]:
    if isinstance(template, str):
        return [template]
    inner = template.values() if isinstance(template, Mapping) else template
    return [text for one in inner for text in _texts(one)] if isinstance(template, Mapping | list | tuple) else []


def _plain(value: str) -> str:
    kept = "".join(letter for letter in value[:LONGEST] if letter.isprintable() or letter in "\n\t")
    return kept.strip()
