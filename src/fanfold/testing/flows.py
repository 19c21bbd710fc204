"""Flows whose branches do what their items say, for tests of runtimes and of what is built upon flows.

An item is a job, and what it does is data: it is done wherever the branch runs, in this process or in another one.

    jobs = [job("a", ["add", "notes", ["seen"]]), job("b", ["work", 0.1], ["fail", "no luck"])]
    result = await scripted.run({"jobs": jobs}, limit=2)

What a branch can do, as `[name, *arguments]`; each puts what it has to say into the update:

    add FIELD VALUE     to the update
    see FIELD           note what the state holds there
    spoil               change all that the state and the item hold, in place
    touch FIELD         change what the state holds there, in place
    yield N             let others go on, N times
    work S              be busy for S seconds, and say so in the log
    log TEXT            write a line into the log
    fail TEXT           raise a RuntimeError
    flaky N             raise an OSError before the Nth attempt
    give VALUE          return this as the update, whatever it is; in the last hop
    give_state          return the state as the update; in the last hop
    nest JOBS           run these jobs, each `[key, act, ...]`, in a flow inside of this branch
    context             note what the context's label is
    place               note the keys from the outermost branch to this one
    child               start a program that doesn't end, and wait for it
    pause TEXT          lend the slot to others until the log has this text
    effect              write the branch's idempotency key into the log
    cancel              cancel itself
    keep_object         put what is no data into the update
"""

from __future__ import annotations

import asyncio
import enum
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias, cast

from pydantic import BaseModel
from typing_extensions import ReadOnly, TypedDict

from fanfold import process
from fanfold.engine import (
    Failed,
    Outcome,
    concat,
    current_branch,
    deadline,
    detach,
    fields_of,
    idempotency_key,
    keep_last,
    largest,
    merge_dicts,
    read_only,
    retry,
    total,
    union,
    yield_slot,
)
from fanfold.runtimes import Flow, Update, get_context

Act: TypeAlias = list[Any]
"""One thing to do: its name, and what it is done with; as JSON has it."""


@dataclass(frozen=True)
class Job:
    """An item: what each hop of its branch does; a hop without acts passes on what it got.

    Attributes:
        tags: something in it that can change.
    """

    key: str
    hops: list[list[Act]]
    tags: list[str] = field(default_factory=list)


def job(key: str, *acts: Act) -> Job:
    """A job that does all in its first hop."""
    return Job(key, [list(acts)])


class Opaque:
    """Something that is no data."""


class Mood(enum.Enum):
    """A value that JSON doesn't have."""

    CALM = "calm"
    CROSS = "cross"


@dataclass(frozen=True)
class Point:
    """A value with values inside."""

    x: int
    y: tuple[int, ...] = ()


class Pair(TypedDict, total=False):
    """A value whose keys have an order of their own."""

    left: int
    right: int


class Added(TypedDict, total=False):
    """What branches add to a board."""

    notes: Annotated[list[str], concat]
    count: Annotated[int, total]
    best: Annotated[int, largest]
    seen: Annotated[set[str], union]
    found: Annotated[dict[str, Any], merge_dicts]
    last: Annotated[str, keep_last]
    mood: Annotated[Mood, keep_last]
    spans: Annotated[list[tuple[int, int]], concat]
    points: Annotated[dict[str, Point], merge_dicts]
    pairs: Annotated[list[Pair], concat]
    answer: str


class Board(Added, total=False):
    """The state of these flows.

    Attributes:
        jobs: what is to be done.
        plan: something nested that all branches share, and none writes.
        rules: the same, that none may even change in its own view.
        log: the path of a file that branches write to, wherever they run; None = they don't.
    """

    jobs: list[Job]
    plan: dict[str, Any]
    rules: ReadOnly[dict[str, Any]]
    log: str | None


def board(*jobs: Job, **fields: Any) -> Board:
    """A state to begin with."""
    begin: Any = {"jobs": [*jobs], **fields}
    return cast("Board", begin)


