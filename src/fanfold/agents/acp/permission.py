"""What an agent may do that asks first: read and edit files of its workspace, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import unquote

from fanfold.agents.acp.files import Files, Outside

ALLOWED_KINDS = frozenset({"read", "search", "edit", "think"})
NAMES_ITS_FILE = frozenset({"edit"})
"""What is allowed only where it is said which file it is about."""
PATH_KEYS = ("path", "file", "dir", "cwd", "uri", "source", "destination", "target", "root")
MAX_DEPTH = 20
MAX_PATHS = 100
"""What a call may name in each of its parts; one that names more isn't looked at to the end, and is refused."""
MAX_PATH_CHARS = 4_096
MAX_TITLE_CHARS = 300
_PARTS = ("locations", "content", "rawInput")

Call = Mapping[str, Any]
"""What is kept of what an agent said of a call: `kind` and `title`, and the paths that each other part names."""


def call_of(told: Mapping[str, Any], before: Call) -> Call:
    """A call as it is known with what is told now; of large inputs only the paths are kept."""
    said: dict[str, Any] = dict(before)
    for name in ("kind", "title"):
        if isinstance(word := told.get(name), str) and word:
            said[name] = word[:MAX_TITLE_CHARS]
    for part in _PARTS:
        if told.get(part):
            said[part] = tuple(path[: MAX_PATH_CHARS + 1] for path in islice(_paths(part, told[part]), MAX_PATHS + 1))
    return said


def refusal(call: Call, files: Files) -> str | None:
    """Why a tool may not be called, None = it may."""
    kind = call.get("kind")
    if any(len(call.get(part, ())) > MAX_PATHS for part in _PARTS):
        return f"{kind or 'what it does not name'} is not allowed of more than {MAX_PATHS} paths"
    paths = [path for part in _PARTS for path in call.get(part, ()) if path]
    for path in paths:
        try:
            _refuse_outside(path, files)
        except Outside as error:
            return error.message
    if not isinstance(kind, str) or kind not in ALLOWED_KINDS:
        return f"{kind or 'what it does not name'} is not allowed: agents read and edit files here"
    if kind in NAMES_ITS_FILE and not paths:
        return f"{kind} is not allowed without a path"
    return None


def answer(options: object, *, allowed: bool) -> dict[str, Any]:
    """The choice among what the agent offers: for this one time, and never for good."""
    kinds = ("allow_once",) if allowed else ("reject_once", "reject_always")
    offered = [one for one in options if isinstance(one, dict)] if isinstance(options, list) else []
    for kind in kinds:
        for option in offered:
            if option.get("kind") == kind and isinstance(option.get("optionId"), str):
                return {"outcome": {"outcome": "selected", "optionId": option["optionId"]}}
    return {"outcome": {"outcome": "cancelled"}}


def _refuse_outside(path: str, files: Files) -> None:
    """See to it that a path lies in the workspace, however the agent may understand it.

    Raises:
        Outside: it doesn't.
    """
    if "://" in path and not path.startswith("file:///"):
        raise Outside(f"{path} is no file of the workspace")
    if path.startswith(("~", "$")):
        raise Outside(f"{path} may be outside of the workspace")
    place = path.removeprefix("file://")
    for one in {place, unquote(place)} if place != path else {place}:
        if not _is_root(one, files):
            files.inside(one)


def _is_root(path: str, files: Files) -> bool:
    return any(path.rstrip("/") in {str(one), "."} for one in (files.root, *files.names))


def _paths(part: str, told: object) -> Iterator[str]:
    if part == "rawInput":
        yield from _named(told, depth=0)
        return
    for one in told if isinstance(told, list) else ():
        if isinstance(one, dict) and isinstance(one.get("path"), str):
            yield one["path"]


def _named(value: object, *, depth: int, key: str = "") -> Iterator[str]:
    """Values of an input whose key says that they are paths."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _named(inner, depth=depth + 1, key=str(name).lower())
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner, depth=depth + 1, key=key)
    elif isinstance(value, str) and any(part in key for part in PATH_KEYS) and "\n" not in value:
        yield value
