"""What schedulers may send: whatever isn't as expected is unknown, and raises nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.troubleshoot.sources.workload.read import engine_from, job_from_v1, job_from_v2, workstation_from

TIMES = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2024-13-45T99:99:99Z", "-1")
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from((*TIMES, 10**400, -(10**18), "9" * 5_000)),
)
KEYS = st.sampled_from(
    """
    id name jobStreamName workstation folder lastRunCompositeStatus status substatus error jobDefinition recoveryOption
    lastUpdateTime jobStreamSchedTime jobruns dependencies key workstationKey jobStreamInPlan commonStatus
    internalStatus startTime endTime jobNumber returnCode elapsedTime estimatedDuration runAttempt message linked
    running limit fence agents engineName engineVersion type
    """.split()  # noqa: SIM905 a table of words
)
JSON: st.SearchStrategy[Any] = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=8), max_leaves=20
)


@pytest.mark.parametrize("read", [job_from_v1, job_from_v2, workstation_from, engine_from])
@given(data=st.dictionaries(KEYS, JSON, max_size=12))
def test_no_answer_makes_it_raise(read: Callable[[dict[str, Any]], object], data: dict[str, Any]) -> None:
    assert read(data)


@pytest.mark.parametrize("code", [float("inf"), float("nan"), "1e999", 10**400])
def test_a_number_that_is_none_is_unknown(code: object) -> None:
    job = job_from_v1({"returnCode": code, "startTime": "2024-12-11T09:00:00Z", "estimatedDuration": code})
    assert job.last_run is not None
    assert job.last_run.return_code is None
    assert job.last_run.estimated_s is None
