"""Values of a run as JSON, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from fanfold.fix.errors import FixError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

_adapters: dict[Any, TypeAdapter[Any]] = {}


def plain(kind: type[T], value: T) -> Any:
    """A dataclass as what JSON can hold; undecodable bytes in its texts stay as they are."""
    return _adapter(kind).dump_python(value, mode="json", warnings="none")


def made(kind: type[T], told: Any) -> T:
    """What `plain` was given.

    Raises:
        FixError: another version of Fanfold wrote it.
    """
    from pydantic import ValidationError  # noqa: PLC0415  imported when used

    try:
        value: T = _adapter(kind).validate_python(told)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        raise FixError(
            f"what was kept of the run can't be read: {kind.__name__}.{where} isn't what this version knows",
            hint="use the version of Fanfold that the run was begun with",
        ) from None
    return value


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _adapters:
        from pydantic import TypeAdapter  # noqa: PLC0415  imported when used

        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
