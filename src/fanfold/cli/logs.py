"""`fanfold logs`: fill the cache of recent log lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanfold.cli.interrupt import run_until_interrupted
from fanfold.cli.output import emit, tell, visible
from fanfold.cli.render.story import plural
from fanfold.config import project_root
from fanfold.errors import FanfoldError
from fanfold.troubleshoot.settings import load_config

LOGS = "log_cache"
MOST_TROUBLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """What was given on the command line; None = as configured."""

    paths: Sequence[str]
    redis: str | None = None
    host: str = ""
    job: str = ""
    timezone: str | None = None
    ttl_s: int | None = None
    every: bool = False


def ingest(options: IngestOptions) -> int:
    """Put what is new in log files into the cache; 0, also where there was nothing new."""
    from fanfold.troubleshoot.sources.logs import ingest as fill  # noqa: PLC0415 imported when used

    root = project_root(Path.cwd())
    redis, more = _configured(root, options)
    done = run_until_interrupted(
        lambda: fill(
            options.paths,
            redis,
            host=options.host,
            job=options.job,
            every=options.every,
            **more,
        ),
        on_stop=lambda: tell("stopping; what was written stays, and the next call goes on from there"),
        on_kill=lambda: None,
    )
    lines = f"{plural(done.written, 'line')} of {done.read} from {plural(done.files, 'file')}"
    emit(f"Wrote {lines}, and {plural(done.ends, 'end')} of jobs\n")
    for trouble in done.trouble[:MOST_TROUBLE]:
        tell(visible(trouble))
    return 0


def _configured(root: Path, options: IngestOptions) -> tuple[Any, dict[str, Any]]:
    """Where the cache is, and what else of the source's table matters for filling it."""
    from fanfold.troubleshoot.sources.logs.settings import settings_of  # noqa: PLC0415

    table: Mapping[str, object] = load_config(root).sources.get(LOGS, {})
    settings = settings_of(table, root) if table else None
    redis = options.redis or (settings.redis if settings else None)
    if redis is None:
        raise FanfoldError(
            "it isn't said which Redis is to be filled",
            hint=f"add --redis redis://localhost:6379/0, or set redis in [troubleshoot.sources.{LOGS}]",
        )
    more: dict[str, Any] = {"timezone": options.timezone or (settings.timezone if settings else None)}
    more |= {"day_first": settings.day_first} if settings else {}
    return redis, more | ({"ttl_s": options.ttl_s} if options.ttl_s is not None else {})
