from __future__ import annotations

import math
import operator
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.engine.laws import LAWS, Law, LawBroken, check_laws, find_counterexample
from fanfold.engine.reducers import (
    Reducer,
    append_unique,
    append_unique_by,
    as_reducer,
    concat,
    keep_last,
    largest,
    merge_dicts,
    smallest,
    top_k,
    total,
    union,
)

integers = st.integers(-3, 3)
lists = st.lists(integers, max_size=4)
numbers = integers | st.fractions(min_value=-2, max_value=2, max_denominator=4)
records = st.lists(st.fixed_dictionaries({"id": integers, "score": integers}), max_size=3)


def score(record: dict[str, int]) -> int:
    return record["score"]


def name_of(record: dict[str, int]) -> int:
    return record["id"]


LIBRARY: list[tuple[Reducer[Any], st.SearchStrategy[Any]]] = [
    (concat, lists),
    (concat, st.text(max_size=3)),
    (concat, lists.map(tuple)),
    (total, numbers),
    (total, st.timedeltas(timedelta(0), timedelta(9))),
    (union, st.sets(integers)),
    (union, st.frozensets(integers)),
    (merge_dicts, st.dictionaries(integers, lists, max_size=3)),
    (keep_last, st.none() | lists),
    (largest, st.none() | integers),
    (largest, st.text(max_size=2)),
    (smallest, st.none() | integers),
    (smallest, st.tuples(integers, integers)),
    (top_k(2), lists),
    (top_k(2, key=score), records),
    (append_unique, lists),
    (append_unique, st.lists(lists | st.sets(integers) | st.frozensets(integers) | integers, max_size=3)),
    (append_unique_by(name_of), records),
]
library = pytest.mark.parametrize(
    ("reducer", "values"), LIBRARY, ids=[f"{reducer.name}-{number}" for number, (reducer, _) in enumerate(LIBRARY)]
)


