"""Logs of any length: beginning and end are read, the middle is dropped and said to be."""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.troubleshoot.sources.workload.joblog import (
    PAGE_LINES,
    JobLog,
    read_log,
    read_through,
)
from fanfold.troubleshoot.sources.workload.refusal import WorkloadError

MAX_BYTES = 64 * 1024


class Served:
    """A log that is asked for in lines; remembers the requests."""

    def __init__(self, total: int, *, width: int = 20, beyond: int | None = None, delay_s: float = 0.0) -> None:
        self.total, self.width, self.beyond, self.delay_s = total, width, beyond, delay_s
        self.asked: list[tuple[int, int]] = []
        self.bytes = 0

    async def lines(self, first: int, last: int, max_bytes: int) -> tuple[str, bool]:
        self.asked.append((first, last))
        if len(self.asked) > 1:
            await asyncio.sleep(self.delay_s)
        if first > self.total and self.beyond is not None:
            raise WorkloadError("no such line", status=self.beyond)
        text = "".join(f"{number:0{self.width}d}\n" for number in range(first, min(last, self.total) + 1))
        self.bytes += min(len(text), max_bytes)
        return text[:max_bytes], len(text) > max_bytes


async def read(served: Served, *, max_bytes: int = MAX_BYTES, seconds: float = 60.0) -> JobLog:
    return await read_log(served.lines, max_bytes=max_bytes, until_s=asyncio.get_running_loop().time() + seconds)


@given(st.integers(0, 20 * PAGE_LINES) | st.integers(0, 10**9))
def test_the_first_and_the_last_line_are_always_there_and_the_number_of_lines_is_right(total: int) -> None:
    served = Served(total)
    log = asyncio.run(read(served))
    numbers = [int(line) for line in log.lines]
    assert log.total == total
    assert numbers == sorted(set(numbers))
    if total:
        assert (numbers[0], numbers[-1]) == (1, total)
    assert len(numbers) == total or (log.cut and log.gap == PAGE_LINES)
    assert bool(log.cut) == (len(numbers) < total)
    if total > 3 * PAGE_LINES:
        assert len(numbers) > PAGE_LINES + PAGE_LINES // 4
    assert len(served.asked) <= 8 + 2 * math.log2(max(total, 2))
    assert served.bytes <= 3 * MAX_BYTES


@given(st.integers(1, 50_000), st.integers(20, 20_000))
def test_long_lines_stay_within_the_cap(total: int, width: int) -> None:
    served = Served(total, width=width)
    log = asyncio.run(read(served, max_bytes=16_384))
    assert log.bytes <= 16_384 + 100
    assert served.bytes <= 40 * 16_384


@pytest.mark.parametrize("status", [400, 404, 416])
async def test_a_server_that_refuses_lines_beyond_the_end_is_understood(status: int) -> None:
    log = await read(Served(1_234, beyond=status))
    assert (log.total, log.lines[-1].lstrip("0")) == (1_234, "1234")


async def test_a_server_in_trouble_costs_the_end_alone() -> None:
    log = await read(Served(1_234, beyond=500))
    assert len(log.lines) == PAGE_LINES
    assert "the rest could not be had" in log.cut


async def test_no_time_for_the_end_leaves_the_beginning() -> None:
    log = await read(Served(10**6, delay_s=3600), seconds=0.05)
    assert len(log.lines) == PAGE_LINES
    assert "no time" in log.cut


async def test_a_server_that_sends_the_whole_log_is_cut_off() -> None:
    async def whole(_first: int, _last: int, max_bytes: int) -> tuple[str, bool]:
        return ("x" * 9 + "\n") * (max_bytes // 10), True

    log = await read_log(whole, max_bytes=MAX_BYTES, until_s=math.inf)
    assert log.bytes <= MAX_BYTES // 2
    assert "only its first" in log.cut


def log_of(*lines: str) -> JobLog:
    return JobLog(lines=lines, total=len(lines))


def test_the_first_error_and_the_last_ones_are_the_telling_ones() -> None:
    noise = [f"step {number} done" for number in range(10)]
    errors = ["ERROR alpha broke", *noise, "ERROR beta broke", *noise, "ERROR gamma broke", *noise, "ERROR delta broke"]
    blocks = read_through(log_of(*errors)).blocks
    told = [next(line for line in block.lines if line.startswith("ERROR")) for block in blocks]
    assert told == ["ERROR alpha broke", "ERROR gamma broke", "ERROR delta broke"]
    assert [block.first for block in blocks] == [1, 21, 32]


def test_lines_that_differ_in_numbers_alone_tell_once() -> None:
    log = log_of(*itertools.chain.from_iterable((f"record {n} rejected", "a", "b", "c") for n in range(100)))
    assert len(read_through(log).blocks) == 1


def test_header_and_footer_are_read_and_tell_nothing() -> None:
    log = log_of(
        "=" * 63,
        "= JOB       : WS#JS[(0900 12/11/24),(0AAAAAAAAAAAAAAA)].FAILED_JOB",
        "= USER      : svc_batch",
        "= JCLFILE   : /opt/error/run.sh",
        "= Job Number: 4711",
        "=" * 63,
        "AWSBIS307I Starting /opt/error/run.sh ",
        "all fine, 0 errors, sem erros",
        "AWSBIS308I End of job",
        "= Exit Status           : 127",
    )
    assert read_through(log).blocks == ()
    assert (log.field("USER"), log.field("JCLFILE"), log.field("Job Number")) == (
        "svc_batch",
        "/opt/error/run.sh",
        "4711",
    )
    assert log.exit_status == 127
    assert read_through(log).codes == ("RC=127",)


async def test_form_feeds_and_other_signs_in_lines_do_not_count_as_lines() -> None:
    lines = ["page\x0c one", "sep\x1c \x85 \u2028 end\r", "", "last"]

    async def served(first: int, last: int, _max_bytes: int) -> tuple[str, bool]:
        return "".join(f"{line}\n" for line in lines[first - 1 : last]), False

    log = await read_log(served, max_bytes=MAX_BYTES, until_s=math.inf)
    assert log.total == 4
    assert log.lines == ("page\x0c one", "sep\x1c \x85 \u2028 end", "", "last")
