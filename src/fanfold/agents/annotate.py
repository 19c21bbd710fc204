"""Add the type annotations that autotyping is sure of, each line a fix of its own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fanfold.agents.draft import Draft, Edit, Fix, FixId, Lines, changed_lines
from fanfold.process import allowed_environment, run

RULE = "annotation"


def available() -> bool:
    """Whether autotyping is installed beside Fanfold."""
    return importlib.util.find_spec("autotyping") is not None


@dataclass
class Annotations:
    """Rewrites a text with autotyping's safe annotations, and then as `after` does.

    Args:
        name: the file's name, which says whether it is a stub.
        scratch: a directory for the copy that autotyping works on.
        after: what is to be tidied once annotations and their imports are there.
    """

    name: str
    scratch: Path
    after: Callable[[Draft, Collection[FixId]], Awaitable[Draft]]
    failure: str = ""
    _annotated: dict[str, str] = field(default_factory=dict)

    async def rewrite(self, draft: Draft, denied: Collection[FixId]) -> Draft:
        """The draft with every annotation that isn't denied."""
        if draft.text not in self._annotated:
            self._annotated[draft.text] = await self._annotate(draft.text)
        changed = changed_lines(draft.text, self._annotated[draft.text])
        fixes = [Fix(draft.id_at(RULE, line.start), (line,)) for edit in changed for line in _by_line(draft, edit)]
        return await self.after(draft.apply([fix for fix in fixes if fix.id not in denied]), denied)

    async def _annotate(self, text: str) -> str:
        copy = self.scratch / "annotate" / self.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(text.encode())
        # -P and the directory: nothing of the repository may be imported in autotyping's place.
        argv = [sys.executable, "-P", "-m", "autotyping", "--safe", str(copy)]
        done = await run(argv, cwd=self.scratch, env=allowed_environment())
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()
            self.failure = next((word for word in words if "Error" in word), "it failed")
        return copy.read_bytes().decode()


def _by_line(draft: Draft, edit: Edit) -> Iterator[Edit]:
    """An edit that replaces lines one for one, line by line; any other as it is."""
    old, new = Lines.of(draft.text[edit.start : edit.end]), Lines.of(edit.content)
    if len(old.starts) != len(new.starts):
        yield edit
        return
    for row in range(1, len(old.starts) + 1):
        start, end = old.span(row)
        written = edit.content[slice(*new.span(row))]
        if draft.text[edit.start + start : edit.start + end] != written:
            yield Edit(edit.start + start, edit.start + end, written)
