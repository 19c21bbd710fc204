"""Values as JSON, and back through their types."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from fanfold.engine.content.difference import MISSING, Difference, first_difference
from fanfold.engine.content.hashing import canonical
from fanfold.engine.content.order import put_in_order, typed_dicts
from fanfold.engine.content.shapes import ContentError, labelled
from fanfold.engine.isolate import detach

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

MOST_REASONS = 3
BEFORE_3_12 = "import TypedDict from typing_extensions: pydantic reads no other before Python 3.12"
HINT = "declare its type, or use what JSON can hold: str, int, finite float, bool, None, and lists and dicts of these"


class Codec(Generic[T]):
    """Writes values of one type as JSON that comes back equal, in value and in type.

    Args:
        of: any type that pydantic has a schema for. What is declared comes back as declared: tuples, sets, enum
            members, dates, dataclasses, models, keys that are no str. Under `Any` and `object` only what JSON itself
            can tell: str, int, finite float, bool, None, lists and dicts with str keys.
    Raises:
        ContentError: pydantic has no schema for the type.
    """

    @overload
    def __init__(self, of: type[T]) -> None: ...

    @overload
    def __init__(self: Codec[Any], of: object) -> None: ...

    def __init__(self, of: Any) -> None:
        self._of = of
        try:
            self._adapter: TypeAdapter[T] = _adapter(of, repr(of))
        except TypeError:  # unhashable, as an annotation with a list in it
            self._adapter = _adapter.__wrapped__(of, "")
        self._has_order, self._is_deep = typed_dicts(self._adapter.core_schema)

    def encode(self, value: T) -> str:
        """`value` as JSON; dicts keep their order, sets have any.

        Raises:
            ContentError: it would come back as something else, or not at all; the message names where.
        """
        value = detach(value)  # pydantic reads storage itself, in which a view has parts of the base
        text = self._written(value)
        try:
            back = self._read(text)
        except ContentError as error:
            raise ContentError(f"the value would not come back from JSON: {error.message}", hint=HINT) from None
        if changed := first_difference(value, back):
            raise ContentError(f"the value would not come back equal from JSON: {_told(changed)}", hint=HINT)
        return text

    def decode(self, text: str) -> T:
        """The value that `encode` wrote.

        Raises:
            ContentError: no JSON, or none of this type.
        """
        value = self._read(text)
        if self._has_order:
            from pydantic_core import from_json  # noqa: PLC0415  imported when used

            put_in_order(value, from_json(text), is_deep=self._is_deep)
        return value

    def _read(self, text: str) -> T:
        from pydantic import ValidationError  # noqa: PLC0415  imported when used

        try:
            return self._adapter.validate_json(text, by_alias=False, by_name=True)
        except ValidationError as error:
            raise ContentError(f"no JSON of {_shown(self._of)}: {_reasons(error)}") from None

    def _written(self, value: T) -> str:
        try:
            return _json(self._adapter, value)
        # RecursionError is for C code that runs out of stack. Serialisers that users wrote raise what they like.
        except Exception as error:
            canonical(value)  # what has no stable content, or holds itself, is told so
            raise ContentError(f"the value can't be written as JSON: {_culprit(value)}{error}", hint=HINT) from error


@functools.lru_cache(maxsize=1_024)
def _adapter(of: Any, _written: str) -> TypeAdapter[Any]:
    """By the type as it is written too, for `int | str` and `str | int` are equal."""
    from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter  # noqa: PLC0415

    try:
        adapter = TypeAdapter(of)
        adapter.rebuild(raise_errors=True)  # a name that isn't known yet would be told at the first value only
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        reason = str(error).partition("\n")[0]
        hint = BEFORE_3_12 if error.code == "typed-dict-version" else HINT
        raise ContentError(f"{_shown(of)} is no type that JSON can be read as: {reason}", hint=hint) from error
    return adapter


def _json(adapter: TypeAdapter[Any], value: object) -> str:
    """As pydantic writes it; what it can't write becomes null, and so is found by its path when it comes back."""
    return adapter.dump_json(value, by_alias=False, round_trip=True, warnings="none", fallback=lambda _: None).decode()


def _culprit(value: object) -> str:
    """The path to the innermost part that can't be written."""
    for label, part in labelled(value):
        try:
            _json(_adapter(Any, ""), part)
        except ValueError:
            return f"{label}{_culprit(part) or ': '}"
    return ""


def _told(changed: Difference) -> str:
    """Types and place alone: values may be secret."""
    left, right = type(changed.left).__qualname__, type(changed.right).__qualname__
    at = changed.path or "all of it"
    if changed.right is MISSING:
        return f"{at} would be gone"
    if changed.left is MISSING:
        return f"{at} would be new"
    return f"{at}, a {left}, would be another {right}" if left == right else f"{at}, a {left}, would be a {right}"


def _reasons(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{_path(each['loc'])}{each['msg']}" for each in found[:MOST_REASONS]]
    more = [f"{len(found) - MOST_REASONS} more"] if len(found) > MOST_REASONS else []
    return "; ".join(shown + more)


def _path(loc: tuple[int | str, ...]) -> str:
    return "".join(f"[{part!r}]" for part in loc) + ": " if loc else ""


def _shown(of: Any) -> str:
    return of.__qualname__ if isinstance(of, type) and not hasattr(of, "__args__") else str(of)
