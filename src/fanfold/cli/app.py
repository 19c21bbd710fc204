# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""The commands of `fanfold` and their options, as the user sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from fanfold.cli.help import GroupedCommand
from fanfold.cli.optional import FixCommand

app = typer.Typer(
    help="Run many agents over one repository, land what is verified",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _option(group: str, *names: str, help: str, metavar: str | None = None, **more: Any) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=group, show_default=False, **more)


WHAT, WHO, HOW, WHERE = "What to fix", "Who fixes it", "How", "Where it runs"
BUDGET = "What it may take"
RESULT, OUTPUT = "What happens with the result", "Output"
ABOUT, ASKING, OPTIONS = "What it is about", "How it is asked", "Options"

PerWhats: TypeAlias = Literal["run", "file"]
TestModes: TypeAlias = Literal["batch", "each", "final", "none", "full"]
Runtimes: TypeAlias = Literal["auto", "native", "langgraph", "cluster"]
LocalRuntimes: TypeAlias = Literal["auto", "native", "langgraph"]
Sandboxes: TypeAlias = Literal["auto", "bwrap", "none"]
Formats: TypeAlias = Literal["text", "json", "sarif", "github", "markdown"]


def _show_version(wanted: bool) -> None:
    if wanted:
        from fanfold import __version__

        typer.echo(f"fanfold {__version__}")
        raise typer.Exit


