"""What both APIs read and write in the same way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from fanfold.testing.scheduler.state import Refused

LINES_AT_ONCE = 500


def number_in(request: Request, name: str, default: int) -> int:
    """A number among the query's parameters.

    Raises:
        Refused: it is none.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise Refused(HTTPStatus.BAD_REQUEST, "", f"{name} is no number.")
    return int(text)


def lines_asked_for(request: Request) -> dict[str, int]:
    """Which lines of a log are wanted, as arguments of `lines_of`; none = all of them."""
    wanted = {"first": number_in(request, "from_line", 1), "last": number_in(request, "to_line", 0)}
    return {name: max(1, number) for name, number in wanted.items() if number or name == "first"}


async def json_body(request: Request) -> Any:
    """The body of a request, which has to be JSON and to say so; `{}` where there is none."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "", "Unsupported Media Type")
    try:
        return json.loads(await request.body() or b"{}")
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "", "The body is not JSON.") from None


async def encoded(lines: Iterator[str]) -> AsyncIterator[bytes]:
    """Lines as blocks of bytes."""
    block: list[str] = []
    for line in lines:
        block.append(line)
        if len(block) >= LINES_AT_ONCE:
            yield ("\n".join(block) + "\n").encode()
            block.clear()
    if block:
        yield ("\n".join(block) + "\n").encode()
