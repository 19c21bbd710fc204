"""Run pytest as its own command does: without the working directory on the import path."""

import sys

if __name__ == "__main__":
    import pytest

    sys.exit(getattr(pytest, "console_main", pytest.main)())
