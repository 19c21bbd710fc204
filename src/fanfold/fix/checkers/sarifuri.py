"""From the URIs of a SARIF log to paths of the repository."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from fanfold.fix.checkers.paths import OutsideTree, Tree

Base = tuple[str | None, str | None]
"""A base's own URI and the name of the base that it is relative to, either may be missing."""

LOCAL_HOSTS = ("", "localhost")


@dataclass(frozen=True)
class Locator:
    """Finds the files of a tree by URI; `bases` are a run's `originalUriBaseIds`."""

    tree: Tree
    bases: Mapping[str, Base] = field(default_factory=dict)

    def within(self, bases: Mapping[str, Base]) -> Locator:
        """The same tree with a run's own bases."""
        return dataclasses.replace(self, bases=bases)

    def path(self, uri: str, base: str | None = None) -> str:
        """The path, relative to the root, that `uri` means; a relative one starts at its base, else at the root.

        Raises:
            OutsideTree: it means another place.
        """
        resolved = urljoin(self._base(base), uri) if not _is_absolute(uri) else uri
        parts = urlsplit(resolved)
        if "://" in resolved and (parts.scheme != "file" or parts.netloc not in LOCAL_HOSTS):
            raise OutsideTree(resolved)
        paths = [self.tree.relative(name) for name in _names(resolved)]
        return next((path for path in paths if os.path.lexists(self.tree.root / path)), paths[0])

    def _base(self, name: str | None) -> str:
        """The URI of a base with all the bases that it stands on, "" where it isn't told: then it's the root."""
        uri, seen = "", set[str]()
        while name is not None and name in self.bases and name not in seen:
            seen.add(name)
            own, name = self.bases[name]
            own = own and (own if own.endswith("/") else f"{own}/")
            uri = urljoin(own or "", uri)
            if _is_absolute(uri):
                break
        return uri


def _is_absolute(uri: str) -> bool:
    return "://" in uri or uri.startswith(("/", "file:"))


def _names(uri: str) -> list[str]:
    """The file names that `uri` may stand for, most likely first: not every tool escapes what it should."""
    local = uri
    if uri.startswith("file:"):
        local = uri.removeprefix("file:")
        if local.startswith("//"):
            local = "/" + local[2:].partition("/")[2]
    whole = os.fsdecode(unquote_to_bytes(local.encode("utf-8", "surrogateescape")))
    before_fragment = os.fsdecode(unquote_to_bytes(local.partition("#")[0].encode("utf-8", "surrogateescape")))
    return [name for name in dict.fromkeys((whole, before_fragment, local)) if name]
