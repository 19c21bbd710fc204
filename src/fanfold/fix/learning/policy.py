"""How a task goes through the stages, by what was learned of their agents."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from fanfold.fix.attempts.stages import Course, Stage, agents_of, name_of
from fanfold.fix.findings.split import Task
from fanfold.fix.learning.course import Expected, Way, best_way
from fanfold.fix.learning.figures import Cost, Figures
from fanfold.fix.learning.names import known_as
from fanfold.fix.learning.posterior import UNKNOWN, Beta, any_of, chance, level

USD_PER_TOKEN = 2e-6
"""Where nobody knows the price."""
USD_PER_SECOND = 1e-4
"""What it is worth not to wait."""
USD_PER_TRY = 0.002
"""What a try costs beside its agent: a workspace, checkers, tests."""
AGAIN = 0.5
"""What a further try is worth beside a first one, before any was seen."""
USD_UNKNOWN = 0.01
"""A try of which neither the price nor the tokens are known."""
EXPLORED = 20
"""One task in so many goes the user's own way with all tries, so that an agent that got better is noticed."""
MOST_EXAMPLES = 2
"""Of one rule, in one prompt."""
MOST_EXAMPLES_CHARS = 6_000


class Learned:
    """A policy that sends tasks where fixes have been cheapest.

    Args:
        stages: in the user's order.
        figures: what was learned of their agents, by the names that learning has for them.
        examples: verified diffs of this project, by checker and rule.
        tries: how many each stage may have at most.
        seed: of the choice which tasks go the user's own way; the same one makes the same choice.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        figures: Figures,
        examples: Mapping[str, Sequence[str]],
        *,
        tries: int,
        seed: str = "",
    ) -> None:
        self._stages, self._figures, self._examples = tuple(stages), figures, examples
        self._tries, self._seed = tries, seed
        self._levels = {agent: level(rules.values()) for agent, rules in figures.first.items()}
        self._costs = _costs(self._stages, figures.costs)
        self._ways: dict[tuple[tuple[str, int], ...], Way] = {}

    def course(self, task: Task, stages: int) -> Course:
        """The cheapest way to expect, and what fixed findings like these before."""
        counts = Counter(f"{one.checker} {one.rule}" for one in task.findings)
        examples = self._shown(counts)
        if not self._figures.costs or self._is_explored(task):
            return Course(tuple((stage, None) for stage in range(stages)), examples)
        key = tuple(sorted(counts.items()))
        if key not in self._ways:
            expected = [self._expected(number, counts) for number in range(len(self._stages))]
            self._ways[key] = best_way(expected, counts, tries=self._tries)
        return Course(tuple((stage, self._told(stage, tries)) for stage, tries in self._ways[key]), examples)

    def _told(self, stage: int, tries: int) -> int | None:
        """A stage's tries, None where they are as the user set them, and where it works once in any case."""
        return None if tries == self._tries or _asks_nobody(self._stages[stage]) else tries

    def _is_explored(self, task: Task) -> bool:
        digest = hashlib.sha256(f"{self._seed}\0{task.key}".encode(errors="surrogateescape")).digest()
        return int.from_bytes(digest[:4]) % EXPLORED == 0

    def _expected(self, number: int, rules: Mapping[str, int]) -> Expected:
        stage = self._stages[number]
        agents = [known_as(name_of(agent)) for agent in stage.agents]
        return Expected(
            first={rule: any_of(self._first(agent, rule).mean for agent in agents) for rule in rules},
            again={rule: any_of(self._again(agent, rule).mean for agent in agents) for rule in rules},
            cost=self._costs[number],
            comes_first=_asks_nobody(stage),
        )

    def _first(self, agent: str, rule: str) -> Beta:
        return chance(self._levels.get(agent, UNKNOWN), self._figures.tally(agent, rule, first=True))

    def _again(self, agent: str, rule: str) -> Beta:
        """Of a further try, seldom as good as the first one was, as long as nothing else was seen."""
        unknown = UNKNOWN.about(AGAIN * self._first(agent, rule).mean)
        of_all = level(self._figures.again.get(agent, {}).values(), unknown)
        return chance(of_all, self._figures.tally(agent, rule, first=False))

    def _shown(self, rules: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
        """Examples of the task's rules, by the rules' own names, within what a prompt may take."""
        shown: dict[str, tuple[str, ...]] = {}
        left = MOST_EXAMPLES_CHARS
        for rule in sorted(rules):
            for diff in self._examples.get(rule, ())[:MOST_EXAMPLES]:
                if len(diff) <= left:
                    name = rule.partition(" ")[2]
                    shown[name] = (*shown.get(name, ()), diff)
                    left -= len(diff)
        return shown


def is_worth_asking(stages: Sequence[Stage]) -> bool:
    """Whether there is anything to choose: agents that ask nobody come first and work once in any case."""
    return not all(agent.deterministic for agent in agents_of(stages))


def _asks_nobody(stage: Stage) -> bool:
    return all(agent.deterministic for agent in stage.agents)


def _costs(stages: Sequence[Stage], known: Mapping[str, Cost]) -> list[float]:
    """What a try of each stage costs, in dollars or what is as good; an unknown one costs what the others do."""
    told = {name: _usd(cost) for name, cost in known.items()}
    asked = [known_as(name_of(agent)) for agent in agents_of(stages) if not agent.deterministic]
    figures = [told[name] for name in asked if name in told]
    middle = sum(figures) / len(figures) if figures else USD_UNKNOWN
    return [
        sum(told.get(known_as(name_of(agent)), middle) for agent in stage.agents if not agent.deterministic)
        for stage in stages
    ]


def _usd(cost: Cost) -> float:
    """One try, in dollars: the price where it is known, else by tokens, else a guess; and time and verification."""
    if cost.priced:
        price = cost.cost_usd / cost.priced
    elif cost.counted:
        price = cost.tokens / cost.counted * USD_PER_TOKEN
    else:
        price = USD_UNKNOWN
    return price + USD_PER_TRY + cost.agent_s / max(cost.tries, 1) * USD_PER_SECOND
