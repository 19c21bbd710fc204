"""Files that a program wrote which may have put anything in their place: a pipe would have us wait for its writer."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


def opened(path: Path) -> BinaryIO:
    """A regular file, open for reading; links aren't followed.

    Raises:
        OSError: there is none.
    """
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(0, "it is no regular file", str(path))
    return open(file, "rb")  # noqa: PTH123 a descriptor
