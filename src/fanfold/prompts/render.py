"""From a template's name and values to words."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from fanfold.config import ConfigError
from fanfold.prompts.bounds import too_much
from fanfold.prompts.fence import Fence, Quoted

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

NAMES = ("task", "rules", "llm", "llm_system", "llm_words", "small", "retry")
"""All templates: `task` is for programs, the others for models; `rules` is part of several."""
PACKAGE = "fanfold/"
"""What a project's template writes before a name to get ours: `{% extends "fanfold/task" %}`."""
OURS = tuple(PACKAGE + name for name in NAMES)
SUFFIX = ".md.j2"
FOLDER = ".fanfold/prompts"
MAX_CHARS = 2_000_000


def render(name: str, templates: Mapping[str, str] | None = None, /, **values: object) -> str:
    """The text of a template with its values; the same for the same values, with one line end at its end.

    Args:
        name: one of `NAMES`.
        templates: the project's own, by name, as `own_templates` reads them; None = it has none.
        values: what the template speaks of: texts, numbers, `Quoted` texts, and lists and tables of these. Every
            `Quoted` is between markers before the template sees it.
    Raises:
        ConfigError: the template needs a value that isn't given, or can't be rendered.
    """
    own = templates or {}
    fence = Fence(_texts(values))
    shown = {key: _fenced(value, fence) for key, value in values.items()}
    text = _rendered(name, own, {**shown, "markers": fence.explained}).strip("\n") + "\n"
    # A project's template may forget to say what the markers mean.
    forgot = fence.mark in text and fence.explained not in text
    return f"{fence.explained}\n\n{text}" if forgot else text


def _rendered(name: str, own: Mapping[str, str], values: Mapping[str, object]) -> str:
    import jinja2  # noqa: PLC0415  most commands need no prompts

    lists = frozenset(key for key, value in values.items() if isinstance(value, list))
    try:
        return _bounded(_environment(frozenset(own.items()), lists).get_template(name).generate(values))
    except jinja2.TemplateSyntaxError as error:
        raise _broken(error.name or name, own, error.lineno, error.message or "it is no template") from error
    except (RecursionError, MemoryError, SyntaxError) as error:  # of what Jinja makes of it, too
        raise _broken(name, own, None, "it is nested too deeply") from error
    except (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        place, line = _place_in(error, name)
        raise _broken(place, own, line, str(error)) from error


def _bounded(parts: Iterable[str]) -> str:
    text, size = [], 0
    for part in parts:
        text.append(part)
        size += len(part)
        if size > MAX_CHARS:
            raise ValueError(f"its text has more than {MAX_CHARS:,} characters")
    return "".join(text)


def _broken(name: str, own: Mapping[str, str], line: int | None, why: str) -> ConfigError:
    mine = name in own
    file = f"{FOLDER}/{name}{SUFFIX}" if mine else f"the template {name}"
    return ConfigError(
        f"{file}{f', line {line}' if line else ''}: {why}",
        hint="docs/prompts.md lists what each template is given" if mine else "known are " + ", ".join(NAMES),
    )


def _place_in(error: BaseException, name: str) -> tuple[str, int | None]:
    """The template and the line that an error comes from: the innermost frame of a project's one, else of ours."""
    trace = error.__traceback__
    ours: tuple[str, int | None] = (name, None)
    own: tuple[str, int | None] | None = None
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        place = (file.rpartition("/")[2].removesuffix(SUFFIX), trace.tb_lineno)
        if file.endswith(SUFFIX) and file.startswith(FOLDER):
            own = place
        elif file.endswith(SUFFIX):
            ours = place
        trace = trace.tb_next
    return own or ours


@functools.lru_cache(maxsize=8)
def _environment(own: frozenset[tuple[str, str]], lists: frozenset[str]) -> ImmutableSandboxedEnvironment:
    import jinja2  # noqa: PLC0415  most commands need no prompts
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415  most commands need no prompts

    texts = dict(own)

    def load(name: str) -> tuple[str, str | None, Any] | None:
        if name in texts:
            if (refused := too_much(environment.parse(texts[name], name), OURS, lists)) is not None:
                line, why = refused
                raise jinja2.TemplateSyntaxError(why, line, name)
            return texts[name], f"{FOLDER}/{name}{SUFFIX}", None
        bare = name.removeprefix(PACKAGE)
        return (_ours(bare), f"{PACKAGE}{bare}{SUFFIX}", None) if bare in NAMES else None

    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment


@functools.cache
def _ours(name: str) -> str:
    return (resources.files("fanfold.prompts") / "templates" / f"{name}{SUFFIX}").read_text("utf-8")


def _texts(value: object) -> Iterator[str]:
    """All texts within a value, which the markers must not be in."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Quoted):
        yield value.title
        yield value.text
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield str(key)
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _fenced(value: object, fence: Fence) -> object:
    """A value as templates see it: each quoted text between markers."""
    if isinstance(value, Quoted):
        return fence.around(value)
    if isinstance(value, Mapping):
        return {key: _fenced(one, fence) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_fenced(one, fence) for one in value]
    return value
