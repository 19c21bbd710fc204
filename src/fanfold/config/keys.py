"""Where the user's secrets may go: what a repository's file says is no word of the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
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
ADDRESSES = frozenset({"url", "urls", "base_url", "proxy", "redis"})
NO_ADDRESSES = frozenset({"command", "arguments"})
"""What a program or a tool is told: where they connect to isn't for these settings to say."""
_IGNORED_IN_URLS = str.maketrans("", "", "\t\r\n")


def refuse_unknown_hosts(tables: Mapping[str, object], file: str) -> None:
    """See to it that nothing sends a secret of the user's to a host that only the project's file names.

    Args:
        tables: settings of what is in use, by what messages call it; addresses and secrets may stand at any depth.
        file: the name of the file that they come from.
    Raises:
        ConfigError: something would.
    """
    said = [one.strip().lower() for one in os.environ.get(VARIABLE, "").split(",") if one.strip()]
    for name, table in tables.items():
        if not any(_secrets(table)):
            continue
        for address in _addresses(table):
            if (host := _host(address)) in KNOWN or _is_said(host, said):
                continue
            raise ConfigError(
                f"{name} of {file} would send a secret of yours to {host or address!r}",
                hint=f"if that is right, say so outside of the repository: export {VARIABLE}={host or 'HOST'}",
            )


def _is_said(host: str, said: list[str]) -> bool:
    return any(host.endswith(one[1:]) if one.startswith("*.") else host == one for one in said)


def _secrets(value: object, key: str = "") -> Iterator[object]:
    """What names a secret; an address that is one is none, and goes nowhere by itself."""
    if isinstance(value, Mapping):
        if _names_a_secret(value):
            yield from () if key in ADDRESSES else (value,)
            return
        for name, inner in value.items():
            yield from _secrets(inner, str(name).replace("-", "_"))
    elif isinstance(value, list):
        for inner in value:
            yield from _secrets(inner, key)


def _addresses(value: object, key: str = "") -> Iterator[str]:
    """What is an address, or may be one: a file of the repository can hold an address like its settings."""
    if isinstance(value, str):
        bare = value.translate(_IGNORED_IN_URLS)
        if ("//" if key in ADDRESSES else "://") in bare and not bare.startswith("unix://"):
            yield value
    elif isinstance(value, Mapping):
        if key in ADDRESSES and _names_a_secret(value) and "file" in value:
            yield f"the address in {value['file']}"
        for name, inner in value.items():
            spelled = str(name).replace("-", "_")
            if spelled not in NO_ADDRESSES:
                yield from _addresses(inner, spelled)
    elif isinstance(value, list):
        for inner in value:
            yield from _addresses(inner, key)


def _names_a_secret(value: Mapping[object, object]) -> bool:
    return len(value) == 1 and set(value) <= {"env", "file"} and all(isinstance(one, str) for one in value.values())


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""
