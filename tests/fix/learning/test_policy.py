"""How tasks go through the stages by what was learned."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.attempts.stages import Course, Stage, course_of
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.fix.learning.figures import Cost, Figures
from fanfold.fix.learning.policy import EXPLORED, MOST_EXAMPLES, MOST_EXAMPLES_CHARS, Learned, is_worth_asking
from fanfold.fix.learning.posterior import Tally
from fanfold.testing.agents import ScriptedAgent

AUTOFIX = Stage((ScriptedAgent(name="autofix", deterministic=True),))
CHEAP, STRONG = Stage((ScriptedAgent(name="cheap"),)), Stage((ScriptedAgent(name="strong"),))
CASCADE = (AUTOFIX, CHEAP, STRONG)
COSTS = {"cheap": Cost(20, 0.4, 20), "strong": Cost(20, 1.0, 20), "autofix": Cost(20, 0.0, 20)}
AS_SET = tuple((stage, None) for stage in range(3))


def figures(first: Mapping[str, Tally], again: Mapping[str, Tally] | None = None, rule: str = "ruff E1") -> Figures:
    return Figures(
        {agent: {rule: tally} for agent, tally in first.items()},
        {agent: {rule: tally} for agent, tally in (again or {}).items()},
        COSTS,
    )


def task(*rules: str, path: str = "a.py") -> Task:
    return Task(path, path, tuple(Finding(path, 1, 1, "ruff", rule, "words") for rule in rules or ("E1",)))


def learned(known: Figures, **more: object) -> Learned:
    told = {"stages": CASCADE, "examples": {}, "tries": 3, "seed": "no task of this name is explored", **more}
    return Learned(figures=known, **told)  # type: ignore[arg-type]


HOPELESS = figures(
    {"cheap": Tally(lost=20), "strong": Tally(won=18, lost=2)},
    {"cheap": Tally(lost=60), "strong": Tally(won=2, lost=2)},
)


def test_who_knows_nothing_goes_the_users_way() -> None:
    assert learned(Figures()).course(task(), 3) == Course(AS_SET)


def test_a_stage_that_fails_comes_last_with_one_try_and_is_not_lost() -> None:
    course = learned(HOPELESS).course(task(), 3)

    assert [stage for stage, _ in course.steps] == [0, 2, 1]
    assert dict(course.steps)[1] == 1


def test_a_rule_of_which_nothing_is_known_goes_by_what_agents_do_with_others() -> None:
    much = figures({"cheap": Tally(won=19, lost=1), "strong": Tally(won=19, lost=1)})

    assert [stage for stage, _ in learned(much).course(task("E9"), 3).steps] == [0, 1, 2]


def test_who_asks_nobody_stays_first_even_if_it_never_fixed_anything() -> None:
    never = figures({"autofix": Tally(lost=50), "cheap": Tally(won=50), "strong": Tally(won=50)})

    assert learned(never).course(task(), 3).steps[0] == (0, None)


def test_some_tasks_go_the_users_way_whatever_the_figures_say_and_the_same_ones_each_time() -> None:
    tasks = [task(path=f"{number}.py") for number in range(600)]

    ways, again = ([learned(HOPELESS, seed="run").course(one, 3).steps for one in tasks] for _ in range(2))

    assert ways == again
    assert 600 / EXPLORED / 3 < ways.count(AS_SET) < 600 / EXPLORED * 3
    others = [learned(HOPELESS, seed="another run").course(one, 3).steps for one in tasks]
    assert ways != others


def test_the_chance_of_a_race_is_that_of_anybody_in_it() -> None:
    race = (AUTOFIX, Stage((*CHEAP.agents, *STRONG.agents)))
    policy = learned(figures({"cheap": Tally(won=10, lost=10), "strong": Tally(won=10, lost=10)}), stages=race)

    assert [stage for stage, _ in policy.course(task(), 2).steps] == [0, 1]


def test_an_agent_is_known_by_the_name_that_learning_has_for_it() -> None:
    slow = Stage((ScriptedAgent(name="command:/home/ada/bad {file}"),))
    known = Figures(
        {"command:bad {file}": {"ruff E1": Tally(lost=30)}, "strong": {"ruff E1": Tally(won=30)}},
        {},
        {"command:bad {file}": Cost(30, 3.0, 30), "strong": Cost(30, 3.0, 30)},
    )

    policy = learned(known, stages=(slow, STRONG))

    assert [stage for stage, _ in policy.course(task(), 2).steps] == [1, 0]


def test_prices_that_nobody_knows_leave_it_to_the_chances() -> None:
    unknown = Figures(
        {"cheap": {"ruff E1": Tally(lost=20)}, "strong": {"ruff E1": Tally(won=20)}},
        {},
        {"cheap": Cost(20, agent_s=20), "strong": Cost(20, agent_s=20)},
    )

    assert [stage for stage, _ in learned(unknown).course(task(), 3).steps] == [0, 2, 1]


def test_examples_of_the_tasks_rules_are_shown_within_bounds() -> None:
    examples = {"ruff E1": ("-a", "-b", "-c"), "mypy misc": ("-d",), "ruff E2": ("x" * MOST_EXAMPLES_CHARS,)}

    course = learned(Figures(), examples=examples).course(task("E1", "E2"), 3)

    assert course.examples == {"E1": ("-a", "-b")}
    assert len(course.examples["E1"]) == MOST_EXAMPLES


rules = st.sampled_from(["E1", "E2", "E3"])
seen = st.builds(Tally, st.floats(0, 60), st.floats(0, 60))
by_rule = st.dictionaries(rules.map("ruff {}".format), seen)
by_agent = st.dictionaries(st.sampled_from(["autofix", "cheap", "strong"]), by_rule)
costs = st.dictionaries(
    st.sampled_from(["cheap", "strong"]),
    st.builds(Cost, st.integers(1, 50), st.floats(0, 10), st.integers(0, 50), st.floats(0, 1e6), st.integers(0, 50)),
)


@given(st.builds(Figures, by_agent, by_agent, costs), st.lists(rules, min_size=1), st.integers(1, 6))
def test_whatever_was_learned_no_stage_is_left_out(known: Figures, found: list[str], tries: int) -> None:
    course = course_of(learned(known, tries=tries), task(*found), 3)

    assert sorted(stage for stage, _ in course.steps) == [0, 1, 2]
    assert course.steps[0][0] == 0
    assert all(given is None or 1 <= given <= tries for _, given in course.steps)


@pytest.mark.parametrize(("stages", "worth"), [((AUTOFIX,), False), ((CHEAP,), True), (CASCADE, True)])
def test_there_is_something_to_choose_where_somebody_is_asked(stages: tuple[Stage, ...], worth: bool) -> None:
    assert is_worth_asking(stages) is worth