@dataclass
class Sheet:
    """The same state as a dataclass."""

    jobs: list[Job]
    plan: dict[str, Any] = field(default_factory=dict)
    rules: Annotated[dict[str, Any], read_only] = field(default_factory=dict)
    log: str | None = None
    notes: Annotated[list[str], concat] = field(default_factory=list)
    count: Annotated[int, total] = 0
    best: Annotated[int, largest] = 0
    seen: Annotated[set[str], union] = field(default_factory=set)
    found: Annotated[dict[str, Any], merge_dicts] = field(default_factory=dict)
    last: Annotated[str, keep_last] = ""
    mood: Annotated[Mood, keep_last] = Mood.CALM
    spans: Annotated[list[tuple[int, int]], concat] = field(default_factory=list)
    points: Annotated[dict[str, Point], merge_dicts] = field(default_factory=dict)
    pairs: Annotated[list[Pair], concat] = field(default_factory=list)
    answer: str = ""


class Form(BaseModel):
    """The same state as a pydantic model."""

    jobs: list[Job]
    plan: dict[str, Any] = {}
    rules: Annotated[dict[str, Any], read_only] = {}
    log: str | None = None
    notes: Annotated[list[str], concat] = []
    count: Annotated[int, total] = 0
    best: Annotated[int, largest] = 0
    seen: Annotated[set[str], union] = set()
    found: Annotated[dict[str, Any], merge_dicts] = {}
    last: Annotated[str, keep_last] = ""
    mood: Annotated[Mood, keep_last] = Mood.CALM
    spans: Annotated[list[tuple[int, int]], concat] = []
    points: Annotated[dict[str, Point], merge_dicts] = {}
    pairs: Annotated[list[Pair], concat] = []
    answer: str = ""


@dataclass
class Part:
    """What one hop passes on to the next, of which this is the number."""

    job: Job
    added: Added = field(default_factory=Added)
    hop: int = 0

    @property
    def acts(self) -> list[Act]:
        """What this hop does."""
        return self.job.hops[self.hop] if self.hop < len(self.job.hops) else []


@dataclass(frozen=True)
class Toolbox:
    """A context.

    Attributes:
        land: awaited with each outcome, where the run is.
    """

    label: str
    land: Callable[[Outcome[Any]], Awaitable[None]] | None = None


class Line(NamedTuple):
    """A line of the log; `at_s` is comparable between the processes of one machine."""

    at_s: float
    key: str
    text: str


def write_log(path: str | Path | None, key: str, text: str) -> None:
    """Append a line, whole even where several processes write at once."""
    if path is not None:
        line = f"{json.dumps([time.monotonic(), key, text])}\n".encode()
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)


def read_log(path: str | Path) -> list[Line]:
    """All lines so far, the earliest first."""
    where = Path(path)
    return sorted(Line(*json.loads(line)) for line in where.read_text().splitlines()) if where.exists() else []


def peak(lines: Iterable[Line]) -> int:
    """How many were at work at once, at most."""
    working = most = 0
    for line in lines:
        working += {"works": 1, "worked": -1}.get(line.text, 0)
        most = max(most, working)
    return most


def jobs_of(state: Any) -> list[Job]:
    """The items of these flows."""
    jobs: list[Job] = values_of(state)["jobs"]
    return jobs


def values_of(state: Any) -> dict[str, Any]:
    """What a state holds, by field; those fields that it lacks are not in there."""
    if isinstance(state, Mapping):
        return dict(state)
    return {name: getattr(state, name) for name in fields_of(type(state))}


async def only(item: Job, state: Any) -> Any:
    """The single hop of a branch."""
    return await _update(Part(item), state)


async def first(item: Job, state: Any) -> Part:
    """The first hop of several."""
    return await _passed(Part(item), state)


async def second(part: Part, state: Any) -> Part:
    """A hop between others."""
    return await _passed(part, state)


async def last(part: Part, state: Any) -> Any:
    """The last hop of several."""
    return await _update(part, state)


async def _passed(part: Part, state: Any) -> Part:
    for name, *arguments in part.acts:
        await _ACTS[name](part, state, *arguments)
    return replace(part, hop=part.hop + 1)


async def _update(part: Part, state: Any) -> Any:
    for name, *arguments in part.acts:
        if name == "give":
            return arguments[0]
        if name == "give_state":
            return state
        await _ACTS[name](part, state, *arguments)
    return part.added


def _add(part: Part, **values: Any) -> None:
    added: Any = part.added
    for name, value in values.items():
        reducer = fields[name].reducer if (fields := fields_of(Board)).get(name) else None
        added[name] = reducer(added[name], value) if name in added and reducer else value


