"""Keep the traceback of a bug where the user can find it and send it."""

from __future__ import annotations

import platform
import tempfile
import traceback

from fanfold import __version__
from fanfold.redact import redact


def keep_traceback(error: BaseException) -> str:
    """Write the traceback, secrets masked, to a file of its own and say where it is."""
    told = redact("".join(traceback.format_exception(error)))
    about = f"fanfold {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="fanfold-traceback-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(about + told)
    except OSError:
        return f"please report it with this traceback\n{told}"
    return f"please report it with the traceback in {file.name}"
