"""`fanfold fix`: from options to a request, from a run's report to output and exit code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fanfold.cli import baseline
from fanfold.cli.deliver import deliver
from fanfold.cli.interrupt import run_until_interrupted
from fanfold.cli.output import emit
from fanfold.cli.progress import Progress
from fanfold.config import load_settings, project_root, workspaces_home
from fanfold.errors import FanfoldError
from fanfold.fix.findings.plan import Request
from fanfold.fix.reporting.report import EXIT_FIXED, EXIT_WORK_REMAINS
from fanfold.fix.run import run
from fanfold.fix.runs import Past
from fanfold.git import allow_overlays


class UsageError(FanfoldError):
    """Options that contradict each other, or a place that the report can't be written to."""


@dataclass(frozen=True)
class Options:
    """What was given on the command line; `overrides` are settings by name, None = not given."""

    overrides: Mapping[str, object]
    paths: tuple[str, ...] = ()
    git_changed: bool = False
    git_staged: bool = False
    git_diff: str | None = None
    apply: bool = False
    stage_only: bool = False
    dry_run: bool = False
    diff: bool = False
    resume: bool = False
    exit_zero: bool = False
    output_format: str = "text"
    output_file: Path | None = None
    quiet: bool = False
    verbose: bool = False
    write_baseline: Path | None = None


def carry_out(options: Options) -> int:
    """Run, write the report, and return the exit code.

    Raises:
        FanfoldError: the options, the configuration or the repository don't allow it.
        KeyboardInterrupt: it was stopped before there was anything to report.
    """
    _consistent(options)
    request, past = _resumed(options) if options.resume else (_request(options, Path.cwd()), None)
    if options.write_baseline is not None:
        request = baseline.request_for_baseline(request)
    if request.settings.workspace_kind != "plain":
        allow_overlays(workspaces_home(request.settings))  # before there are threads; the report says why not
    with Progress(quiet=options.quiet, verbose=options.verbose) as progress:
        report = run_until_interrupted(
            lambda: run(request, on_event=progress, past=past), on_stop=progress.stopping, on_kill=progress.close
        )
    if options.write_baseline is not None:
        emit(baseline.write(options.write_baseline, report) + "\n")
        return EXIT_FIXED
    deliver(
        report,
        output_format=options.output_format,
        output_file=options.output_file,
        diffs=options.diff,
        quiet=options.quiet,
        verbose=options.verbose,
    )
    excused = options.exit_zero and report.exit_code == EXIT_WORK_REMAINS
    return EXIT_FIXED if excused else report.exit_code


def _resumed(options: Options) -> tuple[Request, Past]:
    from fanfold.cli.resume import run_to_resume  # noqa: PLC0415  most runs begin

    said = ("git_changed", "git_staged", "git_diff", "apply", "stage_only", "diff")
    given = {name: getattr(options, name) for name in said}
    return asyncio.run(run_to_resume(Path.cwd(), options.overrides, options.paths, given))


def _results(options: Options) -> tuple[tuple[bool, str], ...]:
    return (
        (options.apply, "--apply"),
        (options.stage_only, "--stage-only"),
        (options.diff, "--diff"),
        (options.resume, "--resume"),
    )


def _about_runtimes(given: Mapping[str, object]) -> Iterator[tuple[bool, str, str]]:
    runtime = given.get("runtime")
    cluster, workers = (given.get(name) is not None for name in ("cluster", "workers"))
    other = runtime not in (None, "cluster")
    yield cluster and workers, "--cluster", "--workers"
    yield cluster and other, f"--runtime {runtime}", "--cluster"
    yield workers and other, f"--runtime {runtime}", "--workers"


def _request(options: Options, start: Path) -> Request:
    return Request(
        start=start,
        settings=load_settings(project_root(start), options.overrides),
        paths=options.paths,
        git_changed=options.git_changed,
        git_staged=options.git_staged,
        git_diff=options.git_diff,
        apply=options.apply,
        stage_only=options.stage_only,
        dry_run=options.dry_run,
        diff=options.diff,
    )


def _consistent(options: Options) -> None:
    contradictions = (
        (options.quiet and options.verbose, "--quiet", "--verbose"),
        (options.dry_run and options.diff, "--dry-run", "--diff"),
        (options.dry_run and options.resume, "--dry-run", "--resume"),
        (options.apply and options.dry_run, "--apply", "--dry-run"),
        *((bool(options.write_baseline) and other, "--write-baseline", name) for other, name in _results(options)),
        (options.apply and options.diff, "--apply", "--diff"),
        (options.stage_only and options.apply, "--stage-only", "--apply"),
        (options.stage_only and options.dry_run, "--stage-only", "--dry-run"),
        (options.stage_only and options.diff, "--stage-only", "--diff"),
        *_about_runtimes(options.overrides),
    )
    for both, one, other in contradictions:
        if both:
            raise UsageError(f"{one} and {other} contradict each other", hint=f"give one of {one} and {other}")
    _writable(options.output_file, "report")
    _writable(options.write_baseline, "baseline")


def _writable(file: Path | None, what: str) -> None:
    """See to it before hours of work that what comes of it can be written."""
    if file is not None and (
        file.is_dir() or not os.access(file if file.exists() else file.absolute().parent, os.W_OK)
    ):
        raise UsageError(
            f"The {what} can't be written to {file}", hint="name a file in a directory that exists and is writable"
        )
