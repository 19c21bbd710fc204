"""Files as blocks: which are read, how, and how much of each."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from fanfold.troubleshoot.sources.knowledge.blocks import Block, markdown_blocks, page_blocks, text_blocks
from fanfold.troubleshoot.sources.knowledge.entry import Skipped
from fanfold.troubleshoot.sources.knowledge.html import html_blocks

MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_PDF_BYTES = 32 * 1024 * 1024
MAX_PDF_PAGES = 500
MAX_FILES = 20_000

_TEXT: Mapping[str, Callable[[str], Iterable[Block]]] = {
    ".md": markdown_blocks,
    ".markdown": markdown_blocks,
    ".txt": text_blocks,
    ".text": text_blocks,
    ".rst": text_blocks,
    ".html": html_blocks,
    ".htm": html_blocks,
}
ENDINGS = frozenset({*_TEXT, ".pdf"})


class Unreadable(Exception):
    """A file can't become entries; says why."""


def files_under(roots: Iterable[Path], skipped: list[Skipped]) -> Iterator[Path]:
    """The documents in folders, and files that are named themselves, each once and in order.

    A link is followed if what it leads to is a file in the same folder. Hidden files and folders are left out.
    """
    seen: set[Path] = set()
    for root in roots:
        for path in _walk(root, root, skipped) if root.is_dir() else [root]:
            if path in seen:
                continue
            if len(seen) >= MAX_FILES:
                skipped.append(Skipped(str(path), f"there are more than {MAX_FILES} files"))
                return
            seen.add(path)
            yield path


def content_of(path: Path) -> bytes:
    """The bytes of a document.

    Raises:
        Unreadable: it is no file, too large, or of no known kind.
        OSError: it can't be read at all.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise Unreadable(f"files that end in {ending or 'nothing'} aren't read; known are {', '.join(sorted(ENDINGS))}")
    limit = MAX_PDF_BYTES if ending == ".pdf" else MAX_TEXT_BYTES
    # A named pipe would never end: without waiting, and looked at once it is open.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unreadable("it is no ordinary file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise Unreadable(f"it is larger than {limit // 1024 // 1024} MB")
    return content


def blocks_of(content: bytes, ending: str) -> list[Block]:
    """The blocks of a document.

    Raises:
        Unreadable: it is binary, broken or encrypted.
    """
    if ending.lower() == ".pdf":
        return _pdf_blocks(content)
    return list(_TEXT[ending.lower()](_decoded(content)))


def _walk(folder: Path, root: Path, skipped: list[Skipped]) -> Iterator[Path]:
    try:
        found = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError as error:
        skipped.append(Skipped(str(folder), error.strerror or "it can't be read"))
        return
    for item in found:
        path = Path(item.path)
        if item.name.startswith("."):
            continue
        if item.is_dir(follow_symlinks=False):
            yield from _walk(path, root, skipped)
        elif path.suffix.lower() in ENDINGS:
            if item.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
                skipped.append(Skipped(str(path), "it is a link out of its folder"))
            else:
                yield path


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise Unreadable("it is binary")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _pdf_blocks(content: bytes) -> list[Block]:
    try:
        from pypdf import PdfReader  # noqa: PLC0415 heavy, and optional
    except ImportError:
        raise Unreadable("reading PDF needs pypdf: install fanfold[troubleshoot]") from None
    blocks: list[Block] = []
    chars = 0
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            raise Unreadable("it is encrypted")
        for number, page in enumerate(reader.pages[:MAX_PDF_PAGES], 1):
            text = page.extract_text()
            chars += len(text)
            blocks += page_blocks(text, number)
            if chars > MAX_TEXT_BYTES:
                break
    except Unreadable:
        raise
    except Exception as error:  # broken PDFs make pypdf raise nearly anything
        raise Unreadable(f"it is no PDF that can be read: {type(error).__name__}") from error
    if not chars:
        raise Unreadable("it holds no text, only pictures")
    return blocks