@app.callback()
def _fanfold(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    del version


@app.command(cls=FixCommand)
def fix(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATHS", help="Work on these files and folders (default all)")
    ] = None,
    check: Annotated[
        list[str] | None,
        _option(WHAT, "--check", help="Run this checker or `name=command`; repeatable", metavar="SPEC"),
    ] = None,
    select: Annotated[
        list[str] | None, _option(WHAT, "--select", help="Fix these rules only (default all)", metavar="RULES")
    ] = None,
    ignore: Annotated[
        list[str] | None, _option(WHAT, "--ignore", help="Leave these rules alone (default none)", metavar="RULES")
    ] = None,
    include: Annotated[
        list[str] | None, _option(WHAT, "--include", help="Work on matching paths only (default all)", metavar="GLOBS")
    ] = None,
    exclude: Annotated[
        list[str] | None, _option(WHAT, "--exclude", help="Leave matching paths out (default none)", metavar="GLOBS")
    ] = None,
    git_changed: Annotated[
        bool, _option(WHAT, "--git-changed", help="Work on files with uncommitted changes only")
    ] = False,
    git_staged: Annotated[bool, _option(WHAT, "--git-staged", help="Work on files with staged changes only")] = False,
    git_diff: Annotated[
        str | None, _option(WHAT, "--git-diff", help="Work on files changed since REF only", metavar="REF")
    ] = None,
    only_new: Annotated[
        str | None,
        _option(WHAT, "--only-new", help="Fix only what is new since REF (default the main branch)", metavar="[REF]"),
    ] = None,
    baseline: Annotated[
        Path | None, _option(WHAT, "--baseline", help="Leave alone what is in this file (default none)", metavar="FILE")
    ] = None,
    write_baseline: Annotated[
        Path | None, _option(WHAT, "--write-baseline", help="Write what there is now here, and end", metavar="FILE")
    ] = None,
    max_files: Annotated[
        int | None, _option(WHAT, "--max-files", help="Work on at most N files (default all)", metavar="N")
    ] = None,
    max_findings: Annotated[
        int | None, _option(WHAT, "--max-findings", help="Fix at most N findings (default all)", metavar="N")
    ] = None,
    agent: Annotated[
        list[str] | None,
        _option(WHO, "--agent", help="Let this agent work; repeatable (default autofix)", metavar="NAME"),
    ] = None,
    race: Annotated[
        bool | None, _option(WHO, "--race/--no-race", help="Let agents race for each file (default no)")
    ] = None,
    agent_command: Annotated[
        str | None,
        _option(WHO, "--agent-command", help="Let this program fix a file, as in 'my-agent {file}'", metavar="COMMAND"),
    ] = None,
    agent_env: Annotated[
        list[str] | None,
        _option(WHO, "--agent-env", help="Let the agent see these variables (default none)", metavar="NAMES"),
    ] = None,
    agent_network: Annotated[
        list[str] | None,
        _option(WHO, "--agent-network", help="Let it reach host, none, or these (default host)", metavar="HOSTS"),
    ] = None,
    sandbox: Annotated[
        Sandboxes | None, _option(WHO, "--sandbox", help="Keep its programs in this (default auto: bwrap if it works)")
    ] = None,
    sandbox_read: Annotated[
        list[str] | None,
        _option(WHO, "--sandbox-read", help="Let it read this, too; repeatable (default none)", metavar="PATH"),
    ] = None,
    sandbox_write: Annotated[
        list[str] | None,
        _option(WHO, "--sandbox-write", help="Let it write this, too; repeatable (default none)", metavar="PATH"),
    ] = None,
    annotate: Annotated[
        bool | None, _option(WHO, "--annotate/--no-annotate", help="Add missing type annotations (default no)")
    ] = None,
    learn: Annotated[
        bool | None, _option(WHO, "--learn/--no-learn", help="Go by what earlier runs showed (default yes)")
    ] = None,
    jobs: Annotated[
        int | None, _option(HOW, "--jobs", "-j", help="Work on N files at once (default 4)", metavar="N")
    ] = None,
    max_cost: Annotated[
        float | None, _option(BUDGET, "--max-cost", help="Spend at most this much (default no limit)", metavar="USD")
    ] = None,
    max_tokens: Annotated[
        int | None, _option(BUDGET, "--max-tokens", help="Use at most N tokens (default no limit)", metavar="N")
    ] = None,
    max_minutes: Annotated[
        float | None,
        _option(BUDGET, "--max-minutes", help="Stop agents after this long (default no limit)", metavar="MINUTES"),
    ] = None,
    max_cost_per_task: Annotated[
        float | None,
        _option(BUDGET, "--max-cost-per-task", help="The same for each file (default no limit)", metavar="USD"),
    ] = None,
    max_tokens_per_task: Annotated[
        int | None,
        _option(BUDGET, "--max-tokens-per-task", help="The same for each file (default no limit)", metavar="N"),
    ] = None,
    max_minutes_per_task: Annotated[
        float | None,
        _option(BUDGET, "--max-minutes-per-task", help="The same for each file (default no limit)", metavar="MINUTES"),
    ] = None,
    max_attempts: Annotated[
        int | None, _option(HOW, "--max-attempts", help="Try each file at most N times (default 3)", metavar="N")
    ] = None,
    deadline: Annotated[
        float | None,
        _option(HOW, "--deadline", help="End an attempt after this many seconds (default 600)", metavar="SECONDS"),
    ] = None,
    tests: Annotated[
        TestModes | None, _option(HOW, "--tests", help="Test what lands, in batches or one by one (default batch)")
    ] = None,
    coverage: Annotated[
        bool | None, _option(HOW, "--coverage/--no-coverage", help="See which changed lines tests run (default yes)")
    ] = None,
    two_files: Annotated[
        bool | None, _option(HOW, "--two-files/--no-two-files", help="Let a fix reach a second file (default yes)")
    ] = None,
    hooks: Annotated[
        bool | None, _option(HOW, "--hooks/--no-hooks", help="Ask your pre-commit hook of what lands (default yes)")
    ] = None,
    test_command: Annotated[
        str | None,
        _option(HOW, "--test-command", help="Run the tests like this (default pytest, if there)", metavar="COMMAND"),
    ] = None,
    setup: Annotated[
        str | None,
        _option(HOW, "--setup", help="Run this once in each working copy (default nothing)", metavar="COMMAND"),
    ] = None,
    copy: Annotated[
        list[str] | None,
        _option(HOW, "--copy", help="Copy this untracked file there; repeatable (default none)", metavar="FILE"),
    ] = None,
    workspaces: Annotated[
        Path | None,
        _option(HOW, "--workspaces", help="Keep working copies here (default user's cache)", metavar="DIRECTORY"),
    ] = None,
    runtime: Annotated[
        Runtimes | None, _option(WHERE, "--runtime", help="Run branches on this (default auto: langgraph if there)")
    ] = None,
    workers: Annotated[
        int | None, _option(WHERE, "--workers", help="Start a cluster of N processes here (default none)", metavar="N")
    ] = None,
    cluster: Annotated[
        str | None, _option(WHERE, "--cluster", help="Use a cluster, as in tcp://127.0.0.1:8786", metavar="ADDRESS")
    ] = None,
    cluster_certificates: Annotated[
        Path | None,
        _option(WHERE, "--cluster-certificates", help="Prove who is who by these (default none)", metavar="DIRECTORY"),
    ] = None,
    apply: Annotated[bool, _option(RESULT, "--apply", help="Fast-forward the current branch to the result")] = False,
    stage_only: Annotated[
        bool, _option(RESULT, "--stage-only", help="Leave the result in the index of the checkout, uncommitted")
    ] = False,
    per: Annotated[
        PerWhats | None, _option(RESULT, "--per", help="Make a branch for each file, too (default run: one for all)")
    ] = None,
    dry_run: Annotated[bool, _option(RESULT, "--dry-run", help="Show what would be worked on; run no agent")] = False,
    diff: Annotated[bool, _option(RESULT, "--diff", help="Print the diffs that would land; land nothing")] = False,
    resume: Annotated[
        bool, _option(WHERE, "--resume", help="Finish the run named in PATHS (default last unfinished)")
    ] = False,
    exit_zero: Annotated[bool, _option(RESULT, "--exit-zero", help="Exit 0 even if work remains")] = False,
    output_format: Annotated[
        Formats, _option(OUTPUT, "--output-format", help="Write the report in this format (default text)")
    ] = "text",
    output_file: Annotated[
        Path | None, _option(OUTPUT, "--output-file", help="Write the report here (default stdout)", metavar="FILE")
    ] = None,
    quiet: Annotated[
        bool, _option(OUTPUT, "--quiet", "-q", help="Show no progress, and only the summary of a text")
    ] = False,
    verbose: Annotated[bool, _option(OUTPUT, "--verbose", "-v", help="Show long lists of a text to their end")] = False,
) -> int:
    """Fix what checkers find and land it on a branch of its own"""
    from fanfold.cli.fix import Options, carry_out

    overrides = {
        "agent": _agents(agent),
        "agent_command": agent_command,
        "agent_env": _flat(agent_env),
        "agent_network": _flat(agent_network),
        "annotate": annotate,
        "learn": learn,
        "baseline": baseline,
        "checks": check or None,
        "cluster": cluster,
        "copy_files": copy or None,
        "cluster_certificates": cluster_certificates,
        "deadline_s": deadline,
        "exclude": _flat(exclude),
        "hooks": hooks,
        "coverage": coverage,
        "two_files": two_files,
        "ignore": _flat(ignore),
        "include": _flat(include),
        "jobs": jobs,
        "max_attempts": max_attempts,
        "max_files": max_files,
        "max_cost_usd": max_cost,
        "max_findings": max_findings,
        "max_minutes": max_minutes,
        "max_tokens": max_tokens,
        "only_new": only_new,
        "per": per,
        "race": race,
        "runtime": runtime or ("cluster" if cluster or workers is not None else None),
        "sandbox": sandbox,
        "sandbox_read": sandbox_read or None,
        "sandbox_write": sandbox_write or None,
        "select": _flat(select),
        "setup": setup,
        "task_max_cost_usd": max_cost_per_task,
        "task_max_minutes": max_minutes_per_task,
        "task_max_tokens": max_tokens_per_task,
        "test_command": test_command,
        "tests": tests,
        "workers": workers,
        "workspaces": workspaces,
    }
    return carry_out(
        Options(
            overrides=overrides,
            paths=tuple(paths or ()),
            git_changed=git_changed,
            git_staged=git_staged,
            git_diff=git_diff,
            apply=apply,
            stage_only=stage_only,
            dry_run=dry_run,
            diff=diff,
            resume=resume,
            exit_zero=exit_zero,
            output_format=output_format,
            output_file=output_file,
            quiet=quiet,
            verbose=verbose,
            write_baseline=write_baseline,
        )
    )


