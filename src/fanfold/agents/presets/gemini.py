"""Gemini CLI: `gemini -p`, which may edit files and starts no commands without being asked."""

from __future__ import annotations

from fanfold.agents.presets.preset import Ask, Preset, Said, documents, mapping, text, total, usage
from fanfold.llm.usage import Usage
from fanfold.process import Completed

LIMITS = {"FatalTurnLimitedError": "as many turns as it may take"}


def arguments(ask: Ask) -> list[str]:
    """How it is called; the task on standard input comes before what `-p` says."""
    argv = ["-p", "Do the task above.", "--output-format", "json", "--approval-mode", "auto_edit", "--skip-trust"]
    return [*argv, *ask.chosen("-m"), *ask.options.extra_args]


def read(done: Completed, ask: Ask) -> Said:
    """What it said: one JSON object, on standard error where it failed."""
    found = [
        one for output in (done.stdout, done.stderr) for one in documents(output) if "response" in one or "error" in one
    ]
    if not found:
        return Said()
    said = found[0]
    session = text(said.get("session_id"))
    took = _usage(said, ask)
    if error := mapping(said.get("error")):
        if (kind := text(error.get("type"))) in LIMITS:
            return Said(stopped=LIMITS[kind], usage=took, session=session)
        return Said(failed=text(error.get("message")) or kind or "it didn't say why", usage=took, session=session)
    return Said(summary=text(said.get("response")), usage=took, session=session)


def _usage(said: object, ask: Ask) -> Usage | None:
    models = mapping(mapping(mapping(said).get("stats")).get("models"))
    if not models:
        return None
    counts = [mapping(mapping(model).get("tokens")) for model in models.values()]
    calls = [mapping(mapping(model).get("api")) for model in models.values()]
    return usage(
        requests=sum(total(one, "totalRequests") - total(one, "totalErrors") for one in calls),
        input_tokens=sum(total(one, "prompt", "tool") for one in counts),
        output_tokens=sum(total(one, "candidates", "thoughts") for one in counts),
        price=ask.options.price_per_million,
    )


GEMINI = Preset(
    name="gemini",
    install="npm install -g @google/gemini-cli",
    arguments=arguments,
    read=read,
    variables=(
        *("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
        *("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GEMINI_BASE_URL", "GEMINI_MODEL"),
    ),
    given=lambda _: {"GEMINI_CLI_NO_RELAUNCH": "1", "GEMINI_TELEMETRY_ENABLED": "false"},
    logins=(".gemini/oauth_creds.json", ".gemini/google_accounts.json", ".gemini/settings.json"),
    hosts=("generativelanguage.googleapis.com:443", "cloudcode-pa.googleapis.com:443", "oauth2.googleapis.com:443"),
    settings=(".gemini", ".env"),
    login="set GEMINI_API_KEY, or log in with `gemini`",
)
