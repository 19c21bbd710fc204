"""`fanfold troubleshoot`: from options to an incident, from a run's final state to output and exit code."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from fanfold.cli.asking import SourceProgress
from fanfold.cli.interrupt import run_until_interrupted
from fanfold.cli.output import decodable, emit, tell
from fanfold.cli.words import plural
from fanfold.config import project_root
from fanfold.errors import FanfoldError
from fanfold.runtimes.choice import runtime_for
from fanfold.troubleshoot.answer import Answer
from fanfold.troubleshoot.apart import apart
from fanfold.troubleshoot.ask import title
from fanfold.troubleshoot.bundle import bundle_of_state, save
from fanfold.troubleshoot.flow import incident_of
from fanfold.troubleshoot.route import route_of_trouble
from fanfold.troubleshoot.rules import prepared
from fanfold.troubleshoot.run import troubleshoot
from fanfold.troubleshoot.settings import KNOWLEDGE, ParallelConfig, load_config, sources_of
from fanfold.troubleshoot.sources.protocol import Source
from fanfold.troubleshoot.state import ParallelState
from fanfold.troubleshoot.tell import plain, told

SCHEMA_VERSION = 1
EXIT_ANSWERED, EXIT_UNKNOWN = 0, 1


class UsageError(FanfoldError):
    """Options that don't go together, or say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was given on the command line."""

    message: str = ""
    jobs: tuple[str, ...] = ()
    instance: str | None = None
    at: str | None = None
    runtime: str = "auto"
    output_format: str = "text"
    save: Path | None = None
    compare_sequential: bool = False
    timeout_s: float | None = None
    demo: bool = False
    quiet: bool = False


def carry_out(options: Options) -> int:
    """Ask, print the answer, and return the exit code: 0 with a cause or where all is well, 1 where none was found.

    Raises:
        FanfoldError: the options or the configuration don't allow it.
        KeyboardInterrupt: it was stopped.
    """
    logging.getLogger("fanfold").addHandler(logging.NullHandler())  # or the library's warnings go to stderr
    options = replace(options, jobs=tuple(dict.fromkeys(job.strip() for job in options.jobs if job.strip())))
    _consistent(options)
    with SourceProgress(quiet=options.quiet) as progress:
        state, config = run_until_interrupted(
            lambda: _asked(options, progress), on_stop=progress.stopping, on_kill=progress.close
        )
    emit(rendered(state, options.output_format))
    if not options.quiet:
        tell(figures(state))
        if unconfigured := _unconfigured(state, config):
            tell(unconfigured)
    if options.save is not None:
        minimum = config.min_sources_required
        save(bundle_of_state(state, incident_of(state, config), min_sources=minimum), options.save)
    return exit_code(state)


def rendered(state: ParallelState, output_format: str) -> str:
    """The final state as text of one of the formats."""
    if output_format == "json":
        data = {"schema_version": SCHEMA_VERSION, "exit_code": exit_code(state), **state}
        return json.dumps(_decodable(data), indent=2, ensure_ascii=False) + "\n"
    return state["response"] if output_format == "markdown" else plain(state["response"])


def rendered_answer(answer: Answer, output_format: str) -> str:
    """An answer alone, as text of one of the formats."""
    from fanfold.troubleshoot.state import answer_data  # noqa: PLC0415

    given: ParallelState = {"answer": answer_data(answer), "response": told(answer)}
    return rendered({**given, "metadata": {"status": answer.status}}, output_format)


def exit_code(state: ParallelState) -> int:
    """0 with a cause or where all is well, else 1: that no cause was found is an answer, too."""
    status = state.get("metadata", {}).get("status")
    return EXIT_ANSWERED if status in ("cause", "healthy") else EXIT_UNKNOWN


def figures(state: ParallelState) -> str:
    """How long it took, and how long it would take otherwise, in a line."""
    metadata = state.get("metadata", {})
    asked = state.get("sources", [])
    if not asked:
        return "no source was asked"
    wall_ms = metadata.get("parallel_wall_ms", 0.0)
    at_once = " at once" if len(asked) > 1 else ""
    line = f"asked {', '.join(map(title, asked))}{at_once} in {wall_ms:.0f} ms"
    line += f"; their times together are {metadata.get('sequential_equivalent_ms', 0.0):.0f} ms"
    line += f" (speedup_factor {metadata.get('speedup_factor', 1.0):.2f})"
    if "measured_speedup" in metadata:
        at_once_ms, one_by_one_ms = metadata["measured_parallel_ms"], metadata["measured_sequential_ms"]
        line += f"; once more, measured: one after another {one_by_one_ms:.0f} ms, at once {at_once_ms:.0f} ms"
        line += f", {metadata['measured_speedup']:.2f} times faster"
    return line + _took(metadata.get("usage"))


