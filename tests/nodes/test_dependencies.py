from __future__ import annotations

from typing import Any

import pytest

from fanfold.nodes.dependencies import CyclicPlan, Dependencies, NoProducer, SeveralProducers, dependencies
from fanfold.nodes.node import AbstractBaseNode
from fanfold.nodes.signature import NodeSignature, UndeclaredFields, reads_of, signature_name, writes_of


class Named(AbstractBaseNode[dict[str, Any]]):
    def __init__(self, name: str, signature: Any) -> None:
        self.name = name
        self.signature = signature


def node(name: str, signature: Any) -> Named:
    return Named(name, signature)


def found(*signatures: str, given: list[str] | None = None) -> Dependencies[dict[str, Any]]:
    return dependencies([node(f"n{number}", signature) for number, signature in enumerate(signatures)], given)


def test_a_node_needs_those_that_write_what_it_reads() -> None:
    plan = found("c, d -> e", "a -> b", "b -> c", "b -> d")
    assert plan.needs == ((2, 3), (), (1,), (1,))
    assert plan.order == (1, 2, 3, 0)
    assert plan.inputs == ("a",)
    assert plan.upstream(0) == (1, 2, 3)
    assert str(plan).splitlines() == [
        "n1: a -> b",
        "n2: b -> c (after n1)",
        "n3: b -> d (after n1)",
        "n0: c, d -> e (after n2, n3)",
    ]


def test_independent_nodes_keep_their_order() -> None:
    assert found("a -> x", "b -> y", "-> z").order == (0, 1, 2)


def test_what_a_node_writes_itself_comes_from_the_state() -> None:
    plan = found("total -> total", "total -> report")
    assert plan.needs == ((), (0,))
    assert plan.inputs == ("total",)


def test_a_cycle_is_told_with_its_fields() -> None:
    with pytest.raises(CyclicPlan, match=r"n\d -\w→ n\d -\w→ n\d") as caught:
        found("a -> b", "b -> c", "c -> a")
    assert {"-a→", "-b→", "-c→"} <= set(caught.value.message.split())


def test_two_producers_of_one_field_are_refused() -> None:
    with pytest.raises(SeveralProducers, match="n0 and n1 both write 'b'"):
        found("a -> b", "a -> b")


def test_an_input_that_nobody_produces_is_refused_where_it_is_known() -> None:
    assert found("question -> answer").inputs == ("question",)
    with pytest.raises(NoProducer, match="nothing produces 'question', which n0 reads") as caught:
        found("question -> answer", given=["qestion"])
    assert "the state brings qestion; the nodes write answer" in str(caught.value.hint)


def test_signatures_come_in_several_forms() -> None:
    text = node("text", "a: dict[str, tuple[int, int]], b -> c: list[str], d")
    assert (reads_of(text), writes_of(text)) == (("a", "b"), ("c", "d"))
    plain = node("plain", NodeSignature(("a",), ("b",)))
    assert (reads_of(plain), writes_of(plain)) == (("a",), ("b",))
    assert signature_name(plain) == "a -> b"
    assert signature_name(text) == text.signature


def test_declared_fields_count_over_the_signature() -> None:
    class Declared(AbstractBaseNode[dict[str, Any]]):
        signature = "a -> b"
        reads = ("x",)
        writes = "y"

    assert dependencies([Declared()]).reads == (("x",),)
    assert dependencies([Declared()]).writes == (("y",),)


@pytest.mark.parametrize("signature", [None, "a, b", object()])
def test_a_node_that_says_nothing_is_refused(signature: object) -> None:
    with pytest.raises(UndeclaredFields):
        found(signature)  # type: ignore[arg-type]
