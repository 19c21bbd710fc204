"""The main job on a real package: boltons 24.1.0, its own tests included.

Makes `.demo/boltons` a fresh repository each time, so that the demo repeats; `make demo` runs this. Only the library
itself is fixed: its tests stay the judge.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import packages

PACKAGE = "boltons"
DEMO = Path(__file__).parent.parent / ".demo"
ROOT = DEMO / PACKAGE


def main() -> int:
    """Prepare, fix, show; the exit code of `fanfold fix` unless that is 1: work may remain."""
    try:
        tests = packages.environment(PACKAGE)
        packages.fetch(PACKAGE, ROOT)
    except packages.UnavailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # Tools that look for configuration upwards shall not find Fanfold's own.
    (DEMO / "ruff.toml").write_text("")
    packages.make_repository(ROOT)
    print(f"{packages.PACKAGES[PACKAGE].stem} from PyPI is now a git repository in {_near(ROOT)}\n", flush=True)
    environment = {
        **os.environ,
        "VIRTUAL_ENV": str(tests),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = _show("fanfold", "fix", PACKAGE, environment=environment)
    if done > 1:
        return done
    branch = packages.git(ROOT, "for-each-ref", "--format=%(refname:short)", "refs/heads/fanfold/").strip()
    if not branch:
        print("nothing landed", file=sys.stderr)
        return 1
    _show("git", "log", "--oneline", f"main..{branch}", environment=environment)
    _show("git", "diff", "--shortstat", "main", branch, environment=environment)
    _show("git", "status", "--short", "--branch", environment=environment)
    print(_next(branch))
    return 0


def _show(*argv: str, environment: Mapping[str, str]) -> int:
    """Run a command in the repository as a user would see it; its exit code."""
    print(f"$ {shlex.join(argv)}", flush=True)
    program = shutil.which(argv[0], path=environment["PATH"]) or argv[0]
    code = subprocess.run([program, *argv[1:]], cwd=ROOT, env=environment, check=False).returncode
    print(flush=True)
    return code


def _next(branch: str) -> str:
    return f"""\
Nothing in your checkout has changed: the commits are on a branch of their own. To go on by hand:

  cd {_near(ROOT)}
  git show {branch}          # the last change, with its rules and counts
  git merge --ff-only {branch}
  {Path(sys.executable).parent}/fanfold fix --help"""


def _near(path: Path) -> str:
    """The path as seen from where the user stands, where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


if __name__ == "__main__":
    sys.exit(main())