def _unconfigured(state: ParallelState, config: ParallelConfig) -> str:
    """What to do where nobody could say anything of a job, for no system that knows it is configured; "" = one is."""
    if state.get("intent") == "how_to" or set(config.sources) - {KNOWLEDGE}:
        return ""
    return (
        "hint: no scheduler, logs or metrics are configured here, so only runbooks were asked: write "
        "[troubleshoot.sources.tws_status] in fanfold.toml, or see fanfold troubleshoot --demo"
    )


def _took(usage: Mapping[str, Any] | None) -> str:
    """What a model took, where one was asked."""
    if usage is None:
        return ""
    words = f"; the model took {plural(usage['requests'], 'request')}"
    words += f", {usage['input_tokens']} tokens in and {usage['output_tokens']} out"
    return words if usage["cost_usd"] is None else f"{words}, about {usage['cost_usd']:.4f} USD"


def moment(text: str, now: datetime) -> datetime:
    """A time as people write it: ISO 8601, of this machine's zone where none is named, or a time of the day alone.

    Args:
        now: of a zone; a time of the day is the last one before that.
    Raises:
        UsageError: it is none.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            today = now.combine(now.date(), time.fromisoformat(text), tzinfo=now.tzinfo)
        except ValueError:
            raise UsageError(
                f"--at {text!r} is no time", hint="write 2024-12-11T03:12, 2024-12-11T03:12:00-03:00 or 03:12"
            ) from None
        return today if today <= now else today - timedelta(days=1)
    return at if at.tzinfo else at.astimezone()


async def _asked(options: Options, progress: SourceProgress) -> tuple[ParallelState, ParallelConfig]:
    async with _surroundings(options, progress) as (config, sources):
        message = options.message or (_demo_message() if options.demo else f"What is wrong with {_and(options.jobs)}?")
        answering = troubleshoot(
            message,
            sources,
            jobs=options.jobs,
            instance=options.instance or None,
            at=moment(options.at, datetime.now().astimezone()) if options.at else None,
            config=config,
            read=route_of_trouble(message),
            runtime=runtime_for(options.runtime),
            on_event=progress,
            compare_sequential=options.compare_sequential,
        )
        state, _ = await asyncio.gather(answering, apart(prepared))  # the rules get ready while the sources answer
        return state, config


@asynccontextmanager
async def _surroundings(
    options: Options, progress: SourceProgress
) -> AsyncIterator[tuple[ParallelConfig, Mapping[str, Source]]]:
    """What is configured here and its sources; for a demonstration, systems that last as long as the block."""
    root = project_root(Path.cwd())
    if not options.demo:
        config = load_config(root, total_timeout_seconds=options.timeout_s)
        yield config, sources_of(config, root)
        return
    from fanfold.testing.demo import demonstration  # noqa: PLC0415 nobody else needs servers

    with tempfile.TemporaryDirectory(prefix="fanfold-demo-") as folder:
        async with demonstration(Path(folder)) as demo:
            for part in demo.parts:
                progress.say(f"demonstration: {part}")
            given = {"sources": dict(demo.sources), "min_sources_required": 2}
            if options.timeout_s is not None:
                given["total_timeout_seconds"] = options.timeout_s
            config = ParallelConfig.model_validate(given)
            yield config, sources_of(config, Path(folder))


def _demo_message() -> str:
    from fanfold.testing.demo import MESSAGE  # noqa: PLC0415

    return MESSAGE


def _and(jobs: tuple[str, ...]) -> str:
    return " and ".join(filter(None, [", ".join(jobs[:-1]), *jobs[-1:]]))


def _consistent(options: Options) -> None:
    if not options.message.strip() and not options.jobs and not options.demo:
        raise UsageError(
            "it isn't said what is to be looked into", hint='write fanfold troubleshoot "Job NAME failed with S0C7"'
        )
    if options.timeout_s is not None and not 0 < options.timeout_s < float("inf"):
        raise UsageError(f"--timeout {options.timeout_s} is no number of seconds above 0")
    if options.save is not None and (options.save.is_dir() or not options.save.absolute().parent.is_dir()):
        raise UsageError(f"the evidence can't be saved to {options.save}", hint="name a file in a folder that exists")


def _decodable(value: Any) -> Any:
    if isinstance(value, str):
        return decodable(value)
    if isinstance(value, dict):
        return {key: _decodable(item) for key, item in value.items()}
    return [_decodable(item) for item in value] if isinstance(value, list | tuple) else value
