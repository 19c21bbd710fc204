"""Cursor's agent: `cursor-agent -p`."""

from __future__ import annotations

from fanfold.agents.presets.preset import Ask, Preset, Said, documents, mapping, text, total, usage
from fanfold.process import Completed


def arguments(ask: Ask) -> list[str]:
    """How it is called; it reads the task from a file, since one argument can't be that long."""
    argv = ["-p", "--output-format", "json", "--force"]
    task = f"Read the file {ask.prompt_file} and do the task that it describes."
    return [*argv, *ask.chosen("--model"), *ask.options.extra_args, task]


def read(done: Completed, ask: Ask) -> Said:
    """What it said: one JSON object; where it failed, words on standard error and none."""
    said = next((one for one in documents(done.stdout) if one.get("type") == "result"), None)
    if said is None:
        return Said()
    result, session = text(said.get("result")), text(said.get("session_id"))
    counts = mapping(said.get("usage"))
    took = None
    if counts:
        took = usage(
            input_tokens=total(counts, "inputTokens", "cacheReadTokens", "cacheWriteTokens"),
            output_tokens=counts.get("outputTokens"),
            price=ask.options.price_per_million,
        )
    if said.get("is_error") or said.get("subtype") != "success":
        return Said(failed=result or "it didn't say why", usage=took, session=session)
    return Said(summary=result, usage=took, session=session)


CURSOR = Preset(
    name="cursor-agent",
    install="curl https://cursor.com/install -fsS | bash",
    arguments=arguments,
    read=read,
    prompt="file",
    variables=("CURSOR_API_KEY",),
    logins=(".config/cursor/auth.json", ".cursor/cli-config.json"),
    hosts=("api2.cursor.sh:443", "api.cursor.sh:443", "api3.cursor.sh:443"),
    settings=(".cursor", ".cursorrules", ".mcp.json"),
    unbounded="it runs whatever commands its model thinks of",
    login="set CURSOR_API_KEY, or log in with `cursor-agent login`",
)
