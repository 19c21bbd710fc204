"""Python source as a syntax tree, read by any number of threads at once."""

from __future__ import annotations

import ast
import threading
import warnings

# Python 3.11 counts how deep all threads have read in one place, and fails where they come between each other. The list
# of warnings to ignore is everybody's, too.
_ONE_AT_A_TIME = threading.Lock()


def parse(source: str | bytes) -> ast.Module:
    """The tree of a module; what Python would warn of in it goes unsaid.

    Raises:
        SyntaxError, ValueError, MemoryError, RecursionError: it can't be read.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def parse_expression(source: str) -> ast.expr:
    """The tree of one expression; errors as of `parse`."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source, mode="eval").body
