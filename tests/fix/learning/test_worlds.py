"""What learning gains and loses over many made-up agents, whose chances nobody but the test knows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fanfold.fix.attempts.stages import Stage
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.fix.learning.figures import Cost, Figures
from fanfold.fix.learning.policy import Learned
from fanfold.fix.learning.posterior import NOTHING, Tally, seen
from fanfold.testing.agents import ScriptedAgent

PRICES = {"cheap": 0.005, "strong": 0.05}
STAGES = tuple(Stage((ScriptedAgent(name=name),)) for name in PRICES)
RULES = 10
WORLDS = 20
TRIES = 3

World = Mapping[tuple[str, int], tuple[float, float]]
"""The chance of a first try and of a further one, by agent and rule."""


@dataclass(frozen=True)
class Ended:
    fixed: int
    calls: Counter[str]
    seen: Mapping[tuple[str, bool, int], list[bool]]

    @property
    def cost_usd(self) -> float:
        return sum(count * PRICES[name] for name, count in self.calls.items())


def run(world: World, figures: Figures, files: int, seed: int) -> Ended:
    """A project of files with one finding each; who tries a file, and when, doesn't change what luck it has."""
    policy = Learned(STAGES, figures, {}, tries=TRIES, seed=str(seed))
    fixed, calls, results = 0, Counter[str](), dict[tuple[str, bool, int], list[bool]]()
    for number in range(files):
        rule = random.Random(f"{seed} {number}").randrange(RULES)
        task = Task(f"{number}", "a.py", (Finding("a.py", 1, 1, "ruff", f"E{rule}", "words"),))
        for stage, tries in policy.course(task, len(STAGES)).steps:
            name = STAGES[stage].name
            luck = random.Random(f"{seed} {number} {name}")
            turns = [luck.random() < world[name, rule][turn > 0] for turn in range(tries or TRIES)]
            made = turns.index(True) + 1 if True in turns else len(turns)
            calls[name] += made
            for turn in range(made):
                results.setdefault((name, turn == 0, rule), []).append(turns[turn])
            if True in turns:
                fixed += 1
                break
    return Ended(fixed, calls, results)


def learned_from(ended: Ended) -> Figures:
    """As the store gives it for a project that is new to it."""
    by_turn: dict[bool, dict[str, dict[str, Tally]]] = {True: {}, False: {}}
    for (name, is_first, rule), turns in ended.seen.items():
        tally = Tally(sum(turns), len(turns) - sum(turns))
        by_turn[is_first].setdefault(name, {})[f"ruff E{rule}"] = seen(NOTHING, tally)
    costs = {name: Cost(count, count * PRICES[name], count) for name, count in ended.calls.items()}
    return Figures(by_turn[True], by_turn[False], costs)


def consistent(rng: random.Random) -> World:
    """An agent can fix a rule, or it can't."""
    return {("cheap", rule): (chance, chance) for rule in range(RULES) for chance in [rng.choice([0.0, 0.0, 1.0])]} | {
        ("strong", rule): (chance, chance) for rule in range(RULES) for chance in [rng.choice([0.0, 1.0, 1.0, 1.0])]
    }


def by_chance(rng: random.Random) -> World:
    """An agent fixes a rule now and then, the second time seldom more often than the first."""
    levels = {"cheap": [0.0, 0.0, 0.05, 0.3, 0.8], "strong": [0.0, 0.1, 0.6, 0.9, 0.95]}
    return {
        (name, rule): (chance, chance * rng.choice([0.2, 0.6, 1.0]))
        for name, chances in levels.items()
        for rule in range(RULES)
        for chance in [rng.choice(chances)]
    }


def over_worlds(make: Callable[[random.Random], World]) -> tuple[float, float, float]:
    """Fixes, calls and costs with what was learned, as shares of those without, over all worlds."""
    plain, taught = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    for seed in range(WORLDS):
        world = make(random.Random(seed))
        figures = learned_from(run(world, Figures(), 100, seed))
        for sums, known in ((plain, Figures()), (taught, figures)):
            ended = run(world, known, 200, seed + 10_000)
            for place, amount in enumerate((ended.fixed, ended.calls.total(), ended.cost_usd)):
                sums[place] += amount
    fixes, calls, costs = (with_it / without for with_it, without in zip(taught, plain, strict=True))
    return fixes, calls, costs


def test_where_agents_are_consistent_nothing_is_lost_and_a_third_of_the_calls_is_saved() -> None:
    fixes, calls, costs = over_worlds(consistent)

    assert fixes == 1.0
    assert calls < 0.6
    assert costs < 0.8


def test_where_agents_succeed_by_chance_as_much_is_fixed_and_each_fix_costs_less() -> None:
    fixes, calls, costs = over_worlds(by_chance)

    assert fixes > 0.999
    assert calls < 0.85
    assert costs / fixes < 0.95
