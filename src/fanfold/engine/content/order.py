"""The order of keys in values that were read from JSON: pydantic puts those of a TypedDict as it is declared."""

from __future__ import annotations

from collections import deque
from typing import Any

# What a core schema says of other than values: there may be anything in it.
_NO_SCHEMAS = frozenset({"cls", "config", "metadata", "serialization", "default", "ref"})

# What is defined elsewhere may be one too.
_PERHAPS = ("typed-dict", "definition-ref")


def typed_dicts(schema: Any) -> tuple[bool, bool]:
    """Whether a core schema of pydantic may have a TypedDict in it, and whether it may have one inside of others."""
    at_top = _is_typed_dict(schema)
    number = _number(schema)
    return number > 0, number > at_top


def _is_typed_dict(schema: Any) -> bool:
    """Whether values of it may be a TypedDict themselves."""
    if schema["type"] == "union":
        return any(_is_typed_dict(choice[0] if isinstance(choice, tuple) else choice) for choice in schema["choices"])
    return bool(_is_typed_dict(schema["schema"]) if schema["type"] == "nullable" else schema["type"] == "typed-dict")


def _number(schema: Any) -> int:
    if isinstance(schema, dict):
        parts = [part for name, part in schema.items() if name not in _NO_SCHEMAS]
        return (schema.get("type") in _PERHAPS) + sum(map(_number, parts))
    return sum(map(_number, schema)) if isinstance(schema, (list, tuple)) else 0


def put_in_order(value: Any, json: Any, *, is_deep: bool = True) -> None:
    """Give dicts the order of keys that they have in the JSON, in place.

    Args:
        value: what was made of the JSON, and isn't used yet.
        json: the same, as JSON has it.
        is_deep: those inside of others too.
    """
    if isinstance(value, dict) and isinstance(json, dict):
        if value.keys() == json.keys() and list(value) != list(json):
            for name in json:
                value[name] = value.pop(name)
        pairs = zip(value.values(), json.values(), strict=False)
    elif isinstance(value, (list, tuple, deque)) and isinstance(json, list):
        pairs = zip(value, json, strict=False)
    elif isinstance(json, dict):
        pairs = ((getattr(value, name, None), part) for name, part in json.items())  # type: ignore[assignment]
    else:
        return
    if is_deep:
        for one, other in pairs:
            put_in_order(one, other)