@app.command(cls=GroupedCommand)
def doctor() -> int:
    """Show what is installed and where each setting comes from"""
    from fanfold.cli.doctor import examine

    return examine()


@app.command(cls=GroupedCommand)
def runs(as_json: Annotated[bool, _option(OUTPUT, "--json", help="Write the list as JSON")] = False) -> int:
    """List the runs of this repository, the oldest first"""
    from fanfold.cli.runs import list_runs

    return list_runs(as_json=as_json)


@app.command(cls=GroupedCommand)
def show(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run, or how its name begins (default last)")
    ] = None,
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="Only this file, with all that was said")] = None,
    as_json: Annotated[bool, _option(OUTPUT, "--json", help="Write all that is kept as JSON")] = False,
) -> int:
    """Show what a run came to, or what was done for one file"""
    from fanfold.cli.show import show_run

    return show_run(run, file, as_json=as_json)


@app.command(cls=GroupedCommand)
def stats(
    project: Annotated[
        bool, _option(OPTIONS, "--project", help="Use this project's figures only (default all projects')")
    ] = False,
    export_to: Annotated[
        Path | None, _option(OPTIONS, "--export", help="Write the figures here, - for stdout", metavar="FILE")
    ] = None,
    import_from: Annotated[
        Path | None, _option(OPTIONS, "--import", help="Add figures that --export wrote, - for stdin", metavar="FILE")
    ] = None,
    reset: Annotated[bool, _option(OPTIONS, "--reset", help="Forget the figures")] = False,
    as_json: Annotated[bool, _option(OUTPUT, "--json", help="Write the figures as JSON")] = False,
    verbose: Annotated[bool, _option(OUTPUT, "--verbose", "-v", help="Show long lists to their end")] = False,
) -> int:
    """Show which agent fixed which rule, and what it cost"""
    from fanfold.cli.stats import Options, carry_out

    return carry_out(
        Options(
            project=project,
            export_to=export_to,
            import_from=import_from,
            reset=reset,
            as_json=as_json,
            verbose=verbose,
        )
    )


