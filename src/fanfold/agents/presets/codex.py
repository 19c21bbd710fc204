"""Codex: `codex exec`, whose events are lines of JSON."""

from __future__ import annotations

from fanfold.agents.presets.preset import Ask, Preset, Said, documents, mapping, text, total, usage
from fanfold.process import Completed


def arguments(ask: Ask) -> list[str]:
    """How it is called; `-` has it read the task from standard input."""
    # A sandbox within a sandbox can't be made everywhere, and what is outside keeps it in already.
    kept_in = ["--dangerously-bypass-approvals-and-sandbox"] if ask.sandboxed else ["-s", "workspace-write"]
    argv = ["exec", "--json", "--ephemeral", "--skip-git-repo-check", *kept_in, "-C", str(ask.root)]
    return [*argv, *ask.chosen("-m"), *ask.options.extra_args, "-"]


def read(done: Completed, ask: Ask) -> Said:
    """What it said. Errors that it recovered from are events, too: only the end tells."""
    summary = session = error = ""
    failed = False
    counts = {"input_tokens": 0, "output_tokens": 0}
    turns = 0
    for event in documents(done.stdout):
        match event.get("type"):
            case "thread.started":
                session = text(event.get("thread_id"))
            case "item.completed":
                item = mapping(event.get("item"))
                if item.get("type") == "agent_message":
                    summary = text(item.get("text"))
            case "error":
                error = text(event.get("message"))
            case "turn.failed":
                failed, error = True, text(mapping(event.get("error")).get("message")) or error
            case "turn.completed":
                turns += 1
                said = mapping(event.get("usage"))
                counts = {name: counts[name] + total(said, name) for name in counts}
    if failed or (done.returncode and error):
        return Said(failed=error or "it didn't say why", session=session)
    took = usage(requests=turns, **counts, price=ask.options.price_per_million) if turns else None
    return Said(summary=summary, usage=took, session=session)


CODEX = Preset(
    name="codex",
    install="npm install -g @openai/codex",
    arguments=arguments,
    read=read,
    variables=("CODEX_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "CODEX_HOME"),
    logins=(".codex/auth.json", ".codex/config.toml"),
    hosts=("api.openai.com:443", "chatgpt.com:443"),
    settings=(".codex",),
    login="set CODEX_API_KEY, or log in with `codex login`",
)
