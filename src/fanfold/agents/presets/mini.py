"""mini-swe-agent: `mini`, which works with bash alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from fanfold.agents.presets.preset import Ask, Preset, Said, mapping, text, total, usage
from fanfold.agents.program import MAX_OUTPUT_BYTES
from fanfold.llm.usage import Usage
from fanfold.process import Completed

TRAJECTORY = "trajectory.json"
OWN_CONFIGURATION = "../config/mini.yaml"
"""Its own one, as seen from the folder where it is; the plain name would be a repository's file of that name first."""
LIMITS = {"LimitsExceeded": "what it may cost"}
"""How it tells of a limit; what it did until then stands in the file."""


def arguments(ask: Ask) -> list[str]:
    """How it is called; the task is part of a configuration of its own, since one argument can't be that long."""
    task = ask.notes / "task.yaml"
    words = ask.prompt_file.read_text("utf-8", "replace")
    task.write_text(json.dumps({"run": {"task": words}}))  # JSON is YAML
    limit = f"{ask.cost_usd:.6f}" if ask.cost_usd is not None else "0"
    argv = ["-c", OWN_CONFIGURATION, "-c", str(task), "-y", "--exit-immediately", "-l", limit]
    return [*argv, "-o", str(ask.notes / TRAJECTORY), *ask.chosen("-m"), *ask.options.extra_args]


def read(done: Completed, ask: Ask) -> Said:  # noqa: ARG001 a reader's shape
    """What it wrote down of its way."""
    way = _trajectory(ask)
    info = mapping(way.get("info"))
    if not info:
        return Said()
    took, status = _usage(way, ask), text(info.get("exit_status"))
    if status in LIMITS:
        return Said(stopped=LIMITS[status], usage=took)
    if status != "Submitted":
        return Said(failed=f"{status or 'it was not done'}: {_last_words(way)}", usage=took)
    return Said(summary=text(info.get("submission")) or status, usage=took)


def _last_words(way: Mapping[str, object]) -> str:
    messages = way.get("messages")
    last = mapping(messages[-1]) if isinstance(messages, list) and messages else {}
    return text(mapping(last.get("extra")).get("exception_str")) or text(last.get("content"))


def _usage(way: Mapping[str, object], ask: Ask) -> Usage:
    stats = mapping(mapping(way.get("info")).get("model_stats"))
    messages = way.get("messages")
    extras = [mapping(mapping(one).get("extra")) for one in messages] if isinstance(messages, list) else []
    counts = [mapping(mapping(extra.get("response")).get("usage")) for extra in extras]
    return usage(
        requests=stats.get("api_calls"),
        input_tokens=sum(total(one, "prompt_tokens") for one in counts),
        output_tokens=sum(total(one, "completion_tokens") for one in counts),
        cost_usd=stats.get("instance_cost"),
        price=ask.options.price_per_million,
    )


def _trajectory(ask: Ask) -> dict[str, object]:
    """What the program left there; it may have put anything in its place."""
    try:
        file = os.open(ask.notes / TRAJECTORY, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(file, "rb") as content:  # noqa: PTH123 a descriptor
            said = json.loads(content.read(MAX_OUTPUT_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


MINI = Preset(
    name="mini",
    install="pip install mini-swe-agent",
    arguments=arguments,
    read=read,
    prompt="file",
    variables=(
        *("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_API_BASE", "GEMINI_API_KEY", "OPENROUTER_API_KEY"),
        *("MSWEA_MODEL_NAME", "MSWEA_COST_TRACKING"),
    ),
    given=lambda _: {"MSWEA_CONFIGURED": "true", "MSWEA_SILENT_STARTUP": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    logins=(".config/mini-swe-agent/.env",),
    login="set your provider's key, ANTHROPIC_API_KEY say, and the agent's model",
    keeps_budget=True,
    unbounded="it runs whatever commands its model thinks of",
)
