"""Options that may stand without their value, which the library for command lines knows nothing of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fanfold.cli.help import GroupedCommand


class FixCommand(GroupedCommand):
    """The command `fix`; `alone` says what its options mean that may stand alone."""

    alone: ClassVar[Mapping[str, str]] = {"--only-new": "auto"}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with the values that were left out."""
        return super().parse_args(ctx, with_defaults(args, self.alone))


def with_defaults(arguments: Sequence[str], defaults: Mapping[str, str]) -> list[str]:
    """The arguments, with a value joined to each option of `defaults` that stands alone.

    An option stands alone at the end, before another option, and before a path that is there: `--only-new src` means
    the folder, `--only-new=src` a revision of that name.
    """
    filled: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*filled, word, *rest]
        if word in defaults:
            alone = not rest or rest[0].startswith("-") or os.path.lexists(rest[0])
            word = f"{word}={defaults[word] if alone else rest.pop(0)}"
        filled.append(word)
    return filled
