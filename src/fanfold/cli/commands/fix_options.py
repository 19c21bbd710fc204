"""The options of `fanfold fix`, in groups as its help has them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from fanfold.cli.commands.option import TestModes, output, under

what, who, how = under("What to fix"), under("Who fixes it"), under("How")
budget = under("What it may take")
where, result = under("Where it runs"), under("What happens with the result")

PerWhats: TypeAlias = Literal["run", "file"]
Runtimes: TypeAlias = Literal["auto", "native", "langgraph", "cluster"]
Sandboxes: TypeAlias = Literal["auto", "bwrap", "none"]
Formats: TypeAlias = Literal["text", "json", "sarif", "github", "markdown"]

Paths: TypeAlias = Annotated[
    list[str] | None, typer.Argument(metavar="PATHS", help="Work on these files and folders (default all)")
]

Check: TypeAlias = Annotated[
    list[str] | None, what("--check", help="Run this checker or `name=command`; repeatable", metavar="SPEC")
]
Select: TypeAlias = Annotated[
    list[str] | None, what("--select", help="Fix these rules only (default all)", metavar="RULES")
]
Ignore: TypeAlias = Annotated[
    list[str] | None, what("--ignore", help="Leave these rules alone (default none)", metavar="RULES")
]
Include: TypeAlias = Annotated[
    list[str] | None, what("--include", help="Work on matching paths only (default all)", metavar="GLOBS")
]
Exclude: TypeAlias = Annotated[
    list[str] | None, what("--exclude", help="Leave matching paths out (default none)", metavar="GLOBS")
]
GitChanged: TypeAlias = Annotated[bool, what("--git-changed", help="Work on files with uncommitted changes only")]
GitStaged: TypeAlias = Annotated[bool, what("--git-staged", help="Work on files with staged changes only")]
GitDiff: TypeAlias = Annotated[
    str | None, what("--git-diff", help="Work on files changed since REF only", metavar="REF")
]
OnlyNew: TypeAlias = Annotated[
    str | None, what("--only-new", help="Fix only what is new since REF (default the main branch)", metavar="[REF]")
]
Baseline: TypeAlias = Annotated[
    Path | None, what("--baseline", help="Leave alone what is in this file (default none)", metavar="FILE")
]
WriteBaseline: TypeAlias = Annotated[
    Path | None, what("--write-baseline", help="Write what there is now here, and end", metavar="FILE")
]
MaxFiles: TypeAlias = Annotated[
    int | None, what("--max-files", help="Work on at most N files (default all)", metavar="N")
]
MaxFindings: TypeAlias = Annotated[
    int | None, what("--max-findings", help="Fix at most N findings (default all)", metavar="N")
]

Agent: TypeAlias = Annotated[
    list[str] | None, who("--agent", help="Let this agent work; repeatable (default autofix)", metavar="NAME")
]
Race: TypeAlias = Annotated[bool | None, who("--race/--no-race", help="Let agents race for each file (default no)")]
AgentCommand: TypeAlias = Annotated[
    str | None, who("--agent-command", help="Let this program fix a file, as in 'my-agent {file}'", metavar="COMMAND")
]
AgentEnv: TypeAlias = Annotated[
    list[str] | None, who("--agent-env", help="Let the agent see these variables (default none)", metavar="NAMES")
]
AgentNetwork: TypeAlias = Annotated[
    list[str] | None, who("--agent-network", help="Let it reach host, none, or these (default host)", metavar="HOSTS")
]
Sandbox: TypeAlias = Annotated[
    Sandboxes | None, who("--sandbox", help="Keep its programs in this (default auto: bwrap if it works)")
]
SandboxRead: TypeAlias = Annotated[
    list[str] | None, who("--sandbox-read", help="Let it read this, too; repeatable (default none)", metavar="PATH")
]
SandboxWrite: TypeAlias = Annotated[
    list[str] | None, who("--sandbox-write", help="Let it write this, too; repeatable (default none)", metavar="PATH")
]
Annotate: TypeAlias = Annotated[
    bool | None, who("--annotate/--no-annotate", help="Add missing type annotations (default no)")
]
Learn: TypeAlias = Annotated[
    bool | None, who("--learn/--no-learn", help="Go by what earlier runs showed (default yes)")
]

Jobs: TypeAlias = Annotated[int | None, how("--jobs", "-j", help="Work on N files at once (default 4)", metavar="N")]
MaxAttempts: TypeAlias = Annotated[
    int | None, how("--max-attempts", help="Try each file at most N times (default 3)", metavar="N")
]
Deadline: TypeAlias = Annotated[
    float | None, how("--deadline", help="End an attempt after this many seconds (default 600)", metavar="SECONDS")
]
Tests: TypeAlias = Annotated[
    TestModes | None, how("--tests", help="Test what lands, in batches or one by one (default batch)")
]
Coverage: TypeAlias = Annotated[
    bool | None, how("--coverage/--no-coverage", help="See which changed lines tests run (default yes)")
]
TwoFiles: TypeAlias = Annotated[
    bool | None, how("--two-files/--no-two-files", help="Let a fix reach a second file (default yes)")
]
Hooks: TypeAlias = Annotated[
    bool | None, how("--hooks/--no-hooks", help="Ask your pre-commit hook of what lands (default yes)")
]
TestCommand: TypeAlias = Annotated[
    str | None, how("--test-command", help="Run the tests like this (default pytest, if there)", metavar="COMMAND")
]
Setup: TypeAlias = Annotated[
    str | None, how("--setup", help="Run this once in each working copy (default nothing)", metavar="COMMAND")
]
Copy: TypeAlias = Annotated[
    list[str] | None, how("--copy", help="Copy this untracked file there; repeatable (default none)", metavar="FILE")
]
Workspaces: TypeAlias = Annotated[
    Path | None, how("--workspaces", help="Keep working copies here (default user's cache)", metavar="DIRECTORY")
]

MaxCost: TypeAlias = Annotated[
    float | None, budget("--max-cost", help="Spend at most this much (default no limit)", metavar="USD")
]
MaxTokens: TypeAlias = Annotated[
    int | None, budget("--max-tokens", help="Use at most N tokens (default no limit)", metavar="N")
]
MaxMinutes: TypeAlias = Annotated[
    float | None, budget("--max-minutes", help="Stop agents after this long (default no limit)", metavar="MINUTES")
]
MaxCostPerTask: TypeAlias = Annotated[
    float | None, budget("--max-cost-per-task", help="The same for each file (default no limit)", metavar="USD")
]
MaxTokensPerTask: TypeAlias = Annotated[
    int | None, budget("--max-tokens-per-task", help="The same for each file (default no limit)", metavar="N")
]
MaxMinutesPerTask: TypeAlias = Annotated[
    float | None, budget("--max-minutes-per-task", help="The same for each file (default no limit)", metavar="MINUTES")
]

Runtime: TypeAlias = Annotated[
    Runtimes | None, where("--runtime", help="Run branches on this (default auto: langgraph if there)")
]
Workers: TypeAlias = Annotated[
    int | None, where("--workers", help="Start a cluster of N processes here (default none)", metavar="N")
]
Cluster: TypeAlias = Annotated[
    str | None, where("--cluster", help="Use a cluster, as in tcp://127.0.0.1:8786", metavar="ADDRESS")
]
ClusterCertificates: TypeAlias = Annotated[
    Path | None, where("--cluster-certificates", help="Prove who is who by these (default none)", metavar="DIRECTORY")
]
Resume: TypeAlias = Annotated[bool, where("--resume", help="Finish the run named in PATHS (default last unfinished)")]

Apply: TypeAlias = Annotated[bool, result("--apply", help="Fast-forward the current branch to the result")]
StageOnly: TypeAlias = Annotated[
    bool, result("--stage-only", help="Leave the result in the index of the checkout, uncommitted")
]
Per: TypeAlias = Annotated[
    PerWhats | None, result("--per", help="Make a branch for each file, too (default run: one for all)")
]
DryRun: TypeAlias = Annotated[bool, result("--dry-run", help="Show what would be worked on; run no agent")]
Diff: TypeAlias = Annotated[bool, result("--diff", help="Print the diffs that would land; land nothing")]
ExitZero: TypeAlias = Annotated[bool, result("--exit-zero", help="Exit 0 even if work remains")]

OutputFormat: TypeAlias = Annotated[
    Formats | None, output("--output-format", help="Write the report in this format (default text)")
]
AsJson: TypeAlias = Annotated[bool, output("--json", help="Write the report as JSON, as --output-format json does")]
OutputFile: TypeAlias = Annotated[
    Path | None, output("--output-file", help="Write the report here (default stdout)", metavar="FILE")
]
Quiet: TypeAlias = Annotated[bool, output("--quiet", "-q", help="Show no progress, and only the summary of a text")]
Verbose: TypeAlias = Annotated[bool, output("--verbose", "-v", help="Show long lists of a text to their end")]
