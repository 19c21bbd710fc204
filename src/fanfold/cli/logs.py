"""`fanfold logs`: fill the cache of recent log lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanfold.cli.interrupt import run_until_interrupted
from fanfold.cli.output import emit, tell, visible
from fanfold.cli.words import plural
from fanfold.config import project_root
from fanfold.errors import FanfoldError
from fanfold.troubleshoot.settings import load_config

if TYPE_CHECKING:
    from fanfold.troubleshoot.sources.logs.settings import RedisSettings

LOGS = "log_cache"
MOST_TROUBLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """What was given on the command line; None = as configured, else the default.

    Attributes:
        paths: files, folders, patterns; "-" is the standard input; none = those that are configured.
        redis: a server without a password; one with a password stands in the configuration.
        host, job: where lines are from and whose they are, unless they say.
        timezone: of times that name none.
        ttl_s: seconds for which lines are kept.
        most: lines of each job that are kept, and of all together.
        day_first: whether 03/04/2024 is the third of April.
        prefix: what all keys begin with.
        every: all lines, not only errors, warnings and what happened to jobs.
    """

    paths: Sequence[str]
    redis: str | None = None
    host: str = ""
    job: str = ""
    timezone: str | None = None
    ttl_s: int | None = None
    most: int | None = None
    day_first: bool | None = None
    prefix: str | None = None
    every: bool = False


def ingest(options: IngestOptions) -> int:
    """Put what is new in log files into the cache; 0, also where there was nothing new."""
    from fanfold.troubleshoot.sources.logs import ingest as fill  # noqa: PLC0415 imported when used

    root = project_root(Path.cwd())
    redis, more = _configured(root, options)
    done = run_until_interrupted(
        lambda: fill(
            redis=redis,
            host=options.host,
            job=options.job,
            every=options.every,
            **more,
        ),
        on_stop=lambda: tell("stopping; what was written stays, and the next call goes on from there"),
        on_kill=lambda: None,
    )
    is_a_stream = list(options.paths) == ["-"]
    whence = "the standard input" if is_a_stream else plural(done.files, "file")
    lines = f"{plural(done.written, 'line')} of {done.read} from {whence}"
    emit(f"Wrote {lines}, and {plural(done.ends, 'end')} of jobs\n")
    for trouble in done.trouble[:MOST_TROUBLE]:
        tell(visible(trouble))
    return 0


def _configured(root: Path, options: IngestOptions) -> tuple[RedisSettings, dict[str, Any]]:
    """Where the cache is, and what else of the options and of the source's table matters for filling it."""
    from fanfold.troubleshoot.sources.logs.settings import redis_settings, settings_of  # noqa: PLC0415

    table: Mapping[str, object] = load_config(root).sources.get(LOGS, {})
    settings = settings_of(table, root) if table else None
    redis = redis_settings(options.redis) if options.redis else settings.redis if settings else None
    if redis is None:
        raise FanfoldError(
            "it isn't said which Redis is to be filled",
            hint=f"add --redis redis://localhost:6379/0, or set redis in [troubleshoot.sources.{LOGS}]",
        )
    if options.prefix is not None:
        redis = redis_settings(redis, prefix=options.prefix)
    more: dict[str, Any] = {"timezone": settings.timezone, "day_first": settings.day_first} if settings else {}
    # What is typed starts from here, and what is configured from its file.
    more |= {"paths": options.paths} if options.paths else {"paths": settings.paths if settings else (), "root": root}
    if not more["paths"]:
        raise FanfoldError(
            "it isn't said which logs are to be read",
            hint=f"name files or folders, or set paths in [troubleshoot.sources.{LOGS}]",
        )
    given = {name: getattr(options, name) for name in ("timezone", "day_first", "ttl_s", "most")}
    return redis, more | {name: value for name, value in given.items() if value is not None}
