"""Flows for tests of the cluster runtime: a module that workers import by its name."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from typing_extensions import TypedDict

from fanfold import process
from fanfold.engine import concat, current_branch, idempotency_key, retry, yield_slot
from fanfold.runtimes import Answer, Flow, NoCoordinator, coordinator, get_context


class Trace(TypedDict, total=False):
    """What is to be done, and where that was done.

    Attributes:
        folder: where branches leave files, one for each try.
        payload: something to make the state large.
    """

    names: list[str]
    folder: str
    payload: str
    ran: Annotated[list[str], concat]


@dataclass(frozen=True)
class Desktop:
    """A worker's context."""

    label: str


def names_of(state: Trace) -> list[str]:
    """The items."""
    return state["names"]


def tries(folder: str | Path, name: str) -> int:
    """How often a branch has begun."""
    return len(list(Path(folder).glob(f"{name}.try.*")))


def note(state: Trace, name: str, what: str = "try") -> None:
    """Leave a file that tells of this process."""
    (Path(state["folder"]) / f"{name}.{what}.{os.getpid()}.{time.monotonic_ns()}").touch()


async def _noted(name: str, state: Trace) -> dict[str, Any]:
    note(state, name)
    return {"ran": [f"{name} {os.getpid()}"]}


async def where(name: str, state: Trace) -> dict[str, Any]:
    """Say in which process it is."""
    return await _noted(name, state)


async def a_while(name: str, state: Trace) -> dict[str, Any]:
    """Take a moment."""
    done = await _noted(name, state)
    await asyncio.sleep(0.15)
    note(state, name, "done")
    return done


async def for_ever(name: str, state: Trace) -> dict[str, Any]:
    """Run until it is cancelled, and say that it was."""
    note(state, name)
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        note(state, name, "cancelled")
        raise
    return {}


async def with_child(name: str, state: Trace) -> dict[str, Any]:
    """Start a process that outlives every test."""
    note(state, name)
    await process.run(["sh", "-c", 'echo $$ > "$0"; exec sleep 600', str(Path(state["folder"]) / f"{name}.pid")])
    return {}


async def killing(name: str, state: Trace) -> dict[str, Any]:
    """End its own process at once, where the name says so: always, or the first time."""
    before = tries(state["folder"], name)
    done = await _noted(name, state)
    if name.startswith("always") or (name.startswith("once") and not before):
        os.kill(os.getpid(), signal.SIGKILL)
    return done


async def busy(name: str, state: Trace) -> dict[str, Any]:
    """Compute, without letting anything else run."""
    done = await _noted(name, state)
    until = time.thread_time() + float(name.partition(":")[2] or 0.4)
    while time.thread_time() < until:
        sum(range(1000))
    note(state, name, "done")
    return done


async def blocking(name: str, state: Trace) -> dict[str, Any]:
    """Block the event loop that it runs on, but nothing else."""
    done = await _noted(name, state)
    time.sleep(1.5)
    return done


async def raising(name: str, _: Trace) -> dict[str, Any]:
    """Raise what the name says."""
    if name == "fanfold":
        from fanfold.runtimes import FlowError

        raise FlowError("nothing works", hint="try again")
    if name == "exit":
        raise SystemExit(3)
    if name == "empty":
        raise ValueError
    nothing: dict[str, str] = {}
    return {"ran": [nothing[name]]}


async def lending(name: str, state: Trace) -> dict[str, Any]:
    """Wait for the file of the next one, lending the slot meanwhile."""
    note(state, name)
    following = f"{int(name) + 1}"
    if following in state["names"]:
        async with yield_slot():
            while not tries(state["folder"], following):
                await asyncio.sleep(0.01)
    return {"ran": [name]}


async def crossing(name: str, state: Trace) -> dict[str, Any]:
    """Run a flow inside."""
    inner = await crossed.run({"names": [f"{name}{number}" for number in range(3)], "folder": state["folder"]})
    return {"ran": [*inner.state["ran"], inner.runtime]}


async def equipped(name: str, state: Trace) -> dict[str, Any]:
    """Use the worker's context."""
    note(state, name)
    return {"ran": [f"{name} has {get_context(Desktop).label}"]}


async def flaky(name: str, _: Trace) -> dict[str, Any]:
    """Fail twice."""
    branch = current_branch()
    if branch is None or branch.attempt < 3:
        raise OSError(f"{name} doesn't answer")
    return {"ran": [f"{name} in attempt {branch.attempt}"]}


async def surprised(_: str, __: Trace) -> dict[str, Any]:
    """Raise what can't be sent as it is."""
    branch = current_branch()
    raise ValueError(f"{branch.key if branch else None} is odd")


async def keyed(_: str, __: Trace) -> dict[str, Any]:
    """Return the key of an effect."""
    return {"ran": [idempotency_key()]}


@dataclass
class Notebook:
    """The coordinator's context where branches ask: what it heard, in order.

    Attributes:
        kept: a question that is never answered.
    """

    heard: list[str] = field(default_factory=list)
    kept: str = "wait"


@asynccontextmanager
async def hearing(key: str) -> AsyncIterator[Answer]:
    """Note what is said, and by whom."""
    book = get_context(Notebook)

    async def answer(question: Any) -> Any:
        book.heard.append(f"{key} {question}")
        if question == book.kept:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                book.heard.append(f"{key} no answer")
                raise
        if question == "fail":
            raise ValueError("no such thing")
        return {"for": key, "said": question}

    book.heard.append(f"{key} +")
    try:
        yield answer
    except BaseException as error:
        book.heard.append(f"{key} {type(error).__name__}")
        raise
    finally:
        book.heard.append(f"{key} -")


