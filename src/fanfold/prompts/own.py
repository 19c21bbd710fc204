"""A project's own templates: read once, tried out before anything runs, and then data that travels with the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fanfold.config import ConfigError
from fanfold.prompts.fence import Quoted
from fanfold.prompts.render import FOLDER, NAMES, SUFFIX, render

MAX_BYTES = 64 * 1024

_FULL: Mapping[str, object] = {
    "path": "'package/module.py'",
    "others": "'package/other.py'",
    "count": 2,
    "findings": Quoted("findings", "- line 1, column 8: ruff F401: `os` imported but unused"),
    "code": Quoted("code", "    1 | import os"),
    "leave": Quoted("findings that are to stay", "- line 7, column 1: ruff E722: Do not use bare `except`"),
    "other_code": [Quoted("code of the other file", "    1 | def f(): ...")],
    "symbols": [Quoted("definition of f", "def f(): ...")],
    "explanations": "F401: an import that nothing uses",
    "advice": "F401: remove it",
    "own_advice": Quoted("the project's own advice", "F401: ask first"),
    "conventions": Quoted("the project's conventions", "line-length = 100"),
    "examples": Quoted("fixes that were verified in this project", "-import os"),
    "before": "An attempt before this one was refused.",
    "feedback": Quoted("verification", "nothing was changed"),
    "reasons": Quoted("what was wrong", "the search text occurs twice"),
}
_NEEDED = ("path", "count", "findings", "code", "before", "reasons")
_ALIKE = (
    *("path", "findings", "leave", "code", "explanations", "advice", "own_advice", "conventions", "examples"),
    *("before", "feedback"),
)
GIVEN: Mapping[str, tuple[str, ...]] = {
    "task": ("others", *_ALIKE),
    "rules": (),
    "llm": ("others", "other_code", "symbols", *_ALIKE),
    "llm_system": (),
    "llm_words": (),
    "small": ("path", "count", "findings", "code", "advice", "own_advice", "feedback"),
    "retry": ("reasons",),
}
"""Which values each template is given, beside `markers`."""


def own_templates(root: Path) -> dict[str, str]:
    """The project's own templates by name, as they are in its checkout, where its configuration is read, too.

    Each is rendered with values and without those that may be missing, so that a broken one is known before
    anything runs.

    Raises:
        ConfigError: one has an unknown name, lies outside the repository, isn't text, or doesn't render.
    """
    files = sorted((root / FOLDER).glob(f"*{SUFFIX}"))
    templates = {file.name.removesuffix(SUFFIX): _read(root, file) for file in files}
    for name in templates:
        if name not in NAMES:
            raise ConfigError(f"{FOLDER}/{name}{SUFFIX}: there is no template {name}", hint=f"known are {_known()}")
    for name in NAMES if templates else ():
        given = GIVEN[name]
        render(name, templates, **{value: _FULL[value] for value in given})
        render(name, templates, **{value: _least(value) for value in given})
    return templates


def _least(value: str) -> object:
    """What there always is; the rest is empty."""
    return _FULL[value] if value in _NEEDED else [] if isinstance(_FULL[value], list) else ""


def _known() -> str:
    return ", ".join(f"{name}{SUFFIX}" for name in NAMES)


def _read(root: Path, file: Path) -> str:
    shown = f"{FOLDER}/{file.name}"
    try:
        if file.resolve() != root.resolve() / shown:
            raise ConfigError(
                f"{shown} is a link, which may lead out of the repository", hint="put the template itself there"
            )
        if file.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{shown} has more than {MAX_BYTES:,} bytes", hint="shorten it")
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown} is not UTF-8 (byte {error.start})", hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{shown} can't be read: {error.strerror or error}", hint="make it a readable file") from None
