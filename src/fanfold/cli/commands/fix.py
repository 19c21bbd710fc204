# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold fix`, as it is typed."""

from __future__ import annotations

import typer

from fanfold.cli.commands import fix_options as given


def fix(
    paths: given.Paths = None,
    check: given.Check = None,
    select: given.Select = None,
    ignore: given.Ignore = None,
    include: given.Include = None,
    exclude: given.Exclude = None,
    git_changed: given.GitChanged = False,
    git_staged: given.GitStaged = False,
    git_diff: given.GitDiff = None,
    only_new: given.OnlyNew = None,
    baseline: given.Baseline = None,
    write_baseline: given.WriteBaseline = None,
    max_files: given.MaxFiles = None,
    max_findings: given.MaxFindings = None,
    agent: given.Agent = None,
    race: given.Race = None,
    agent_command: given.AgentCommand = None,
    agent_env: given.AgentEnv = None,
    agent_network: given.AgentNetwork = None,
    sandbox: given.Sandbox = None,
    sandbox_read: given.SandboxRead = None,
    sandbox_write: given.SandboxWrite = None,
    annotate: given.Annotate = None,
    learn: given.Learn = None,
    jobs: given.Jobs = None,
    max_cost: given.MaxCost = None,
    max_tokens: given.MaxTokens = None,
    max_minutes: given.MaxMinutes = None,
    max_cost_per_task: given.MaxCostPerTask = None,
    max_tokens_per_task: given.MaxTokensPerTask = None,
    max_minutes_per_task: given.MaxMinutesPerTask = None,
    max_attempts: given.MaxAttempts = None,
    deadline: given.Deadline = None,
    tests: given.Tests = None,
    coverage: given.Coverage = None,
    two_files: given.TwoFiles = None,
    hooks: given.Hooks = None,
    test_command: given.TestCommand = None,
    setup: given.Setup = None,
    copy: given.Copy = None,
    workspaces: given.Workspaces = None,
    runtime: given.Runtime = None,
    workers: given.Workers = None,
    cluster: given.Cluster = None,
    cluster_certificates: given.ClusterCertificates = None,
    apply: given.Apply = False,
    stage_only: given.StageOnly = False,
    per: given.Per = None,
    dry_run: given.DryRun = False,
    diff: given.Diff = False,
    resume: given.Resume = False,
    exit_zero: given.ExitZero = False,
    output_format: given.OutputFormat = None,
    as_json: given.AsJson = False,
    output_file: given.OutputFile = None,
    quiet: given.Quiet = False,
    verbose: given.Verbose = False,
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
            output_format=_format(output_format, as_json),
            output_file=output_file,
            quiet=quiet,
            verbose=verbose,
            write_baseline=write_baseline,
        )
    )


def _format(given: str | None, as_json: bool) -> str:
    if as_json and given not in (None, "json"):
        raise typer.BadParameter(f"--json and --output-format {given} contradict each other")
    return "json" if as_json else given or "text"


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
