"""What learning gains and loses over made-up agents, beside the order as it was set and beside who knows all chances.

    python benchmarks/learning.py [--worlds 12] [--only NAME] [--out DIRECTORY]

A world is a cheap agent and one ten times as dear, ten rules, and the chance that an agent fixes a rule at its first
and at further tries. In each, ten runs of 60 files with one finding follow one another, a week apart, the first two in
another project; in some worlds an agent changes after the fifth. Three ways are gone: the cascade as it was set, all
tries of the cheap one first; as was learned, with the store and the policy of the product; and the way that the true
chances say is cheapest. Luck is the same for all three. The first run, of which nobody has learned yet, is not counted.

No model is asked. Prints Markdown, keeps the figures in benchmarks/results/learning.json. Exits 1 where learning fixes
less than the cascade beyond noise, or pays more for a fix.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fanfold.fix.attempts.stages import Stage
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.fix.learning.course import Expected, best_way
from fanfold.fix.learning.lesson import Lesson
from fanfold.fix.learning.policy import USD_PER_TRY, Learned
from fanfold.fix.learning.store import DAY_S, Store
from fanfold.testing.agents import ScriptedAgent

HERE = Path(__file__).resolve().parent
PRICES = {"cheap": 0.005, "strong": 0.05}
STAGES = tuple(Stage((ScriptedAgent(name=name),)) for name in PRICES)
RULES, TRIES, RUNS, FILES, ELSEWHERE = 10, 3, 10, 60, 2
MOST_DEARER = 1.05
"""Of a fix, beside the cascade as it was set: an agent that got better isn't noticed at once."""

World = Mapping[tuple[str, int], tuple[float, float]]
"""The chance of a first try and of a further one, by agent and rule."""
Steps = Sequence[tuple[int, int | None]]


@dataclass
class Sums:
    """What a way came to."""

    fixed: int = 0
    calls: int = 0
    cost_usd: float = 0.0

    @property
    def usd_per_fix(self) -> float:
        """With what a try costs beside its agent."""
        return self.cost_usd / max(self.fixed, 1)


def consistent(rng: random.Random) -> World:
    """An agent can fix a rule, or it can't."""
    levels = {"cheap": [0.0, 0.0, 1.0], "strong": [0.0, 1.0, 1.0, 1.0]}
    return _world(rng, levels, [1.0])


def by_chance(rng: random.Random) -> World:
    """An agent fixes a rule now and then, the second time seldom more often than the first."""
    levels = {"cheap": [0.0, 0.0, 0.05, 0.3, 0.8], "strong": [0.0, 0.1, 0.6, 0.9, 0.95]}
    return _world(rng, levels, [0.2, 0.6, 1.0])


def feeble(rng: random.Random) -> World:
    """Hardly anything is ever fixed."""
    return _world(rng, {"cheap": [0.02, 0.05, 0.1], "strong": [0.05, 0.1, 0.2, 0.3]}, [1.0])


def _world(rng: random.Random, levels: Mapping[str, Sequence[float]], again: Sequence[float]) -> World:
    return {
        (name, rule): (chance, chance * rng.choice(again))
        for name, chances in levels.items()
        for rule in range(RULES)
        for chance in [rng.choice(chances)]
    }


Make = Callable[[random.Random], World]
WORLDS: Mapping[str, tuple[Make, str, Callable[[float], float]]] = {
    "can or can't": (consistent, "", float),
    "by chance": (by_chance, "", float),
    "hardly ever": (feeble, "", float),
    "the dear one gets worse": (by_chance, "strong", lambda chance: chance * 0.3),
    "the dear one gets better": (by_chance, "strong", lambda chance: 1 - (1 - chance) * 0.3),
    "the cheap one gets worse": (by_chance, "cheap", lambda chance: chance * 0.2),
    "the cheap one gets better": (by_chance, "cheap", lambda chance: 1 - (1 - chance) * 0.2),
    "the dear one breaks": (consistent, "strong", lambda _: 0.0),
    "the cheap one learns all": (consistent, "cheap", lambda _: 1.0),
}
"""How each is made, and who is another one after half of the runs."""


