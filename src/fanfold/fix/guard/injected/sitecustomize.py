"""Start the import guard in any Python that Fanfold's test run starts, then do what the user's own file does.

Python imports a module of this name at every start. It must load on whatever interpreter a test starts: what is
below runs on Python 2 too, where the guard stays out of the way.
"""

import os
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
    _measure()
    guard.chain(__file__)


def _measure():
    # type: () -> None
    """See which lines are run, where that is asked for and can be had; a test must not notice."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    configuration = os.path.join(home, "coveragerc")
    if not os.path.exists(configuration):
        return
    try:
        coverage = __import__("coverage")
        coverage.Coverage(config_file=configuration, auto_data=True).start()
        open(os.path.join(home, "coverage", "started"), "a").close()
    except Exception:  # noqa: BLE001 -- whatever is wrong with it, the tests run
        return


_start()
