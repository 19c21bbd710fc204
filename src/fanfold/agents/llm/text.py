"""A file as a model sees it, and back: line ends and masked secrets are the file's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from fanfold.agents.draft import NEWLINE, Lines
from fanfold.agents.llm.outline import Outline
from fanfold.agents.ruff import Target
from fanfold.llm import Refused
from fanfold.redact import MASK, redact

PYTHON = frozenset({".py", ".pyi"})


@dataclass(frozen=True)
class Text:
    """A file under repair.

    Args:
        path: relative to the workspace.
        target: the file on disk.
        text: what it holds, with LF at the ends of lines where all ends are CRLF.
        crlf: whether they are.
    """

    path: str
    target: Target
    text: str
    crlf: bool

    @classmethod
    def open(cls, root: Path, path: str) -> Text:
        """The file's text.

        Raises:
            UnicodeDecodeError: it isn't UTF-8.
        """
        target, text = Target.open(root / path)
        crlf = "\r\n" in text and set(NEWLINE.findall(text)) == {"\r\n"}
        return cls(path, target, text.replace("\r\n", "\n") if crlf else text, crlf)

    @cached_property
    def outline(self) -> Outline | None:
        """Its functions and classes; None where it isn't Python that can be parsed."""
        return Outline.of(self.text) if PurePosixPath(self.path).suffix in PYTHON else None

    @cached_property
    def lines(self) -> Lines:
        """Where its lines start."""
        return Lines.of(self.text)

    def write(self, text: str) -> None:
        """Put a text there."""
        self.target.write(text.replace("\n", "\r\n") if self.crlf else text)

    def unmasked(self, written: str) -> str:
        """What a model wrote with the secrets back in the lines that it was shown masked, and left as they were.

        Raises:
            Refused: a masked secret stands elsewhere in it.
        """
        if MASK not in written:
            return written
        shown = dict(zip(redact(self.text).split("\n"), self.text.split("\n"), strict=True))
        lines = [shown.get(line, line) for line in written.split("\n")]
        if any(MASK in line and line not in self.text for line in lines):
            raise Refused(f"{MASK} stands for a secret that you aren't shown: leave such lines as they are.")
        return "\n".join(lines)