def over_time(name: str, seed: int) -> list[World]:
    """The world of each run."""
    make, who, change = WORLDS[name]
    before = make(random.Random(seed))
    after = {key: tuple(map(change, pair)) if key[0] == who else pair for key, pair in before.items()}
    return [before if run < RUNS // 2 else after for run in range(RUNS)]  # type: ignore[misc]


def go(world: World, way: Callable[[Task, int], Steps], luck: str, at_s: float) -> tuple[Sums, list[Lesson]]:
    """One run; who tries a file, and when, doesn't change what luck it has."""
    sums, lessons = Sums(), list[Lesson]()
    for number in range(FILES):
        rule = random.Random(f"{luck} {number}").randrange(RULES)
        task = Task(f"{number}", "a.py", (Finding("a.py", 1, 1, "ruff", f"E{rule}", "words"),))
        seen = Counter[str]()
        for name in (STAGES[stage].name for stage, tries in way(task, rule) for _ in range(tries or TRIES)):
            seen[name] += 1
            turn = seen[name]
            made = random.Random(f"{luck} {number} {name} {turn}").random() < world[name, rule][turn > 1]
            sums.calls += 1
            sums.cost_usd += PRICES[name] + USD_PER_TRY
            lessons.append(_lesson(f"{luck} {number} {name} {turn}", luck, name, rule, turn, made, at_s))
            if made:
                sums.fixed += 1
                break
    return sums, lessons


def _lesson(trail: str, run: str, agent: str, rule: int, number: int, made: bool, at_s: float) -> Lesson:
    return Lesson(
        trail=trail,
        run=run,
        checker="ruff",
        rule=f"E{rule}",
        agent=agent,
        stage=list(PRICES).index(agent),
        number=number,
        asked=1,
        fixed=int(made),
        cost_usd=PRICES[agent],
        tokens=None,
        agent_s=0.0,
        at_s=at_s,
    )


def as_set(_task: Task, _rule: int) -> Steps:
    """The cascade with all tries."""
    return [(stage, None) for stage in range(len(STAGES))]


def learned(policy: Learned) -> Callable[[Task, int], Steps]:
    """The way of the product."""
    return lambda task, _rule: policy.course(task, len(STAGES)).steps


def knowing(world: World) -> Callable[[Task, int], Steps]:
    """The cheapest way by the true chances."""

    def way(_task: Task, rule: int) -> Steps:
        pairs = {name: world[name, rule] for name in PRICES}
        stages = [Expected({"": one[0]}, {"": one[1]}, PRICES[name] + USD_PER_TRY) for name, one in pairs.items()]
        return best_way(stages, {"": 1}, tries=TRIES)

    return way


def play(name: str, seed: int, folder: Path) -> dict[str, Sums]:
    """All runs in one world, each of the three ways."""
    store, began_s = Store(folder / f"{name}-{seed}.sqlite"), time.time() - RUNS * 7 * DAY_S
    sums = {"set": Sums(), "learned": Sums(), "known": Sums()}
    for run, world in enumerate(over_time(name, seed)):
        place, luck, at_s = f"/{run < ELSEWHERE}", f"{seed} {run}", began_s + run * 7 * DAY_S
        policy = Learned(STAGES, store.figures(place, PRICES), {}, tries=TRIES, seed=luck)
        ways = {"set": as_set, "learned": learned(policy), "known": knowing(world)}
        for kind, way in ways.items():
            came, lessons = go(world, way, luck, at_s)
            if kind == "learned":
                store.learn(place, lessons)
            if run:
                mine = sums[kind]
                sums[kind] = Sums(mine.fixed + came.fixed, mine.calls + came.calls, mine.cost_usd + came.cost_usd)
    return sums


@dataclass(frozen=True)
class Row:
    """One kind of worlds: shares are those with learning of those without; `noise` is twice the standard error."""

    world: str
    fixes: float
    noise: float
    calls: float
    usd_per_fix: float
    usd_set: float
    usd_learned: float
    usd_known: float

    @property
    def holds(self) -> bool:
        """As much is fixed, for no more."""
        return self.fixes + self.noise >= 1.0 and self.usd_per_fix <= MOST_DEARER


def row_of(name: str, played: Sequence[Mapping[str, Sums]]) -> Row:
    """What all worlds of a kind came to."""
    total = {
        kind: Sums(*(sum(getattr(one[kind], field) for one in played) for field in ("fixed", "calls", "cost_usd")))
        for kind in ("set", "learned", "known")
    }
    differ = [one["learned"].fixed - one["set"].fixed for one in played]
    error = statistics.stdev(differ) / math.sqrt(len(differ)) if len(differ) > 1 else 0.0
    plain, taught = total["set"], total["learned"]
    return Row(
        name,
        taught.fixed / plain.fixed,
        2 * error * len(played) / plain.fixed,
        taught.calls / plain.calls,
        taught.usd_per_fix / plain.usd_per_fix,
        *(total[kind].usd_per_fix for kind in ("set", "learned", "known")),
    )


def told(rows: Sequence[Row], worlds: int) -> str:
    """The table."""
    lines = [
        f"{worlds} worlds of each kind. Shares are with learning, of the cascade as it was set.",
        "",
        "| world | fixes | calls | USD a fix: as set | learned | all known |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        fixes = f"{row.fixes:.2%} ± {row.noise:.2%}"
        prices = " | ".join(f"{usd:.4f}" for usd in (row.usd_set, row.usd_learned, row.usd_known))
        lines.append(f"| {row.world} | {fixes} | {row.calls:.0%} | {prices} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Play, tell, keep; 1 where learning does worse than not to learn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--only", choices=WORLDS, action="append")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fanfold-learning-") as folder:
        rows = [
            row_of(name, [play(name, seed, Path(folder)) for seed in range(options.worlds)])
            for name in options.only or WORLDS
        ]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "learning.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(told(rows, options.worlds))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