@app.command("replay", cls=GroupedCommand)
def replay_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, or how its name begins")],
    tests: Annotated[
        TestModes | None, _option(OPTIONS, "--tests", help="Test what lands like this (default as it did then)")
    ] = None,
    as_json: Annotated[bool, _option(OUTPUT, "--json", help="Write report and differences as JSON")] = False,
    quiet: Annotated[
        bool, _option(OUTPUT, "--quiet", "-q", help="Show no progress, and only summary and differences")
    ] = False,
    verbose: Annotated[bool, _option(OUTPUT, "--verbose", "-v", help="Show long lists to their end")] = False,
) -> int:
    """Verify and land a run's recorded answers again"""
    from fanfold.cli.replay import Options, carry_out

    tested = "each" if tests == "full" else tests
    return carry_out(Options(run=run, tests=tested, as_json=as_json, quiet=quiet, verbose=verbose))


@app.command(cls=GroupedCommand)
def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, or how its name begins")],
    dry_run: Annotated[bool, _option(OPTIONS, "--dry-run", help="Show what would be taken back, and end")] = False,
) -> int:
    """Delete a run's branches, and revert what it brought"""
    from fanfold.cli.undo import take_back

    return take_back(run, dry_run=dry_run)


@app.command(cls=GroupedCommand)
def clean(
    workspaces: Annotated[
        Path | None,
        _option(OPTIONS, "--workspaces", help="Clean here (default user's cache)", metavar="DIRECTORY"),
    ] = None,
    older_than: Annotated[
        float,
        _option(OPTIONS, "--older-than", help="Remove records of runs this old (default 30)", metavar="DAYS", min=0),
    ] = 30.0,
    force: Annotated[
        bool, _option(OPTIONS, "--force", help="Remove records of runs that could be resumed, too")
    ] = False,
) -> int:
    """Remove working copies that no run uses, and old records"""
    from fanfold.cli.clean import remove_leftovers

    return remove_leftovers(workspaces, older_than_days=older_than, force=force)


