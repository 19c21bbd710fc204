"""The environment that an untrusted program may see."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

ALLOWED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LD_LIBRARY_PATH"),
        *("LANG", "LANGUAGE", "TERM", "COLUMNS", "LINES", "NO_COLOR"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    }
)
ALLOWED_PREFIXES = ("LC_", "XDG_")
PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


def allowed_environment(extra: Iterable[str] = (), overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment without what might be a secret.

    Args:
        extra: names to take along besides the allowed ones; names that aren't set are skipped.
        overrides: set last, whatever the caller's environment says.
    Returns:
        Locale, paths, certificates, proxies whose address holds no password, `extra`, `overrides`.
    """
    wanted = set(extra)
    kept = {name: value for name, value in os.environ.items() if name in wanted or _is_allowed(name, value)}
    return {**kept, **(overrides or {})}


def _is_allowed(name: str, value: str) -> bool:
    if name.lower() in PROXIES:
        return "@" not in value
    return name in ALLOWED or name.startswith(ALLOWED_PREFIXES)
