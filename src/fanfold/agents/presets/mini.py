"""mini-swe-agent: `mini`, which works with bash alone."""

from __future__ import annotations

import json
import os

from fanfold.agents.presets.preset import Ask, Preset, Said, mapping, text, usage
from fanfold.agents.program import MAX_OUTPUT_BYTES
from fanfold.process import Completed

TRAJECTORY = "trajectory.json"
LIMITS = {"LimitsExceeded": "what it may cost"}
"""How it tells of a limit; what it did until then stands in the file."""


def arguments(ask: Ask) -> list[str]:
    """How it is called; the task is part of a configuration of its own, since one argument can't be that long."""
    task = ask.notes / "task.yaml"
    words = ask.prompt_file.read_text("utf-8", "replace")
    task.write_text(json.dumps({"run": {"task": words}}))  # JSON is YAML
    limit = f"{ask.cost_usd:.6f}" if ask.cost_usd is not None else "0"
    argv = ["-c", "mini.yaml", "-c", str(task), "-y", "--exit-immediately", "-l", limit]
    return [*argv, "-o", str(ask.notes / TRAJECTORY), *ask.chosen("-m"), *ask.options.extra_args]


def read(done: Completed, ask: Ask) -> Said:  # noqa: ARG001 a reader's shape
    """What it wrote down of its way."""
    info = mapping(_trajectory(ask).get("info"))
    if not info:
        return Said()
    stats, status = mapping(info.get("model_stats")), text(info.get("exit_status"))
    took = usage(requests=stats.get("api_calls"), cost_usd=stats.get("instance_cost"))
    if status in LIMITS:
        return Said(stopped=LIMITS[status], usage=took)
    if status != "Submitted":
        return Said(failed=f"{status}: {text(info.get('submission'))}" if status else "it didn't say why", usage=took)
    return Said(summary=text(info.get("submission")) or status, usage=took)


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
)
