"""What was learned as lines of JSON: one for each try and rule, with nothing of anybody's code or folders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fanfold.fix.learning.errors import LearningError
from fanfold.fix.learning.lesson import Lesson
from fanfold.fix.learning.names import known_as

KIND = "fanfold learned"
FORMAT = 1
MAX_BYTES = 64 * 1024**2
"""Of a file: some 200,000 figures."""

_Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Count = Annotated[int, Field(ge=0, le=1_000_000)]
_Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
_Time = Annotated[float, Field(ge=0, lt=253_402_300_800, allow_inf_nan=False)]
"""Until the year 9999: what is later is no day for SQLite."""


class _Line(BaseModel):
    """One line of the file; what somebody else wrote is checked before it counts."""

    model_config = ConfigDict(extra="forbid", strict=True)

    project: _Name
    trail: _Name
    run: _Name
    checker: _Name
    rule: _Name
    agent: _Name
    stage: _Count
    number: Annotated[int, Field(ge=1, le=1_000_000)]
    asked: Annotated[int, Field(ge=1, le=1_000_000)]
    fixed: _Count
    cost_usd: _Amount | None
    tokens: _Amount | None
    agent_s: _Amount
    at_s: _Time


def exported(lessons: Iterable[tuple[str, Lesson]]) -> Iterator[str]:
    """Lines of a file that `imported` takes: one that says what it is, then one for each lesson.

    Args:
        lessons: each with its project's name, which tells nothing.
    """
    yield json.dumps({"kind": KIND, "format": FORMAT})
    for project, lesson in lessons:
        yield json.dumps({"project": project, **asdict(lesson)})


def text_of(file: BinaryIO) -> str:
    """What a file of figures holds, which may be anything.

    Raises:
        LearningError: it is more than such a file may be.
        OSError, UnicodeDecodeError: it can't be read, or isn't text.
    """
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise LearningError(
            f"there are more than {MAX_BYTES:,} bytes to import",
            hint="import the file in parts, each beginning with its first line",
        )
    return content.decode()


def imported(lines: Iterable[str]) -> list[tuple[str, Lesson]]:
    """The lessons of a file, each with its project's name there.

    Raises:
        LearningError: it isn't such a file, is of a newer Fanfold, or a line is wrong.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    _check_head(next(numbered, (1, ""))[1])
    return [_lesson(number, line) for number, line in numbered]


def _check_head(line: str) -> None:
    try:
        head = json.loads(line)
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict) or head.get("kind") != KIND:
        raise LearningError("this is no file of `fanfold stats --export`", hint="check the path")
    if head.get("format") != FORMAT:
        raise LearningError(f"the file has format {head.get('format')}, and this Fanfold knows {FORMAT}")


def _lesson(number: int, text: str) -> tuple[str, Lesson]:
    try:
        line = _Line.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LearningError(
            f"line {number} is wrong: {f'{where}: ' if where else ''}{first['msg']}",
            hint="nothing was imported",
        ) from None
    if line.fixed > line.asked:
        raise LearningError(f"line {number} is wrong: more fixed than asked", hint="nothing was imported")
    told = line.model_dump()
    project = told.pop("project")
    return project, Lesson(**{**told, "agent": known_as(line.agent)})