@app.command(cls=GroupedCommand)
def troubleshoot(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What went wrong, in English or Portuguese")] = "",
    job: Annotated[
        list[str] | None,
        _option(ABOUT, "--job", help="This job; repeatable (default those in MESSAGE)", metavar="NAME"),
    ] = None,
    instance: Annotated[
        str | None, _option(ABOUT, "--instance", help="In this scheduler (default the one in MESSAGE)", metavar="NAME")
    ] = None,
    at: Annotated[
        str | None, _option(ABOUT, "--at", help="It happened then, as 2024-12-11T03:12 or 03:12", metavar="TIME")
    ] = None,
    demo: Annotated[bool, _option(ABOUT, "--demo", help="Ask systems that are started here for this")] = False,
    timeout: Annotated[
        float | None,
        _option(ASKING, "--timeout", help="Answer after this many seconds (default 10)", metavar="SECONDS"),
    ] = None,
    runtime: Annotated[
        LocalRuntimes, _option(ASKING, "--runtime", help="Run on this (default auto: langgraph if there)")
    ] = "auto",
    compare_sequential: Annotated[
        bool, _option(ASKING, "--compare-sequential", help="Ask one after another, too, and compare")
    ] = False,
    as_json: Annotated[bool, _option(OUTPUT, "--json", help="Write all that is known as JSON")] = False,
    as_markdown: Annotated[bool, _option(OUTPUT, "--markdown", help="Write the answer as Markdown")] = False,
    save: Annotated[
        Path | None, _option(OUTPUT, "--save", help="Save the evidence here, to be replayed", metavar="FILE")
    ] = None,
    quiet: Annotated[bool, _option(OUTPUT, "--quiet", "-q", help="Show no progress and no figures")] = False,
) -> int:
    """Find out why a job failed, from all sources at once"""
    from fanfold.cli.troubleshoot import Options, carry_out

    return carry_out(
        Options(
            message=message,
            jobs=tuple(job or ()),
            instance=instance,
            at=at,
            runtime=runtime,
            output_format=_format(as_json, as_markdown),
            save=save,
            compare_sequential=compare_sequential,
            timeout_s=timeout,
            demo=demo,
            quiet=quiet,
        )
    )


incident = typer.Typer(help="Answer from saved evidence, or act on a job")
app.add_typer(incident, name="incident")


@incident.command(cls=GroupedCommand)
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Evidence that --save or another program wrote")],
    as_json: Annotated[bool, _option(OUTPUT, "--json", help="Write the answer as JSON")] = False,
    as_markdown: Annotated[bool, _option(OUTPUT, "--markdown", help="Write the answer as Markdown")] = False,
) -> int:
    """Answer from saved evidence; asks no system"""
    from fanfold.cli.incident import replay as answered

    return answered(file, _format(as_json, as_markdown))


@incident.command(cls=GroupedCommand)
def act(
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="rerun, hold, release, confirm-succ, confirm-abend, cancel or kill")
    ],
    job: Annotated[str, typer.Argument(metavar="JOB", help="NAME, STREAM.NAME, or an id")],
    justification: Annotated[
        str, _option(OPTIONS, "--justification", help="Say why; the scheduler's audit trail has it", metavar="TEXT")
    ],
    category: Annotated[
        str, _option(OPTIONS, "--category", help="Say of which kind that is (default none)", metavar="TEXT")
    ] = "",
    ticket: Annotated[
        str, _option(OPTIONS, "--ticket", help="Name the ticket for it (default none)", metavar="NUMBER")
    ] = "",
    instance: Annotated[
        str | None, _option(OPTIONS, "--instance", help="In this scheduler (default the only one)", metavar="NAME")
    ] = None,
    dry_run: Annotated[bool, _option(OPTIONS, "--dry-run", help="Show what would be sent, and end")] = False,
    yes: Annotated[bool, _option(OPTIONS, "--yes", help="Do it without asking")] = False,
    as_json: Annotated[bool, _option(OUTPUT, "--json", help="Write it as JSON")] = False,
) -> int:
    """Do one thing to one job, after you confirmed it"""
    from fanfold.cli.incident import ActOptions
    from fanfold.cli.incident import act as carry_out

    return carry_out(
        ActOptions(
            action=action,
            job=job,
            justification=justification,
            category=category,
            ticket=ticket,
            instance=instance,
            yes=yes,
            dry_run=dry_run,
            as_json=as_json,
        )
    )


