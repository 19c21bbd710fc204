"""One more attempt at what was sent back: on the new tip, told why, and with the tests that it broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fanfold.fix.attempts.attempt import Attempted
from fanfold.fix.attempts.bench import Bench, Brief, bench_of
from fanfold.fix.findings.census import able, against_base, census_of
from fanfold.fix.landing.landed import KIND, Refusal
from fanfold.fix.record import Run
from fanfold.fix.runs.planned import trails_of
from fanfold.fix.state import FileState, FixState
from fanfold.runtimes import Flow


async def try_again(run: Run, state: FixState, flow: Flow[FixState]) -> list[Attempted]:
    """Run the flow over the files of all changes that were sent back; what has nothing to offer then is dropped."""
    refusals = run.landing.sent_back
    tip = await _begun_on(run)
    files = await _as_on(run, tip, [file for file in state["files"] if file.key in refusals])
    run.phase("fixing", f"{counted(files)} once more, on what has landed", files=len(files))
    for_tests = run.tester is not None and run.settings.tests != "each"
    mine = FixState(
        dry_run=False,
        files=files,
        tests=state.get("tests"),
        told={key: _told(refusal) for key, refusal in refusals.items()},
        broke={key: refusal.tests for key, refusal in refusals.items() if refusal.tests and for_tests},
    )
    if run.queue is not None:
        run.queue.expect([file.key for file in files])
    done = await flow.run(mine, limit=run.settings.jobs, on_event=run.branch_event)
    if run.queue is not None:
        await run.queue.drain()
    for key, refusal in refusals.items():
        if key not in run.landing.landed and key not in run.landing.dropped:
            await run.landing.drop(refusal, run.log)
    return done.state["attempts"]


async def _begun_on(run: Run) -> str:
    """The commit that second attempts are made on, the same one when the run is resumed."""
    landing = run.landing
    if landing.second_on is None:
        landing.second_on = landing.branch.tip
        await run.log.note(KIND, {"step": "second attempts", "tip": landing.second_on})
    return landing.second_on


async def _as_on(run: Run, tip: str, files: Sequence[FileState]) -> list[FileState]:
    """Files with their findings where they stand at a commit, and a bench that is there; without what is gone."""
    if run.bench is None or tip == run.repository.head:
        return list(files)
    census, comparison = run.after, run.comparison
    if census is None or comparison is None or tip != run.landing.branch.tip:
        census = await census_of(run, tip, able(run))
        comparison = await against_base(run, tip, census)
    run.bench = bench_for(run, replace(run.bench.brief, base=tip, findings=census.findings))
    now = dict(comparison.kept)
    moved = [replace(file, errors=tuple(now[one] for one in file.errors if one in now)) for file in files]
    return [file for file in moved if file.errors]


def _told(refusal: Refusal) -> str:
    because = "; ".join(refusal.reasons)
    if refusal.kind == "conflict":
        return f"Your change was taken out: {because}. The file now is as others have left it."
    return f"Your change was taken out, since with what others have changed meanwhile it {because}."


def bench_for(run: Run, brief: Brief) -> Bench:
    """The bench of the run for what the brief says."""
    return bench_of(
        brief,
        repository=run.repository,
        project=run.project,
        pool=run.pool,
        stages=run.stages,
        checkers=run.checkers,
        cache=run.cache,
        tester=run.tester,
        trails=trails_of(run),
        till=run.till,
    )


def counted(files: Sequence[object]) -> str:
    """How many files, in words."""
    return "1 file" if len(files) == 1 else f"{len(files)} files"
