"""How long `fanfold --help` takes, beside the import of what it stands on.

Prints the medians of runs that alternate, so that a busy machine slows both sides alike, and their ratio.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 20
AT_MOST = 2.0
BASE = (sys.executable, "-c", "import typer, rich")
HELP = (str(Path(sys.executable).with_name("fanfold")), "--help")


def took_s(argv: tuple[str, ...]) -> float:
    """Seconds that a program takes, from its start to its end."""
    started = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> int:
    """Measure and print; 1 where the help takes more than twice the import."""
    took_s(BASE), took_s(HELP)  # compiles bytecode
    pairs = [(took_s(BASE), took_s(HELP)) for _ in range(RUNS)]
    base, help_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = help_s / base
    print(f"import typer, rich   {base * 1000:6.1f} ms")
    print(f"fanfold --help       {help_s * 1000:6.1f} ms")
    print(f"ratio                {ratio:6.2f}    (at most {AT_MOST:g}; medians of {RUNS})")
    return 0 if ratio <= AT_MOST else 1


if __name__ == "__main__":
    sys.exit(main())
