"""What is remembered of a run's tries."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from fanfold.fix.attempts.trail import Trail
from fanfold.fix.learning.observed import chain, lessons_of, rounds
from fanfold.llm.usage import Usage

_ids = count(1)


def trail(number: int = 1, *, agent: str = "cheap", stage: int = 0, fixed: int = 0, **more: Any) -> Trail:
    asked = more.pop("asked", {"ruff F401": 2})
    told: dict[str, Any] = {"ok": fixed > 0, "missed": asked, "agent_s": 1.0, "started_s": float(number), **more}
    return Trail(
        id=f"t{next(_ids)}", path="a.py", number=number, agent=agent, stage=stage, fixed=fixed, asked=asked, **told
    )


def test_what_landed_is_the_success_of_each_who_added_to_it() -> None:
    cheap = trail(1, fixed=1, missed={"ruff F401": 1})
    strong = trail(2, agent="strong", stage=1, fixed=2, asked={"ruff F401": 1}, missed={})

    lessons = lessons_of("r", [cheap, strong], "landed")

    assert [(one.agent, one.asked, one.fixed, one.number, one.stage) for one in lessons] == [
        ("cheap", 2, 1, 1, 0),
        ("strong", 1, 1, 1, 1),
    ]


@pytest.mark.parametrize("fate", ["taken out", "left"])
def test_what_was_verified_and_did_not_land_is_no_success(fate: Any) -> None:
    lessons = lessons_of("r", [trail(fixed=2, missed={})], fate)

    assert [(one.asked, one.fixed) for one in lessons] == [(2, 0)]


def test_what_was_verified_and_may_yet_land_is_not_remembered_yet() -> None:
    failed, verified = trail(1), trail(2, fixed=2, missed={})

    lessons = lessons_of("r", [failed, verified], "open")

    assert [one.trail for one in lessons] == [failed.id]


def test_a_try_that_made_less_of_it_than_there_was_is_no_success_though_it_was_verified() -> None:
    better = trail(1, fixed=2, asked={"ruff F401": 3}, missed={"ruff F401": 1})
    worse = trail(2, fixed=1, asked={"ruff F401": 1}, missed={"ruff F401": 2})

    lessons = lessons_of("r", [better, worse], "landed")

    assert [(one.number, one.fixed) for one in lessons] == [(1, 2), (2, 0)]


def test_of_a_race_the_winner_alone_succeeded_and_who_was_stopped_teaches_nothing() -> None:
    winner = trail(2, agent="b", fixed=2, missed={})
    stopped = trail(1, agent="a", error="stopped", stopped=True)

    lessons = lessons_of("r", [winner, stopped], "landed")

    assert [(one.agent, one.fixed) for one in lessons] == [("b", 2)]


def test_of_two_in_a_race_who_fixed_the_same_the_first_one_counts() -> None:
    slow = trail(1, agent="a", fixed=2, missed={}, agent_s=5.0)
    fast = trail(2, agent="b", fixed=2, missed={}, agent_s=1.0)

    assert chain([slow, fast]) == [fast]


def test_an_agent_that_took_too_long_failed() -> None:
    late = trail(error="agent cheap did not finish within 600 s", missed={}, agent_s=600.1)

    assert [(one.asked, one.fixed) for one in lessons_of("r", [late], "left", deadline_s=600)] == [(2, 0)]


def test_a_wrong_key_and_a_server_that_is_down_teach_nothing() -> None:
    refused, answered = trail(1, error="the key was refused", missed={}), trail(2)

    assert [one.trail for one in lessons_of("r", [refused, answered], "left", deadline_s=600)] == [answered.id]


def test_what_was_verified_before_an_agent_crashed_is_its_success() -> None:
    crashed = trail(fixed=2, missed={}, error="agent cheap ended with exit code 1")

    assert [one.fixed for one in lessons_of("r", [crashed], "landed", deadline_s=600)] == [2]


def test_second_attempts_count_and_so_does_what_was_sent_back() -> None:
    first, second = trail(1, fixed=2, missed={}), trail(1, fixed=2, missed={})

    lessons = lessons_of("r", [first, second], "landed", sent_back=True)

    assert {one.trail: one.fixed for one in lessons} == {first.id: 0, second.id: 2}


def test_what_a_killed_process_had_verified_is_left_out_and_its_failures_count() -> None:
    failed, verified = trail(1), trail(2, fixed=2, missed={})
    anew = trail(1, fixed=2, missed={})

    lessons = lessons_of("r", [failed, verified, anew], "landed")

    assert {one.trail: one.fixed for one in lessons} == {failed.id: 0, anew.id: 2}


def test_tries_are_counted_for_each_agent_anew_in_each_branch() -> None:
    trails = [trail(1), trail(2), trail(3, agent="strong", stage=1), trail(1)]

    lessons = lessons_of("r", trails, "left", sent_back=True)

    numbers = {one.trail: one.number for one in lessons}
    assert [numbers[each.id] for each in trails] == [1, 2, 1, 1]
    assert [len(branch) for branch in rounds(trails)] == [3, 1]


def test_what_a_try_took_is_shared_among_its_findings() -> None:
    usage = Usage(requests=1, input_tokens=90, output_tokens=10, cost_usd=0.2)

    few, many = lessons_of("r", [trail(asked={"ruff E1": 1, "mypy misc": 3}, usage=usage, agent_s=8.0)], "left")

    assert (few.checker, few.rule, few.tokens, few.cost_usd, few.agent_s) == ("ruff", "E1", 25.0, 0.05, 2.0)
    assert (many.checker, many.rule, many.tokens) == ("mypy", "misc", 75.0)
    assert (few.cost_usd or 0) + (many.cost_usd or 0) == pytest.approx(0.2)


def test_what_nobody_knows_stays_unknown() -> None:
    [unknown] = lessons_of("r", [trail()], "left")
    [unpriced] = lessons_of("r", [trail(usage=Usage(requests=1, input_tokens=5))], "left")

    assert (unknown.tokens, unknown.cost_usd) == (None, None)
    assert (unpriced.tokens, unpriced.cost_usd) == (5, None)


def test_where_an_agents_program_lies_is_not_remembered() -> None:
    [lesson] = lessons_of("r", [trail(agent="command:/home/ada/bin/fixer {file} --rules=../own/rules.txt")], "left")

    assert lesson.agent == "command:fixer {file} --rules=rules.txt"


@pytest.mark.parametrize("name", ["autofix", "llm:openai:gpt-5-mini", "llm:openrouter:qwen/qwen3", "acp:opencode acp"])
def test_other_names_are_remembered_as_they_are(name: str) -> None:
    assert lessons_of("r", [trail(agent=name)], "left")[0].agent == name


def test_a_rule_whose_name_cannot_be_written_down_is_spelled_out() -> None:
    [lesson] = lessons_of("r", [trail(asked={"own a\udcffb": 1})], "left")

    assert lesson.rule.encode()


def test_nothing_is_learned_of_a_task_that_nobody_tried() -> None:
    assert lessons_of("r", [], "left") == []
