# ruff: noqa: PLC0415  a command imports what it needs when it runs: `--help` must start fast
"""`fanfold doctor`, as it is typed."""

from __future__ import annotations


def doctor() -> int:
    """Show what is installed and where each setting comes from"""
    from fanfold.cli.doctor import examine

    return examine()
