"""Aider: one message about one file; it writes no commits and leaves no files."""

from __future__ import annotations

import re

from fanfold.agents.presets.preset import Ask, Preset, Said, usage
from fanfold.process import Completed

QUIET = (
    *("--yes-always", "--no-auto-commits", "--no-dirty-commits", "--no-gitignore", "--no-stream", "--no-pretty"),
    *("--map-tokens", "0", "--analytics-disable", "--no-check-update", "--no-auto-lint", "--no-auto-test"),
    *("--no-show-model-warnings", "--no-suggest-shell-commands", "--no-detect-urls", "--disable-playwright"),
    *("--no-show-release-notes", "--no-fancy-input", "--no-restore-chat-history", "--encoding", "utf-8"),
)
# Bounded, and at a line's beginning alone: what a model says stands in the output, too.
TOKENS = re.compile(r"^Tokens: ([\d.,]{1,20}[kM]?) sent,.{0,200}?([\d.,]{1,20}[kM]?) received\.", re.MULTILINE)
COST = re.compile(r"Cost: \$[\d.,]+ message, \$([\d.,]+) session")
ERROR = re.compile(r"^(?:litellm\.)?\w*(?:Error|Exception): .+$", re.MULTILINE)
SCALE = {"k": 1_000, "M": 1_000_000}


def arguments(ask: Ask) -> list[str]:
    """How it is called; what it keeps for itself goes to its own folder."""
    argv = [*QUIET, "--message-file", str(ask.prompt_file)]
    for kind in ("chat-history", "input-history", "llm-history"):
        argv += [f"--{kind}-file", str(ask.notes / f"{kind}.md")]
    return [*argv, *ask.chosen("--model"), *ask.options.extra_args, ask.file]


def read(done: Completed, ask: Ask) -> Said:
    """What it said. It ends well even where no model answered, and then names the error and no tokens."""
    words = done.stdout.decode(errors="replace")
    turns = TOKENS.findall(words)
    errors = ERROR.findall(words)
    if errors and not turns:
        return Said(failed=errors[-1])
    if not turns:
        return Said(summary=_end(words))
    costs = COST.findall(words)
    took = usage(
        requests=len(turns),
        input_tokens=sum(_number(sent) for sent, _ in turns),
        output_tokens=sum(_number(received) for _, received in turns),
        cost_usd=_number(costs[-1]) if costs else None,
        price=ask.options.price_per_million,
    )
    return Said(summary=_end(words), usage=took)


def _number(shown: str) -> float:
    digits = shown.rstrip("kM").replace(",", "").rstrip(".")
    try:
        return float(digits) * SCALE.get(shown[-1], 1)
    except ValueError:
        return 0.0


def _end(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else ""


AIDER = Preset(
    name="aider",
    install="pip install aider-chat",
    arguments=arguments,
    read=read,
    prompt="file",
    variables=(
        *("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_API_BASE", "GEMINI_API_KEY", "OPENROUTER_API_KEY"),
        *("DEEPSEEK_API_KEY", "OLLAMA_API_BASE", "AIDER_MODEL"),
    ),
    given=lambda _: {"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    logins=(".aider.conf.yml", ".aider/oauth-keys.env"),
    login="set your provider's key, OPENAI_API_KEY say, and the agent's model",
    leaves=(".aider*",),
    settings=(".aider*", ".env"),
)
