"""The file as a model sees it, and back: line ends and masked secrets are the file's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fanfold.agents.draft import NEWLINE
from fanfold.agents.ruff import Target
from fanfold.llm import Refused
from fanfold.redact import MASK, redact


@dataclass(frozen=True)
class Text:
    """A file under repair.

    Args:
        target: the file on disk.
        text: what it holds, with LF at the ends of lines where all ends are CRLF.
        crlf: whether they are.
    """

    target: Target
    text: str
    crlf: bool

    @classmethod
    def open(cls, path: Path) -> Text:
        """The file's text.

        Raises:
            UnicodeDecodeError: it isn't UTF-8.
        """
        target, text = Target.open(path)
        crlf = "\r\n" in text and set(NEWLINE.findall(text)) == {"\r\n"}
        return cls(target, text.replace("\r\n", "\n") if crlf else text, crlf)

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
