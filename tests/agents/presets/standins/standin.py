# ruff: noqa: T201 a program speaks
"""What the stand-ins have in common: how they behave, and the one thing that they can do to a file."""

from __future__ import annotations

import os
import re
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

BEHAVIOUR = os.environ.get("STANDIN", "fixes")


class Parser(ArgumentParser):
    """As strict as a program can be: no flag in short, none that isn't known."""

    def __init__(self, program: str, **more: Any) -> None:
        super().__init__(program, allow_abbrev=False, add_help=False, **more)

    def flags(self, *names: str) -> None:
        """Flags without a value."""
        for name in names:
            self.add_argument(name, action="store_true")

    def error(self, message: str) -> NoReturn:
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(64)


def work(task: str, root: Path) -> str:
    """Delete the unused imports of the file that the task names; the key that it works with is another's."""
    named = re.search(r"in the file '([^']+)'", task)
    if named is None:
        print("error: there is no task", file=sys.stderr)
        raise SystemExit(65)
    if BEHAVIOUR == "hangs":
        print("thinking", flush=True)
        time.sleep(60)
    if BEHAVIOUR == "crashes":
        print("Segmentation fault", file=sys.stderr)
        raise SystemExit(139)
    file = root / named[1]
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("import")))
    return f"I deleted the imports of {named[1]}."
