"""What two texts have just the same, so that no gate has to look at it."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Collection, Mapping

from fanfold.fix.gates.nodes import DEFINITIONS, Definition
from fanfold.fix.gates.source import BUILTINS, Source


def parts(old: Source, new: Source) -> tuple[Source, Source]:
    """Both texts without the functions and classes that they have just the same.

    Those have one name and one text, and all names in them mean the same on both sides. So if a text has more of
    anything than the other one, its part has as much more than the other part.
    """
    if old.encoding != new.encoding or old.encoding == "unknown":
        return old, new
    names, before, after = _other_names(old, new), _definitions(old), _definitions(new)
    same = [name for name in before.keys() & after.keys() if old.text_of(before[name]) == new.text_of(after[name])]
    same = [name for name in same if not _mentions(old, before[name], names)]
    return old.without(frozenset(before[one] for one in same)), new.without(frozenset(after[one] for one in same))


def _definitions(source: Source) -> Mapping[str, Definition]:
    return {name: node for name, node in source.scopes if isinstance(node, DEFINITIONS)}


def _mentions(source: Source, node: Definition | ast.expr, names: Collection[str]) -> bool:
    """Whether a node may have one of the names in it, as Python reads them."""
    text = unicodedata.normalize("NFKC", source.text_of(node).decode(source.encoding))
    return any(re.search(rf"\b{re.escape(name)}\b", text) for name in names if name in text)


def _other_names(old: Source, new: Source) -> frozenset[str]:
    """Names that stand for something else in one text than in the other, or that only one of them reads."""
    one, another = old.names, new.names
    origins = {*one.imported.values()} ^ {*another.imported.values()}
    found = {name for name, _ in one.imported.items() ^ another.imported.items()} | origins
    for names in (one, another):
        found |= {name for name, origin in names.imported.items() if origin.partition(".")[0] in origins}
    found |= (one.modules ^ another.modules) | (one.loaded ^ another.loaded) | ((one.outer ^ another.outer) & BUILTINS)
    found |= {name for name, _ in _aliases(old) ^ _aliases(new)}
    while more := {
        name
        for source in (old, new)
        for name, value in source.names.aliases.items()
        if name not in found and _mentions(source, value, found)
    }:
        found |= more
    return frozenset(found)


def _aliases(source: Source) -> set[tuple[str, bytes]]:
    return {(name, source.text_of(value)) for name, value in source.names.aliases.items()}
