"""What a node reads and writes, wherever it says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fanfold.errors import FanfoldError
from fanfold.nodes.protocol import name_of


class UndeclaredFields(FanfoldError):
    """A node doesn't say what it reads or writes."""


@dataclass(frozen=True, slots=True)
class NodeSignature:
    """The fields of the state that a node reads and those that it writes, without DSPy.

    A node may have this, a DSPy signature or `"question, context -> answer"` as its `signature`, or declare
    `reads` and `writes` itself, which then count.

    Args:
        reads: what it reads.
        writes: what it writes.
        optional: those of `reads` that it can do without, where the state lacks them and no node writes them.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def input_fields(self) -> Mapping[str, str]:
        """What is read, under DSPy's name for it."""
        return {name: name for name in self.reads}

    @property
    def output_fields(self) -> Mapping[str, str]:
        """What is written, under DSPy's name for it."""
        return {name: name for name in self.writes}


def reads_of(node: object) -> tuple[str, ...]:
    """The state's fields that the node reads.

    Raises:
        UndeclaredFields: it doesn't say.
    """
    return _declared(node, "reads", "input_fields")


def writes_of(node: object) -> tuple[str, ...]:
    """The state's fields that the node writes.

    Raises:
        UndeclaredFields: it doesn't say.
    """
    return _declared(node, "writes", "output_fields")


def optional_of(node: object) -> tuple[str, ...]:
    """Those of the fields that it reads which the node can do without."""
    signature = getattr(node, "signature", None)
    return signature.optional if isinstance(signature, NodeSignature) else ()


def signature_name(node: object) -> str | None:
    """What provenance calls the node's signature, None = it has none."""
    signature = getattr(node, "signature", None)
    if signature is None:
        return None
    if isinstance(signature, str):
        return signature
    if isinstance(signature, NodeSignature):
        return f"{', '.join(signature.reads)} -> {', '.join(signature.writes)}"
    return str(getattr(signature, "__name__", type(signature).__name__))


def _declared(node: object, declared: str, fields: str) -> tuple[str, ...]:
    names = getattr(node, declared, None)
    if names is not None:
        return (names,) if isinstance(names, str) else tuple(names)
    signature = getattr(node, "signature", None)
    if isinstance(signature, str):
        return _parsed(signature)[0 if fields == "input_fields" else 1]
    found = getattr(signature, fields, None)
    if isinstance(found, Mapping):
        return tuple(found)
    raise UndeclaredFields(
        f"{name_of(node)} doesn't say what it {declared}",
        hint="give it a DSPy signature, a NodeSignature, or the attributes `reads` and `writes`",
    )


def _parsed(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Both sides of `"question, notes: list[str] -> answer"`, without the types."""
    reads, arrow, writes = text.partition("->")
    if not arrow:
        raise UndeclaredFields(f"{text!r} is no signature", hint='write it as "question, context -> answer"')
    return tuple(_names(reads)), tuple(_names(writes))


def _names(side: str) -> Iterable[str]:
    depth, name = 0, ""
    for character in side + ",":
        depth += (character in "[({") - (character in "])}")
        if character == "," and depth == 0:
            if bare := name.partition(":")[0].strip():
                yield bare
            name = ""
        else:
            name += character
