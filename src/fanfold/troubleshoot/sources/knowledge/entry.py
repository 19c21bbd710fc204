"""An entry of the index: what stands under one heading of a runbook, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, as it was read.

    Attributes:
        name: the file's name without its ending, "#" and the title as a slug.
        title: its heading.
        trail: the headings above it, the outermost first.
        text: what it says.
        place: where it stands in its file: "12" for a line, "page=3" for a page.
        codes: codes that it explains, in upper case; one that ends in "*" stands for all that begin so.
        about: codes that its title mentions besides.
        keywords: further words under which it is to be found.
        asked: how people ask for it.
        cause: a class of causes that it names; "" = none.
        steps: what is to be done.
    """

    name: str
    title: str
    text: str
    trail: tuple[str, ...] = ()
    place: str = "1"
    codes: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    keywords: str = ""
    asked: tuple[str, ...] = ()
    cause: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What an update of the index came to.

    Attributes:
        added, changed, removed: files, as they are named in the index.
        skipped: files that could not be read, or may not.
        unchanged: how many files are as they were.
        entries: how many entries the index has now.
        is_complete: False = its time was up before the last file.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unchanged: int = 0
    entries: int = 0
    is_complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry that answers a question.

    Attributes:
        path: the file that it stands in.
        exact: codes of the question that it explains, or has in its title.
        score: how well it fits, from 0 to 1.
        similarity: cosine of its vector and the question's; None = there are no vectors.
    """

    entry: Entry
    path: str
    rank: int
    score: float
    exact: tuple[str, ...] = ()
    similarity: float | None = None

    @property
    def reference(self) -> str:
        """Where to look it up: `path:line`, or `path#page=3`."""
        place = self.entry.place
        return f"{self.path}#{place}" if place.startswith("page=") else f"{self.path}:{place}"
