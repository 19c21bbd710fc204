"""Claude Code: `claude -p`, which may read and edit files and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping

from fanfold.agents.presets.preset import Ask, Preset, Said, documents, mapping, text, total, usage
from fanfold.llm.usage import Usage
from fanfold.process import Completed

KEY = "ANTHROPIC_API_KEY"
TOOLS = "Read,Edit,Grep,Glob"
LIMITS = {"error_max_turns": "as many turns as it may take", "error_max_budget_usd": "what it may cost"}
"""How it tells of a limit; what it did until then stands in the file."""


def arguments(ask: Ask) -> list[str]:
    """How it is called; the task comes on standard input."""
    argv = ["-p", "--output-format", "json", "--permission-mode", "acceptEdits"]
    argv += ["--tools", TOOLS, "--allowedTools", TOOLS, "--strict-mcp-config", "--no-session-persistence"]
    # A repository's settings may run hooks as the user and name another server for the key, bare or not. Bare, it
    # looks for less by itself, and knows no login.
    argv += ["--setting-sources", "user", *(["--bare"] if os.environ.get(KEY) else [])]
    if ask.options.max_turns is not None:
        argv += ["--max-turns", str(ask.options.max_turns)]
    if ask.cost_usd is not None:
        argv += ["--max-budget-usd", f"{ask.cost_usd:.6f}"]
    return [*argv, *ask.chosen("--model"), *ask.options.extra_args]


def read(done: Completed, ask: Ask) -> Said:
    """What it said. A failure has exit code 1 and may call itself a success: `is_error` tells."""
    said = next((one for one in documents(done.stdout) if one.get("type") == "result"), None)
    if said is None:
        return Said()
    kind, result = text(said.get("subtype")), text(said.get("result"))
    session = text(said.get("session_id"))
    took = _usage(said, ask)
    if kind in LIMITS:
        return Said(stopped=LIMITS[kind], usage=took, session=session)
    if said.get("is_error") or kind != "success":
        errors = said.get("errors")
        listed = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
        return Said(failed=result or listed or kind or "it didn't say why", usage=took, session=session)
    return Said(summary=result, usage=took, session=session)


def _usage(said: Mapping[str, object], ask: Ask) -> Usage:
    counts = mapping(said.get("usage"))
    return usage(
        requests=said.get("num_turns"),
        input_tokens=total(counts, "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
        output_tokens=counts.get("output_tokens"),
        cost_usd=said.get("total_cost_usd"),
        price=ask.options.price_per_million,
    )


CLAUDE = Preset(
    name="claude",
    install="npm install -g @anthropic-ai/claude-code",
    arguments=arguments,
    read=read,
    variables=(
        KEY,
        *("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL", "CLAUDE_CODE_OAUTH_TOKEN"),
        *("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CONFIG_DIR"),
    ),
    given=lambda _: {
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
    },
    logins=(".claude/.credentials.json",),
    hosts=("api.anthropic.com:443",),
    login=f"set {KEY}, or CLAUDE_CODE_OAUTH_TOKEN as `claude setup-token` gives it, or log in with `claude`",
    options=frozenset({"max_turns"}),
    settings=(".claude", ".mcp.json"),
    keeps_budget=True,
)
