"""The tables that rules go by, which are read when they are first needed, or ahead of that."""

from __future__ import annotations

from fanfold.troubleshoot.rules import objects, reading, signatures, surroundings, wording


def prepared() -> None:
    """Read all tables now: the first answer needn't wait for that, where there is something else to wait for."""
    signatures.signatures()
    objects.find(("file",), ("",))
    surroundings.figures()
    surroundings.affinities()
    reading.is_noise("")
    wording.causes()