async def asks(name: str, state: Trace) -> dict[str, Any]:
    """Tell, ask, tell; the file's name says what else."""
    note(state, name)
    here = coordinator()
    here.tell("first")
    answer = await here.ask([name, "\udcff"])
    here.tell("last")
    return {"ran": [f"{answer['for']}: {len(answer['said'])}"]}


async def asks_from_a_thread(_: str, __: Trace) -> dict[str, Any]:
    """Ask from another event loop."""
    here = coordinator()
    answer = await asyncio.to_thread(lambda: asyncio.run(here.ask("hello")))
    return {"ran": [answer["said"]]}


async def asks_in_vain(name: str, state: Trace) -> dict[str, Any]:
    """Ask what isn't answered, or is by an error."""
    note(state, name)
    await coordinator().ask(name)
    return {}


async def asks_for_a_while(_: str, __: Trace) -> dict[str, Any]:
    """Give up a question, and go on."""
    try:
        async with asyncio.timeout(0.2):
            await coordinator().ask("wait")
    except TimeoutError:
        await coordinator().ask("later")
    return {}


async def asks_and_dies(name: str, state: Trace) -> dict[str, Any]:
    """The first time, end the process once that was heard."""
    before = tries(state["folder"], name)
    note(state, name)
    await coordinator().ask("hello")
    if not before:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"ran": [name]}


async def asks_at_the_end(name: str, state: Trace) -> dict[str, Any]:
    """When it is cancelled, insist on an answer before it ends."""
    note(state, name)
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        try:
            await coordinator().ask("wait" if name == "stubborn" else "goodbye")
        except NoCoordinator:
            note(state, name, "alone")
        note(state, name, "ended")
        raise
    return {}


async def opened(name: str, state: Trace) -> tuple[str, Path]:
    """The first of two hops."""
    note(state, name, "opened")
    return name, Path(state["folder"])


async def closed(value: tuple[str, Path], state: Trace) -> dict[str, Any]:
    """The second of two hops."""
    name, folder = value
    return {"ran": [f"{name} {folder == Path(state['folder'])} {type(value).__name__}"]}


async def undeclared(name: str, _: Trace):  # type: ignore[no-untyped-def] # that is what it is for
    """A hop before the last that doesn't say what it returns."""
    return name


async def packed() -> bytes:
    """What the workers need: counted, for it is asked for once."""
    desktop = get_context(Desktop)
    return desktop.label.encode()


@asynccontextmanager
async def on_worker(pack: bytes) -> AsyncIterator[Desktop]:
    """Leave files on the way in and out."""
    label, _, folder = pack.decode().partition("|")
    here: Any = {"folder": folder}
    note(here, "worker", "entered")
    try:
        yield Desktop(label)
    finally:
        note(here, "worker", "left")


@asynccontextmanager
async def broken_on_worker(_: bytes) -> AsyncIterator[None]:
    """Can't be entered."""
    raise RuntimeError("no room left")
    yield


@asynccontextmanager
async def stuck_on_worker(_: bytes) -> AsyncIterator[Desktop]:
    """Can't be left."""
    yield Desktop("glue")
    raise RuntimeError("stuck")


async def lasts(state: Trace) -> None:
    """A step that ends when it is told to."""
    note(state, "finish")
    while not (Path(state["folder"]) / "go").exists():
        await asyncio.sleep(0.01)


plain = Flow(name="plain", state=Trace, items=names_of, branch=where)
slow = replace(plain, name="slow", branch=a_while)
endless = replace(plain, name="endless", branch=for_ever)
hasty = replace(endless, name="hasty", deadline_s=0.5)
parents = replace(plain, name="parents", branch=with_child)
deadly = replace(plain, name="deadly", branch=killing)
cpu = replace(plain, name="cpu", branch=busy)
blocked = replace(plain, name="blocked", branch=blocking)
failing = replace(plain, name="failing", branch=raising)
lent = replace(plain, name="lent", branch=lending)
crossed = replace(plain, name="crossed", branch=where)
nesting = replace(plain, name="nesting", branch=crossing)
prepared = replace(plain, name="prepared", branch=equipped, pack=packed, prepare_worker=on_worker)
unprepared = replace(plain, name="unprepared", branch=equipped)
unpreparable = replace(plain, name="unpreparable", branch=equipped, prepare_worker=broken_on_worker)
endless_prepared = replace(prepared, name="endless prepared", branch=for_ever)
retried = replace(plain, name="retried", branch=retry(attempts=3, wait_initial_s=0)(flaky))
effects = replace(plain, name="effects", branch=keyed)
two_hops = replace(plain, name="two hops", branch=(opened, closed))
unsure = replace(plain, name="unsure", branch=(undeclared, closed))
brief = replace(slow, name="brief", deadline_s=1.0)
odd = replace(plain, name="odd", branch=surprised, key=lambda name: f"{name}\udcff")
lasting = replace(plain, name="lasting", finish=(lasts,))
sticky = replace(plain, name="sticky", branch=equipped, prepare_worker=stuck_on_worker)
asking = replace(plain, name="asking", branch=asks, attend=hearing)
asking_from_a_thread = replace(asking, name="asking from a thread", branch=asks_from_a_thread)
asking_in_vain = replace(asking, name="asking in vain", branch=asks_in_vain)
asking_nobody = replace(asking_in_vain, name="asking nobody", attend=None)
asking_for_a_while = replace(asking, name="asking for a while", branch=asks_for_a_while)
asking_and_dying = replace(asking, name="asking and dying", branch=asks_and_dies)
asking_at_the_end = replace(asking, name="asking at the end", branch=asks_at_the_end)
