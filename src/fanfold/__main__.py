"""`python -m fanfold` is `fanfold`."""

from __future__ import annotations

import sys

from fanfold.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
