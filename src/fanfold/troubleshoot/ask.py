"""One branch: ask one source, within its time."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace
from itertools import islice

from fanfold.engine.wrapper import text_of
from fanfold.errors import FanfoldError
from fanfold.redact import redact
from fanfold.troubleshoot.evidence import Answered, Evidence, Fact
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.protocol import Source

MOST_PIECES = 50
MOST_CHARS = 4_000
MOST_NAME_CHARS = 100
MOST_READ_CHARS = 64_000
LONGEST_SECRET_CHARS = 20_000
LOG = logging.getLogger(__name__)
_TERMINAL = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
TITLES = {"tws_status": "TWS status", "rag_search": "RAG search", "log_cache": "log cache", "metrics": "metrics"}


async def ask(source: Source, incident: Incident, *, timeout_s: float) -> Answered:
    """What a source answers; whatever happens to it is an answer too.

    Args:
        timeout_s: seconds at most; the source's own time counts where it is shorter.
    """
    time_s = asyncio.get_running_loop().time
    timeout_s = min(timeout_s, source.timeout_s)
    began_s = time_s()
    evidence: tuple[Evidence, ...] = ()
    error, timed_out = None, False
    try:
        async with asyncio.timeout(timeout_s) as deadline:
            found = (await source.ask(incident))[:MOST_PIECES]
        # Not on a thread: the time for all sources may be up meanwhile, and what is there must not be lost.
        evidence = tuple(map(clean, found))
    except TimeoutError as raised:
        timed_out = deadline.expired()
        error = f"Timeout fetching {title(source.name)}" if timed_out else text_of(raised)
    except FanfoldError as raised:
        error = f"{raised.message}; {raised.hint}" if raised.hint else raised.message
    except Exception as raised:  # a source is anybody's code, and what it raises is why it has no answer
        LOG.warning("source_failed", exc_info=raised, extra={"source": source.name})
        error = text_of(raised)
    latency_ms = (time_s() - began_s) * 1000
    error = clean_text(error) if error is not None else None
    return Answered(source=source.name, evidence=evidence, latency_ms=latency_ms, error=error, timed_out=timed_out)


def clean(evidence: Evidence) -> Evidence:
    """The evidence as it may be kept and shown: secrets masked, no control characters, of bounded size."""
    named = ((clean_name(name), value) for name, value in islice(evidence.facts.items(), MOST_PIECES))
    facts = {name: _clean_fact(value) for name, value in named if name}
    codes = (clean_name(code).upper() for code in evidence.codes[:MOST_PIECES])
    return replace(
        evidence,
        subject=clean_text(evidence.subject),
        text=clean_text(evidence.text),
        reference=clean_text(evidence.reference),
        facts=facts,
        codes=tuple(dict.fromkeys(code for code in codes if code)),
    )


def _clean_fact(value: Fact) -> Fact:
    if isinstance(value, str):
        return clean_text(value)
    return [clean_text(each) for each in value[:MOST_PIECES]] if isinstance(value, list) else value


def clean_text(text: str, *, most_chars: int = MOST_CHARS) -> str:
    """Untrusted text as it may be kept and shown: masked while secrets are whole, and cut then."""
    read = text if len(text) <= MOST_READ_CHARS else _whole_words(text[:MOST_READ_CHARS])
    # Colours go as a whole: what is left of one would stand at the end of a secret, which then looks like none.
    kept = redact("".join(letter for letter in _TERMINAL.sub("", read) if letter.isprintable() or letter in "\n\t"))
    return kept if len(kept) <= most_chars and len(read) == len(text) else f"{kept[:most_chars]} …"


def _whole_words(text: str) -> str:
    """The text without what may be the first half of a secret at its end."""
    end = next((end for end in range(len(text), len(text) - LONGEST_SECRET_CHARS, -1) if text[end - 1].isspace()), 0)
    return text[: end or -LONGEST_SECRET_CHARS]


def clean_name(text: str) -> str:
    """An untrusted name or code on one line; "" = nothing is left of it."""
    return " ".join(clean_text(text, most_chars=MOST_NAME_CHARS).split())


def title(source: str) -> str:
    """What people call a source."""
    return TITLES.get(source, source.replace("_", " "))
