"""A workspace's files, as an agent may read and write them: whatever a path says, nothing outside is touched.

The agent's program may change the tree while it asks. So each folder on the way is opened by itself, from the one
before, and a link is never followed: what was looked at is what is used.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fanfold.errors import FanfoldError

MAX_READ_BYTES = 4 * 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Outside(FanfoldError):
    """A path that leads out of the workspace, or to what is no file of it."""


@dataclass(frozen=True)
class Files:
    """The files of one workspace.

    Args:
        root: the workspace, absolute.
        names: other places where its program sees it.
        max_file_bytes: how large a file may be written, None = any size.
    """

    root: Path
    names: tuple[Path, ...] = ()
    max_file_bytes: int | None = None

    def inside(self, path: str) -> PurePosixPath:
        """Where a path leads, relative to the workspace.

        Raises:
            Outside: it leads out of it, through a link perhaps, or to git's own files.
        """
        parts = self._parts(path)
        self._refuse_links(parts)
        return PurePosixPath(*parts)

    def read(self, path: str, line: int | None = None, limit: int | None = None) -> str:
        """The text of a file.

        Args:
            line: the first line that is wanted, from 1.
            limit: how many lines.
        Raises:
            Outside: there is no such file in the workspace.
            UnicodeDecodeError: it holds no text.
        """
        with self._folder(parts := self._parts(path), path) as folder:
            text = _content(folder, parts[-1], path).decode()
        if line is None and limit is None:
            return text
        first = max((line or 1) - 1, 0)
        lines = re.split(r"(?<=\n)", text)[first:]
        return "".join(lines if limit is None else lines[:limit])

    def write(self, path: str, text: str) -> None:
        """Put a text into a file, whole or not at all; its mode stays.

        Raises:
            Outside: the path leads out of the workspace, or the text is too large.
        """
        try:
            content = text.encode()
        except UnicodeEncodeError as error:
            raise Outside(f"{path} would hold what is no text") from error
        if self.max_file_bytes is not None and len(content) > self.max_file_bytes:
            raise Outside(f"{path} would have more than {self.max_file_bytes:,} bytes")
        with self._folder(parts := self._parts(path), path) as folder:
            _replace(folder, parts[-1], content, path)

    def _parts(self, path: str) -> Sequence[str]:
        """The names on the way from the workspace to a path."""
        try:
            if b"\0" in os.fsencode(path) or not path:
                raise Outside(f"{path!r} is no path")
        except UnicodeEncodeError as error:
            raise Outside(f"{path!r} is no path") from error
        given = Path(path)
        parts = given.parts
        if given.is_absolute():
            base = next((one for one in (self.root, *self.names) if given.is_relative_to(one)), None)
            if base is None:
                raise Outside(f"{path} is outside of the workspace")
            parts = given.relative_to(base).parts
        if not parts or any(part.lower() in {"..", ".git"} for part in parts):
            raise Outside(f"{path} is no file of the workspace")
        return parts

    def _refuse_links(self, parts: Sequence[str]) -> None:
        at = self.root
        for part in parts:
            at /= part
            try:
                mode = at.lstat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                return
            except OSError as error:  # a name that is too long, say
                raise Outside(f"{at}: {error.strerror}") from error
            if stat.S_ISLNK(mode):
                raise Outside(f"{at} is a link")

    @contextmanager
    def _folder(self, parts: Sequence[str], path: str) -> Iterator[int]:
        """The folder that a path's last name stands in, open."""
        folder = -1
        try:
            folder = os.open(self.root, _FOLDER)
            for part in parts[:-1]:
                folder, outer = os.open(part, _FOLDER, dir_fd=folder), folder
                os.close(outer)
            yield folder
        except OSError as error:
            raise Outside(f"{path}: {error.strerror}") from error
        finally:
            if folder >= 0:
                os.close(folder)


def _content(folder: int, name: str, path: str) -> bytes:
    # A pipe in a file's place would have us wait for its writer.
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(file, "rb") as content:  # noqa: PTH123 a descriptor
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            raise Outside(f"{path} is no regular file")
        read = content.read(MAX_READ_BYTES + 1)
    if len(read) > MAX_READ_BYTES:
        raise Outside(f"{path} has more than {MAX_READ_BYTES:,} bytes; read a part of it")
    return read


def _replace(folder: int, name: str, content: bytes, path: str) -> None:
    try:
        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        mode = 0o644
    else:
        if not stat.S_ISREG(about.st_mode):
            raise Outside(f"{path} is no regular file")
        mode = stat.S_IMODE(about.st_mode)
    beside = f".{secrets.token_hex(8)}.new"
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with open(file, "wb") as new:  # noqa: PTH123 a descriptor
            new.write(content)
            os.fchmod(file, mode & 0o777)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(beside, dir_fd=folder)
        raise
