"""Text with undecodable bytes, as file names may have, in JSON that any reader takes and that comes back equal."""

from __future__ import annotations

from typing import Any

MARK = "undecodable"


def schema_of(source: Any, handler: Any) -> Any:
    """For a dataclass's `__get_pydantic_core_schema__`: such text in it is written as an object with its bytes."""
    from pydantic_core import core_schema  # noqa: PLC0415  imported when used

    return core_schema.no_info_before_validator_function(
        restored,
        handler(source),
        serialization=core_schema.wrap_serializer_function_ser_schema(lambda value, inner: spelled(inner(value))),
    )


def spelled(value: Any) -> Any:
    """A value of JSON in which each text can be encoded."""
    if isinstance(value, str):
        return value if _can_be_encoded(value) else {MARK: value.encode("utf-8", "surrogatepass").hex()}
    if isinstance(value, dict):
        return {name: spelled(part) for name, part in value.items()}
    return [spelled(part) for part in value] if isinstance(value, list | tuple) else value


def restored(value: Any) -> Any:
    """What `spelled` made of it, the other way around."""
    if isinstance(value, dict):
        if value.keys() == {MARK}:
            return bytes.fromhex(value[MARK]).decode("utf-8", "surrogatepass")
        return {name: restored(part) for name, part in value.items()}
    return [restored(part) for part in value] if isinstance(value, list) else value


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
