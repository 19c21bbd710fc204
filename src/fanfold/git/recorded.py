"""Contents of files that a record names by their objects: read from the repository, or made again from a patch."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Collection
from pathlib import Path

from fanfold.git.command import git
from fanfold.git.repository import Repository

_FOUND = re.compile(rb"([0-9a-f]+) blob ([0-9]+)")
_OID = re.compile(r"[0-9a-f]{40,64}")


async def contents(repository: Repository, oids: Collection[str]) -> dict[str, bytes]:
    """What blobs hold, by their ids; those that the repository doesn't have are left out."""
    asked = [oid for oid in oids if _OID.fullmatch(oid)]
    if not asked:
        return {}
    stdin = "".join(f"{oid}\n" for oid in asked).encode()
    answer = (await git("cat-file", "--batch", cwd=repository.root, stdin=stdin)).stdout
    found: dict[str, bytes] = {}
    while answer:
        header, _, rest = answer.partition(b"\n")
        match = _FOUND.fullmatch(header)
        size = int(match[2]) if match else -1
        if match:
            found[match[1].decode()] = rest[:size]
        answer = rest[size + 1 :]
    return found


async def make_again(repository: Repository, base: str, patch: bytes) -> None:
    """Write the objects that a patch makes of a commit's files; nothing but objects changes.

    Raises:
        GitError: there is no such commit, or the patch isn't one of its files.
    """
    with await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="fanfold-") as folder:
        places = {"GIT_DIR": str(repository.git_dir), "GIT_INDEX_FILE": str(Path(folder) / "index")}
        await git("read-tree", base, cwd=repository.root, places=places)
        as_it_is = {"core.autocrlf": "false", "apply.whitespace": "nowarn"}
        await git("apply", "--cached", "-", cwd=repository.root, places=places, stdin=patch, settings=as_it_is)
