"""A program for the agent `command` that takes its time: it waits, then deletes unused imports.

    python -m fanfold.testing.waiting_agent --wait 5 FILE

The prompt comes on standard input. Each line of FILE is deleted that the prompt names with F401. With `--log LOG` it
appends a line at its beginning and at its end, `TIME +1` and `TIME -1`, from which the overlap of several can be told.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

FINDING = re.compile(r"^- line (\d+), column \d+: ruff F401:", re.MULTILINE)


def main() -> None:
    """Wait, edit, say what was done."""
    parser = argparse.ArgumentParser(description="Delete the unused imports that the prompt names")
    parser.add_argument("file", type=Path)
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--log", type=Path, metavar="LOG")
    options = parser.parse_args()
    _note(options.log, "+1")
    named = {int(number) for number in FINDING.findall(sys.stdin.read())}
    time.sleep(options.wait)
    lines = options.file.read_bytes().splitlines(keepends=True)
    kept = [line for number, line in enumerate(lines, start=1) if number not in named]
    options.file.write_bytes(b"".join(kept))
    sys.stdout.write(f"deleted {len(lines) - len(kept)} lines\n")
    _note(options.log, "-1")


def _note(log: Path | None, step: str) -> None:
    if log is not None:
        with log.open("a") as file:
            file.write(f"{time.time()} {step}\n")


if __name__ == "__main__":
    main()
