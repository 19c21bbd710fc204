"""Where the user's keys may go: what a repository's file says is no word of the user's."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from fanfold.config.settings import ConfigError

VARIABLE = "FANFOLD_KEY_HOSTS"
KNOWN = frozenset(
    {
        *("localhost", "127.0.0.1", "::1"),
        *("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "openrouter.ai"),
        *("api.mistral.ai", "api.groq.com", "api.deepseek.com", "api.together.xyz", "api.cerebras.ai", "api.x.ai"),
        *("api.fireworks.ai", "router.huggingface.co"),
    }
)
"""This machine, and public services of models: none of them is the author's of a repository."""


def refuse_unknown_hosts(agents: Mapping[str, Mapping[str, Any]], used: Collection[str], file: str) -> None:
    """See to it that no agent in use sends a key to a host that only the project's file names.

    Args:
        agents: the tables of the file.
        used: names of the agents that are to work, each perhaps with an argument after a colon.
        file: its name.
    Raises:
        ConfigError: one would.
    """
    trusted = KNOWN | {one.strip().lower() for one in os.environ.get(VARIABLE, "").split(",") if one.strip()}
    for name in sorted({one.partition(":")[0] for one in used} & agents.keys()):
        table = {key.replace("-", "_"): value for key, value in agents[name].items()}
        url, key = table.get("base_url"), table.get("api_key")
        if url is None or key is None or (host := _host(url)) in trusted:
            continue
        raise ConfigError(
            f"agent {name!r} of {file} would send a key of yours to {host or url!r}",
            hint=f"if that is right, say so outside of the repository: export {VARIABLE}={host or 'HOST'}",
        )


def _host(url: object) -> str:
    try:
        return (urlsplit(str(url)).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""