async def _gives_nothing(_: Part, __: Any, *___: Any) -> None:
    """Only the last hop gives updates."""


async def _adds(part: Part, _: Any, name: str, value: Any) -> None:
    make: dict[str, Callable[[Any], Any]] = {
        "seen": set,
        "mood": Mood,
        "spans": lambda spans: [tuple(span) for span in spans],
        "points": lambda points: {key: Point(x, tuple(y)) for key, (x, y) in points.items()},
    }
    _add(part, **{name: make.get(name, detach)(value)})


async def _sees(part: Part, state: Any, name: str) -> None:
    held: Any = detach(values_of(state).get(name, "nothing"))
    _add(part, notes=[f"{part.job.key} sees {sorted(held) if isinstance(held, set) else held}"])


async def _spoils(part: Part, state: Any) -> None:
    for value in (part.job.tags, state, *values_of(state).values()):
        _spoil(value)


async def _touches(_: Part, state: Any, name: str) -> None:
    _spoil(values_of(state)[name])


def _spoil(value: Any) -> None:
    """Change what can be changed, all the way down."""
    if isinstance(value, dict):
        for each in list(value.values()):
            _spoil(each)
        value["spoilt"] = ["spoilt"]
    elif isinstance(value, list):
        for each in value:
            _spoil(each)
        value.append("spoilt")
    elif isinstance(value, set):
        value.add("spoilt")
    elif isinstance(value, Job):
        value.tags.append("spoilt")


async def _yields(_: Part, __: Any, times: int) -> None:
    for _time in range(times):
        await asyncio.sleep(0)


async def _works(part: Part, state: Any, seconds: float) -> None:
    write_log(values_of(state).get("log"), part.job.key, "works")
    try:
        await asyncio.sleep(seconds)
    finally:
        write_log(values_of(state).get("log"), part.job.key, "worked")


async def _logs(part: Part, state: Any, text: str) -> None:
    write_log(values_of(state).get("log"), part.job.key, text)


async def _fails(_: Part, __: Any, text: str) -> None:
    raise RuntimeError(text)


async def _is_flaky(part: Part, _: Any, attempts: int) -> None:
    branch = current_branch()
    if branch is None or branch.attempt < attempts:
        raise OSError(f"{part.job.key} doesn't answer")


async def _nests(part: Part, state: Any, jobs: list[Any]) -> None:
    inner = [job(key, *acts) for key, *acts in detach(jobs)]
    begin: Any = {name: value for name, value in values_of(state).items() if name in ("plan", "rules", "log")}
    result = await nested.run({**begin, "jobs": inner})
    _add(part, **{name: value for name, value in result.state.items() if name in Added.__annotations__})
    failed = [outcome for outcome in result.outcomes if isinstance(outcome, Failed)]
    _add(part, notes=[f"{outcome.key} failed: {outcome.error}" for outcome in failed])


async def _asks_for_context(part: Part, _: Any) -> None:
    _add(part, notes=[f"{part.job.key} has {get_context(Toolbox).label}"])


async def _asks_for_place(part: Part, _: Any) -> None:
    branch = current_branch()
    _add(part, notes=["/".join(branch.path) if branch else "no branch"])


async def _starts_child(part: Part, state: Any) -> None:
    # Once it runs it is `sleep`, under the same process id.
    line = f'[0.0, "{part.job.key}", "\'$$\'"]'
    await process.run(
        ["sh", "-c", f"echo '{line}' >> \"$0\"; exec sleep 600", values_of(state).get("log") or "/dev/null"]
    )


async def _pauses(_: Part, state: Any, text: str) -> None:
    path = values_of(state)["log"]
    async with yield_slot():
        while not any(line.text == text for line in read_log(path)):  # noqa: ASYNC110 another process may write it
            await asyncio.sleep(0.01)


async def _has_effect(part: Part, state: Any) -> None:
    write_log(values_of(state).get("log"), part.job.key, idempotency_key())


async def _cancels(_: Part, __: Any) -> None:
    raise asyncio.CancelledError


async def _keeps_object(part: Part, _: Any) -> None:
    _add(part, found={"object": Opaque()})


