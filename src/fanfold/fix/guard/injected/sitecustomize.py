"""Start the import guard in any Python that Fanfold's test run starts, then do what the user's own file does.

Python imports a module of this name at every start. It must load on whatever interpreter a test starts: what is
below runs on Python 2 too, where the guard stays out of the way.
"""

import sys


def _start():
    # type: () -> None
    if sys.version_info < (3, 8):  # noqa: UP036
        return
    writes_nothing = sys.dont_write_bytecode
    # The guard lives in a directory of Fanfold's, where its bytecode may be kept: the next start is faster.
    sys.dont_write_bytecode = False
    try:
        guard = __import__("fanfold_guard")
        __import__("fanfold_guard_children")
    finally:
        sys.dont_write_bytecode = writes_nothing
    guard.start()
    guard.chain(__file__)


_start()
