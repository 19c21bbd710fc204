"""What a model is told: texts by name, each of which settings can replace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Final

from fanfold.config import ConfigError


class PromptType(Enum):
    """The prompts that there are; the value is the name in settings, and that of the file without `.md`."""

    TROUBLESHOOT_SYSTEM = "troubleshoot_system"
    TROUBLESHOOT_ANSWER = "troubleshoot_answer"


PLACES: Final[Mapping[PromptType, Mapping[str, bool]]] = {
    PromptType.TROUBLESHOOT_SYSTEM: {"language": False, "causes": True},
    PromptType.TROUBLESHOOT_ANSWER: {"incident": True, "conclusions": False, "evidence": True, "left_out": False},
}
"""What each prompt has places for, written `{evidence}`, and whether it must have them."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """All prompts, checked.

    Args:
        texts: by type; those that aren't given are Fanfold's own.
    """

    texts: Mapping[PromptType, str]

    @classmethod
    def read(cls, given: Mapping[str, str] | Path | None = None) -> Prompts:
        """The prompts that settings give, and Fanfold's own for the rest.

        Args:
            given: texts by name, or a folder with files such as `troubleshoot_system.md`.
        Raises:
            ConfigError: there is no prompt of such a name, it can't be read, or it has the wrong places.
        """
        texts = {kind: _own(kind) for kind in PromptType}
        for name, text in (_of_folder(given) if isinstance(given, Path) else given or {}).items():
            texts[_type(name)] = text
        for kind, text in texts.items():
            _refuse_wrong_places(kind, text)
        return cls(texts)

    def fill(self, kind: PromptType, **places: str) -> str:
        """The text of a prompt with something in each of its places."""
        return self.texts[kind].format_map(places)


def _own(kind: PromptType) -> str:
    return resources.files("fanfold.troubleshoot.prompts").joinpath(f"{kind.value}.md").read_text("utf-8")


def _of_folder(folder: Path) -> dict[str, str]:
    try:
        return {file.stem: file.read_text("utf-8") for file in sorted(folder.iterdir()) if file.suffix == ".md"}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"prompts can't be read from {folder}: {error}", hint="name a folder with texts in UTF-8"
        ) from error


def _type(name: str) -> PromptType:
    try:
        return PromptType(name)
    except ValueError:
        names = ", ".join(kind.value for kind in PromptType)
        raise ConfigError(f"there is no prompt {name!r}", hint=f"prompts that can be replaced: {names}") from None


def _refuse_wrong_places(kind: PromptType, text: str) -> None:
    known = PLACES[kind]
    hint = f"its places are {', '.join(f'{{{name}}}' for name in known)}; other braces are doubled: {{{{ and }}}}"
    try:
        found = set(_places(text))
    except ValueError as error:
        raise ConfigError(f"the prompt {kind.value} can't be read: {error}", hint=hint) from None
    for name in sorted(found - set(known)):
        raise ConfigError(f"the prompt {kind.value} has a place {{{name}}}, for which there is nothing", hint=hint)
    for name in sorted({name for name, needed in known.items() if needed} - found):
        raise ConfigError(f"the prompt {kind.value} has no place {{{name}}}, and says nothing without it", hint=hint)


def _places(text: str) -> Iterator[str]:
    for _, place, form, conversion in Formatter().parse(text):
        if place is not None:
            # A form or a conversion makes it another place than a plain name, and so one that isn't known.
            yield place + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
