"""Contents of files that a record names by their objects: read from the repository, or made again from a patch."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Collection, Iterator
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
    return dict(blobs((await git("cat-file", "--batch", cwd=repository.root, stdin=stdin)).stdout))


def blobs(answer: bytes) -> Iterator[tuple[str, bytes]]:
    """The ids and contents of the blobs in an answer of `git cat-file --batch`; each byte is copied once."""
    at = 0
    while (end := answer.find(b"\n", at)) >= 0:
        header, at = _FOUND.fullmatch(answer, at, end), end + 1
        if header:
            after = at + int(header[2])
            yield header[1].decode(), answer[at:after]
            at = after + 1


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