@library
@given(data=st.data())
def test_declared_laws_hold(reducer: Reducer[Any], values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    check_laws(reducer, data.draw(st.lists(values, min_size=3, max_size=3)))


# One witness for each law that a reducer says it breaks.
WITNESSES: dict[tuple[str, Law], tuple[Reducer[Any], list[Any]]] = {
    ("concat", "commutative"): (concat, [[1], [2]]),
    ("concat", "idempotent"): (concat, [[1]]),
    ("total", "idempotent"): (total, [1]),
    ("merge_dicts", "commutative"): (merge_dicts, [{"a": 1}, {"a": 2}]),
    ("keep_last", "commutative"): (keep_last, [1, 2]),
    ("top_k(2)", "idempotent"): (top_k(2), [[1]]),
    ("top_k(2) by key", "commutative"): (
        top_k(2, key=score),
        [[{"id": 1, "score": 1}], [{"id": 2, "score": 1}]],
    ),
    ("top_k(2) by key", "idempotent"): (top_k(2, key=score), [[{"id": 1, "score": 1}]]),
    ("append_unique", "commutative"): (append_unique, [[1], [2]]),
    ("append_unique_by", "commutative"): (append_unique_by(name_of), [[{"id": 1}], [{"id": 2}]]),
}


@pytest.mark.parametrize(("name", "law"), WITNESSES)
def test_laws_declared_not_to_hold_have_a_counterexample(name: str, law: Law) -> None:
    reducer, samples = WITNESSES[name, law]

    assert getattr(reducer, law) is False
    assert find_counterexample(reducer, law, samples) is not None


def test_every_law_of_every_reducer_is_declared_and_every_denied_one_has_a_witness() -> None:
    for reducer, _ in LIBRARY:
        assert all(getattr(reducer, law) in (True, False) for law in LAWS), reducer
        denied = {law for law in LAWS if getattr(reducer, law) is False}
        witnessed = {law for (_, law), (known, _) in WITNESSES.items() if known.name == reducer.name}
        assert denied <= witnessed, reducer


def test_floats_associate_only_nearly() -> None:
    assert find_counterexample(total, "associative", [0.1, 0.2, 0.3]) is not None
    assert find_counterexample(total, "commutative", [0.1, 0.2, 0.3]) is None


def test_dicts_merged_recursively_would_not_be_associative() -> None:
    def merged(left: Any, right: Any) -> Any:
        if isinstance(left, dict) and isinstance(right, dict):
            return {key: merged(left.get(key, value), value) for key, value in {**left, **right}.items()} | {
                key: value for key, value in left.items() if key not in right
            }
        return right

    assert find_counterexample(Reducer(merged), "associative", [{"k": {"a": 1}}, {"k": 2}, {"k": {"b": 1}}])


@library
@given(data=st.data())
def test_inputs_stay_as_they_are_and_results_are_containers_of_their_own(
    reducer: Reducer[Any], values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    left, right = data.draw(values), data.draw(values)
    before = deepcopy((left, right))

    result = reducer(left, right)

    assert (left, right) == before
    if reducer not in (keep_last, largest, smallest) and isinstance(result, (list, dict, set)):
        assert result is not left
        assert result is not right


@library
@given(data=st.data())
def test_what_a_branch_added_can_be_told_from_what_it_made(
    reducer: Reducer[Any], values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    base, added = data.draw(values), data.draw(values)
    assert reducer.since is not None
    if reducer.name.startswith("top_k"):
        base = reducer([], base)
    made = reducer(base, added)

    assert reducer(base, reducer.since(base, made)) == made
    assert reducer(base, reducer.since(base, base)) == base


@pytest.mark.parametrize(
    ("reducer", "base", "made"),
    [
        (concat, [1, 2], [2, 1, 3]),
        (append_unique, [1], []),
        (union, {1}, {2}),
        (merge_dicts, {"a": 1}, {"b": 1}),
        (as_reducer(operator.add), [1], [2]),
        (as_reducer(operator.or_), {"a": 1}, {}),
    ],
)
def test_taking_away_is_nothing_that_a_branch_could_add(reducer: Reducer[Any], base: Any, made: Any) -> None:
    assert reducer.since is not None
    with pytest.raises(ValueError, match="it "):
        reducer.since(base, made)


@pytest.mark.parametrize(
    ("reducer", "left", "right", "made"),
    [
        (concat, [1], [2, 1], [1, 2, 1]),
        (concat, "ab", "c", "abc"),
        (total, 1, 2.5, 3.5),
        (total, Decimal("0.1"), Decimal("0.2"), Decimal("0.3")),
        (total, Fraction(1, 3), Fraction(2, 3), 1),
        (union, {1}, {2}, {1, 2}),
        (merge_dicts, {"a": 1, "b": 1}, {"b": 2}, {"a": 1, "b": 2}),
        (keep_last, 1, None, None),
        (largest, None, -3, -3),
        (largest, 2, 1, 2),
        (smallest, 2, 1, 1),
        (smallest, 2, None, 2),
        (top_k(2), [1, 3], [2], [3, 2]),
        (top_k(2, key=len), ["a", "bb"], ["cc", "d"], ["bb", "cc"]),
        (append_unique, [1, 2], [2, 3, 3], [1, 2, 3]),
        (append_unique, [{"a": 1}], [{"a": 1}, {"b": 1}], [{"a": 1}, {"b": 1}]),
        (append_unique_by(len), ["a"], ["b", "cc"], ["a", "cc"]),
    ],
)
def test_what_each_reducer_makes(reducer: Reducer[Any], left: Any, right: Any, made: Any) -> None:
    assert reducer(left, right) == made


@pytest.mark.parametrize(
    ("reducer", "left", "right"),
    [
        (concat, ["a"], "bc"),
        (concat, [1], (2,)),
        (concat, {1}, {2}),
        (total, "a", "b"),
        (total, [1], [2]),
        (union, {1}, [2]),
        (merge_dicts, {}, [("a", 1)]),
        (top_k(2), [1], 2),
        (append_unique, ["a"], "bc"),
    ],
)
def test_a_value_of_another_kind_is_refused_instead_of_taken_apart(
    reducer: Reducer[Any], left: Any, right: Any
) -> None:
    with pytest.raises(TypeError):
        reducer(left, right)


@pytest.mark.parametrize("nan", [math.nan, Decimal("nan"), (math.nan, "a")])
def test_nan_has_no_rank(nan: Any) -> None:
    for reducer in (largest, smallest):
        for left, right in ((nan, nan), (None, nan), (nan, None)):
            with pytest.raises(ValueError, match="NaN"):
                reducer(left, right)
    with pytest.raises(ValueError, match="NaN"):
        top_k(2)([nan], [])


def test_of_equal_values_the_first_stays() -> None:
    assert largest(1, True) is not True
    assert smallest(True, 1) is True
    assert top_k(1)([1], [True]) == [1]
    assert top_k(1)([1], [True])[0] is not True


@pytest.mark.parametrize("first", [{1}, frozenset({1})])
def test_a_set_is_equal_to_a_frozenset_though_it_has_no_hash(first: Any) -> None:
    assert append_unique([first], [{1}, frozenset({1})]) == [first]


def test_top_k_keeps_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        top_k(0)


@pytest.mark.parametrize(
    ("function", "samples"),
    [
        (operator.add, [[1], [2], []]),
        (operator.add, ["a", "b", ""]),
        (operator.add, [1, 2.5]),
        (operator.add, [(1,), ()]),
        (operator.or_, [{1}, {2}]),
        (operator.or_, [{"a": 1}, {"a": 2}]),
        (operator.or_, [1, 2]),
        (max, [1, 2]),
        (min, [1, 2]),
    ],
)
def test_functions_that_people_write_do_many_as_they_do_one(
    function: Callable[[Any, Any], Any], samples: list[Any]
) -> None:
    reducer = as_reducer(function)

    check_laws(reducer, samples)
    for left in samples:
        assert all(reducer(left, right) == function(left, right) for right in samples)


def test_a_function_of_unknown_laws_is_a_reducer_that_claims_none() -> None:
    def prepend(left: list[int], right: list[int]) -> list[int]:
        return right + left

    reducer = as_reducer(prepend)

    assert reducer([1], [2]) == [2, 1]
    assert (reducer.associative, reducer.commutative, reducer.idempotent, reducer.pure) == (None, None, None, False)
    assert reducer.name == "prepend"
    assert as_reducer(reducer) is reducer


def test_a_callable_without_hash_or_name_is_a_reducer_too() -> None:
    class Adding:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, left: int, right: int) -> int:
            return left + right

    assert as_reducer(Adding())(1, 2) == 3
    assert as_reducer(Adding()).name == "Adding"


class TestCheckLaws:
    @pytest.mark.parametrize(
        ("reducer", "samples", "said"),
        [
            (Reducer(operator.sub, associative=True), [1, 2], "associative"),
            (Reducer(operator.sub, commutative=True), [1, 2], "commutative"),
            (Reducer(operator.add, idempotent=True), [0, 1], "idempotent"),
            (Reducer(operator.iadd, pure=True), [[1], [2]], "changes its arguments"),
            (Reducer(operator.add, many=lambda left, _rights: left), [1, 2], "one by one"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_broken_promise_is_shown_with_the_samples_that_break_it(
        self, reducer: Reducer[Any], samples: list[Any], said: str
    ) -> None:
        with pytest.raises(LawBroken, match=said) as caught:
            check_laws(reducer, samples)

        assert caught.value.samples
        assert all(repr(sample) in caught.value.message for sample in caught.value.samples)

    def test_samples_stay_as_they_are(self) -> None:
        samples = [[1], [2]]

        check_laws(operator.iadd, samples)

        assert samples == [[1], [2]]

    def test_a_law_that_is_not_declared_is_not_checked(self) -> None:
        check_laws(Reducer(operator.sub, associative=False), [1, 2, 3])


def test_a_reducer_has_a_name_as_functions_have() -> None:
    assert total.__name__ == "total"
    assert top_k(2).__name__ == "top_k(2)"
    assert Reducer(max).__name__ == "max"
