"""Take away what git would wait for: pipes that are called like files that it reads by itself."""

from __future__ import annotations

import contextlib
import os
import stat

READ_BY_GIT = frozenset({b".gitignore", b".gitattributes"})


def take_pipes_away(tree: bytes, *, layer: bytes | None = None) -> None:
    """Remove what git would open in a working tree though it is no file, and then wait there for ever.

    git can hold no pipe, so none is part of a change; where one stands in the place of a file, that file is gone.

    Args:
        layer: a folder with the same paths as the tree that has whatever is new in it; without it all of the tree is
            looked through.
    """
    top = layer or tree
    for above, _, names in os.walk(top):
        for name in READ_BY_GIT.intersection(names):
            path = os.path.join(tree, os.path.relpath(above, top), name)  # noqa: PTH118 bytes
            with contextlib.suppress(OSError):
                mode = os.lstat(path).st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                    os.unlink(path)  # noqa: PTH108 bytes