knowledge = typer.Typer(help="Runbooks and past incidents")
app.add_typer(knowledge, name="knowledge")


@knowledge.callback()
def _knowledge() -> None:
    """Runbooks and past incidents"""


@knowledge.command(cls=GroupedCommand)
def index(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATHS", help="Files and folders (default the configured ones)")
    ] = None,
    index_file: Annotated[
        Path | None, _option(OPTIONS, "--index", help="Write this index (default as configured)", metavar="FILE")
    ] = None,
) -> int:
    """Bring runbooks and past incidents into the index"""
    from fanfold.cli.knowledge import index as carry_out

    return carry_out(paths or [], index_file)


logs = typer.Typer(help="The cache of recent log lines")
app.add_typer(logs, name="logs")


@logs.callback()
def _logs() -> None:
    """The cache of recent log lines"""


@logs.command(cls=GroupedCommand)
def ingest(
    paths: Annotated[list[str], typer.Argument(metavar="PATHS", help="Files, folders, patterns; - for standard input")],
    redis: Annotated[
        str | None, _option(OPTIONS, "--redis", help="Fill this one (default as configured)", metavar="URL")
    ] = None,
    host: Annotated[
        str, _option(OPTIONS, "--host", help="Lines are of this host, unless they say", metavar="NAME")
    ] = "",
    job: Annotated[str, _option(OPTIONS, "--job", help="Lines are of this job, unless they say", metavar="NAME")] = "",
    timezone: Annotated[
        str | None, _option(OPTIONS, "--timezone", help="Times are of this zone, unless they say", metavar="ZONE")
    ] = None,
    ttl: Annotated[
        int | None, _option(OPTIONS, "--ttl", help="Keep lines this long (default 604800)", metavar="SECONDS")
    ] = None,
    most: Annotated[
        int | None,
        _option(OPTIONS, "--most", help="Keep N lines of a job, and of all (default 100000)", metavar="N"),
    ] = None,
    day_first: Annotated[
        bool | None,
        _option(OPTIONS, "--day-first/--month-first", help="Read 03/04 as the third of April, or the fourth of March"),
    ] = None,
    prefix: Annotated[
        str | None, _option(OPTIONS, "--prefix", help="Begin keys with this (default as configured)", metavar="NAME")
    ] = None,
    every: Annotated[
        bool, _option(OPTIONS, "--every", help="Keep all lines, not only errors and what happened to jobs")
    ] = False,
) -> int:
    """Put what is new in log files into the cache"""
    from fanfold.cli.logs import IngestOptions
    from fanfold.cli.logs import ingest as carry_out

    return carry_out(
        IngestOptions(
            paths=paths,
            redis=redis,
            host=host,
            job=job,
            timezone=timezone,
            ttl_s=ttl,
            most=most,
            day_first=day_first,
            prefix=prefix,
            every=every,
        )
    )


def _format(as_json: bool, as_markdown: bool) -> str:
    if as_json and as_markdown:
        raise typer.BadParameter("--json and --markdown contradict each other")
    return "json" if as_json else "markdown" if as_markdown else "text"


def _flat(values: list[str] | None) -> tuple[str, ...] | None:
    """Lists and repeats alike: `--select E,F --select W` is E, F and W."""
    if not values:
        return None
    return tuple(item.strip() for value in values for item in value.split(",") if item.strip())


def _agents(values: list[str] | None) -> tuple[str, ...] | None:
    """As `_flat`, but what follows `command:` or `acp:` is one command line, commas and all."""
    if not values:
        return None
    named: list[str] = []
    for value in values:
        parts = value.split(",")
        lines = [place for place, part in enumerate(parts) if part.strip().startswith(("command:", "acp:"))]
        first = lines[0] if lines else len(parts)
        named += [*parts[:first], ",".join(parts[first:])]
    return tuple(item.strip() for item in named if item.strip())
