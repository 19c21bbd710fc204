"""A conversation with a model as text, for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

TITLES = {
    "user-prompt": "asked",
    "system-prompt": "told",
    "retry-prompt": "asked again",
    "tool-return": "told",
    "text": "answered",
    "tool-call": "answered",
    "thinking": "thought",
}


def transcript(conversations: Iterable[Sequence[ModelMessage]]) -> str:
    """What was said, part by part; the instructions once for each conversation."""
    parts: list[str] = []
    for messages in conversations:
        told = next((text for message in messages if (text := getattr(message, "instructions", None))), "")
        parts += [f"== told\n{told}"] if told else []
        for message in messages:
            for part in message.parts:
                text = _text(part)
                parts += [f"== {TITLES.get(part.part_kind, part.part_kind)}\n{text}"] if text else []
    return "".join(f"{part.rstrip()}\n\n" for part in parts)


def _text(part: object) -> str:
    for name in ("content", "args"):
        value = getattr(part, name, None)
        if value is not None:
            return value if isinstance(value, str) else str(value)
    return ""
