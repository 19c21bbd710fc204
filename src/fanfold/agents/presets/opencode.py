"""OpenCode: `opencode run`, whose events are lines of JSON."""

from __future__ import annotations

import json

from fanfold.agents.presets.preset import Ask, Preset, Said, documents, mapping, text, total, usage
from fanfold.llm.usage import Usage
from fanfold.process import Completed

PERMISSIONS = {"edit": "allow", "bash": "deny", "webfetch": "deny", "external_directory": "deny"}


def arguments(ask: Ask) -> list[str]:
    """How it is called; without a message it reads the task from standard input."""
    # A title of ours, or it asks a model for one.
    return [
        "run",
        "--format",
        "json",
        "--auto",
        "--pure",
        "--title",
        "fanfold",
        *ask.chosen("--model"),
        *ask.options.extra_args,
    ]


def read(done: Completed, ask: Ask) -> Said:
    """What it said, summed up over its steps."""
    session = summary = error = ""
    took: Usage | None = None
    for event in documents(done.stdout):
        part = mapping(event.get("part"))
        session = text(event.get("sessionID")) or session
        match event.get("type"):
            case "text":
                summary = text(part.get("text")) or summary
            case "error":
                error = _words(mapping(event.get("error")))
            case "step_finish":
                took = _step(part, ask) if took is None else took + _step(part, ask)
    if error:
        return Said(failed=error, usage=took, session=session)
    return Said(summary=summary, usage=took, session=session)


def _step(part: object, ask: Ask) -> Usage:
    counts = mapping(mapping(part).get("tokens"))
    return usage(
        requests=1,
        input_tokens=total(counts, "input") + total(mapping(counts.get("cache")), "read", "write"),
        output_tokens=total(counts, "output", "reasoning"),
        cost_usd=mapping(part).get("cost"),
        price=ask.options.price_per_million,
    )


def _words(error: object) -> str:
    told = mapping(error)
    return text(mapping(told.get("data")).get("message")) or text(told.get("name")) or "it didn't say why"


OPENCODE = Preset(
    name="opencode",
    install="npm install -g opencode-ai",
    arguments=arguments,
    read=read,
    variables=(
        *("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "OPENCODE_API_KEY"),
        *("OPENCODE_CONFIG", "OPENCODE_CONFIG_CONTENT"),
    ),
    given=lambda _: {
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_PROJECT_CONFIG": "1",  # what a repository configures may start programs
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_PERMISSION": json.dumps(PERMISSIONS),
    },
    logins=(".local/share/opencode/auth.json", ".config/opencode/opencode.json", ".config/opencode/opencode.jsonc"),
    hosts=("models.dev:443",),
    settings=(".opencode", "opencode.json", "opencode.jsonc"),
    login="set your provider's key, ANTHROPIC_API_KEY say, or log in with `opencode auth login`",
)