_ACTS: dict[str, Callable[..., Awaitable[None]]] = {
    "add": _adds,
    "give": _gives_nothing,
    "give_state": _gives_nothing,
    "see": _sees,
    "spoil": _spoils,
    "touch": _touches,
    "yield": _yields,
    "work": _works,
    "log": _logs,
    "fail": _fails,
    "flaky": _is_flaky,
    "nest": _nests,
    "context": _asks_for_context,
    "place": _asks_for_place,
    "child": _starts_child,
    "pause": _pauses,
    "effect": _has_effect,
    "cancel": _cancels,
    "keep_object": _keeps_object,
}


async def begins(_: Any) -> Update:
    """A step before the branches."""
    return {"notes": ["begun"]}


async def ends(state: Any) -> Update:
    """A step after them."""
    return {"answer": f"{len(values_of(state).get('notes', []))} notes"}


class Broken(Exception):
    """What a function of `brittle` raises, with its name."""


async def breaks_before(state: Any) -> Update:
    """Raises where the state's `last` has its name."""
    _break(state, "breaks_before")
    return None


async def breaks_after(state: Any) -> Update:
    """The same, after the branches."""
    _break(state, "breaks_after")
    return None


def breaking_jobs(state: Any) -> list[Job]:
    """The same, when items are wanted."""
    _break(state, "breaking_jobs")
    return jobs_of(state)


def breaks_on_failure(_: Failed) -> Update:
    """Raises."""
    raise Broken("breaks_on_failure")


def _break(state: Any, name: str) -> None:
    if values_of(state).get("last") == name:
        raise Broken(name)


async def surveys(state: Any) -> Update:
    """A step that runs a flow, of the jobs that the plan has."""
    jobs = [job(key, *acts) for key, *acts in detach(values_of(state)["plan"]["jobs"])]
    result = await nested.run(board(*jobs, log=values_of(state).get("log")))
    return {"notes": [f"surveyed on {result.runtime}", *result.state["notes"]]}


async def returns_all(state: Any) -> Any:
    """A step that returns its state where an update belongs."""
    return {**state}


def excused(failed: Failed) -> Update:
    """What a failure adds."""
    return {"notes": [f"{failed.key} failed"]}


def urgency(item: Job) -> float:
    """The more tags, the sooner."""
    return len(item.tags)


async def landed(outcome: Outcome[Any]) -> None:
    """Hands an outcome to the run's context."""
    land = get_context(Toolbox).land
    if land is not None:
        await land(outcome)


async def packed() -> bytes:
    """What workers need: the label of the run's context."""
    return get_context(Toolbox).label.encode()


@asynccontextmanager
async def equipped(pack: bytes) -> AsyncIterator[Toolbox]:
    """A worker's context."""
    yield Toolbox(pack.decode())


scripted = Flow(name="scripted", state=Board, items=jobs_of, branch=only)
nested = replace(scripted, name="nested")
two_hops = replace(scripted, name="two hops", branch=(first, last))
three_hops = replace(scripted, name="three hops", branch=(first, second, last))
stepped = replace(scripted, name="stepped", prepare=(begins,), finish=(ends,))
doubling = replace(scripted, name="doubling", prepare=(returns_all,))
retried = replace(scripted, name="retried", branch=retry(attempts=3, wait_initial_s=0)(only))
excusing = replace(scripted, name="excusing", failed=excused)
hasty = replace(scripted, name="hasty", deadline_s=0.5)
hurried = replace(scripted, name="hurried", total_deadline_s=0.5)
newer = replace(scripted, version="2")
timed = replace(scripted, name="timed", branch=deadline(0.3)(only))
brittle = replace(
    scripted,
    name="brittle",
    prepare=(breaks_before,),
    items=breaking_jobs,
    failed=breaks_on_failure,
    finish=(breaks_after,),
)
surveying = replace(scripted, name="surveying", prepare=(surveys,))
landing_three = replace(three_hops, name="landing three", on_outcome=landed)
on_sheet = Flow(name="on a sheet", state=Sheet, items=jobs_of, branch=only)
on_form = Flow(name="on a form", state=Form, items=jobs_of, branch=only)
landing_sheet = replace(on_sheet, name="landing sheet", on_outcome=landed)
landing = replace(scripted, name="landing", on_outcome=landed)
urgent = replace(scripted, name="urgent", priority=urgency)
with_toolbox = replace(scripted, name="with toolbox", pack=packed, prepare_worker=equipped)
