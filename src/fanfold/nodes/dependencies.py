"""Which node needs which: found from what nodes read and write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, Generic, TypeVar

from fanfold.errors import FanfoldError
from fanfold.nodes.protocol import BaseNode, name_of, refuse_others
from fanfold.nodes.signature import optional_of, reads_of, writes_of

StateT = TypeVar("StateT")


class PlanError(FanfoldError):
    """Nodes that can't be run in the order of their dependencies."""


class CyclicPlan(PlanError):
    """Nodes wait for each other."""


class NoProducer(PlanError):
    """A node reads what no node writes and the state doesn't have."""


class SeveralProducers(PlanError):
    """Two nodes write one field."""


@dataclass(frozen=True)
class Dependencies(Generic[StateT]):
    """Nodes and what each waits for.

    Attributes:
        nodes: n nodes, as given.
        reads: n tuples, the fields that each reads.
        writes: n tuples, the fields that each writes; no field is in two of them.
        needs: n tuples, the positions of the nodes whose fields each reads.
        order: the n positions, every node after all that it needs, otherwise as given.
        inputs: the fields that the state has to bring, those apart that every node which reads them can do without.
    """

    nodes: tuple[BaseNode[StateT], ...]
    reads: tuple[tuple[str, ...], ...]
    writes: tuple[tuple[str, ...], ...]
    needs: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]
    inputs: tuple[str, ...]

    def upstream(self, position: int) -> tuple[int, ...]:
        """The positions of all nodes that this one needs, directly or through others, in `order`."""
        found: set[int] = set()
        pending = list(self.needs[position])
        while pending:
            if (one := pending.pop()) not in found:
                found.add(one)
                pending.extend(self.needs[one])
        return tuple(one for one in self.order if one in found)

    def __str__(self) -> str:
        lines = []
        for position in self.order:
            after = ", ".join(name_of(self.nodes[one]) for one in self.needs[position])
            fields = f"{', '.join(self.reads[position])} -> {', '.join(self.writes[position])}"
            lines.append(f"{name_of(self.nodes[position])}: {fields}" + (f" (after {after})" if after else ""))
        return "\n".join(lines)


def dependencies(nodes: Iterable[BaseNode[StateT]], given: Iterable[str] | None = None) -> Dependencies[StateT]:
    """Find what each node waits for.

    A node waits for the node that writes a field it reads. What it writes itself it doesn't wait for: that comes
    from the state.

    Args:
        nodes: each says what it reads and writes: by a DSPy signature, a NodeSignature, or `reads` and `writes`.
        given: the fields that the state brings; None = not known yet, all that no node writes.
    Raises:
        TypeError: something is no node.
        UndeclaredFields, SeveralProducers, NoProducer, CyclicPlan.
    """
    found = tuple(nodes)
    refuse_others(found)
    reads, writes = tuple(reads_of(node) for node in found), tuple(writes_of(node) for node in found)
    producers = _producers(found, writes)
    needs = tuple(
        tuple(sorted({producers[field] for field in read if producers.get(field, position) != position}))
        for position, read in enumerate(reads)
    )
    order = _order(found, needs, producers, reads)
    inputs = tuple(
        dict.fromkeys(
            field
            for position in order
            for field in reads[position]
            if producers.get(field, position) == position and field not in optional_of(found[position])
        )
    )
    plan = Dependencies(found, reads, writes, needs, order, inputs)
    if given is not None:
        refuse_missing(plan, given)
    return plan


def refuse_missing(plan: Dependencies[Any], given: Iterable[str]) -> None:
    """Check that the state brings what no node produces.

    Raises:
        NoProducer: it doesn't.
    """
    brought = list(given)
    for field in plan.inputs:
        if field in brought:
            continue
        readers = " and ".join(
            name_of(node) for node, read in zip(plan.nodes, plan.reads, strict=True) if field in read
        )
        produced = dict.fromkeys(name for written in plan.writes for name in written)
        raise NoProducer(
            f"nothing produces {field!r}, which {readers} reads",
            hint=f"the state brings {_listed(brought)}; the nodes write {_listed(produced)}",
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def _producers(nodes: Sequence[BaseNode[Any]], writes: Sequence[Sequence[str]]) -> dict[str, int]:
    producers: dict[str, int] = {}
    for position, written in enumerate(writes):
        for field in written:
            if producers.setdefault(field, position) != position:
                first, second = name_of(nodes[producers[field]]), name_of(nodes[position])
                raise SeveralProducers(
                    f"{first} and {second} both write {field!r}",
                    hint="let one node write it, or give each a field of its own and a node that joins them",
                )
    return producers


def _order(
    nodes: Sequence[BaseNode[Any]],
    needs: Sequence[Sequence[int]],
    producers: Mapping[str, int],
    reads: Sequence[Sequence[str]],
) -> tuple[int, ...]:
    sorter = TopologicalSorter(dict(enumerate(needs)))
    try:
        sorter.prepare()
    except CycleError as error:
        cycle: list[int] = error.args[1]
        raise CyclicPlan(
            f"nodes wait for each other: {_told(nodes, cycle, producers, reads)}",
            hint="let one of them read something else",
        ) from None
    order: list[int] = []
    ready: list[int] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()])
        first = ready.pop(0)
        order.append(first)
        sorter.done(first)
    return tuple(order)


def _told(
    nodes: Sequence[BaseNode[Any]],
    cycle: Sequence[int],
    producers: Mapping[str, int],
    reads: Sequence[Sequence[str]],
) -> str:
    told = name_of(nodes[cycle[0]])
    for before, after in pairwise(cycle):
        fields = [field for field in reads[after] if producers.get(field) == before]
        told += f" -{', '.join(fields)}→ {name_of(nodes[after])}"
    return told
