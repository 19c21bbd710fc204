"""What a record names by its objects is read from the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fanfold.git import Repository, contents
from fanfold.git.recorded import blobs
from fanfold.testing.repositories import make_repository

CONTENTS = (b"", b"\n", b"x\n", b"no end", b"1234 blob 3\nabc\n", bytes(range(256)))


async def test_contents_are_those_that_were_written_and_what_is_gone_is_left_out(tmp_path: Path) -> None:
    user = make_repository(tmp_path / "user", {f"{number}": content for number, content in enumerate(CONTENTS)})
    oids = [user.git("hash-object", "-w", "--stdin", stdin=content).strip() for content in CONTENTS]
    gone = "f" * 40
    tree = user.git("rev-parse", "HEAD^{tree}").strip()
    found = await contents(await Repository.open(user.root), [gone, *oids, tree, "--help"])
    assert found == dict(zip(oids, CONTENTS, strict=True))


class Watched(bytes):
    """Counts the bytes that are copied out of it."""

    copied = 0

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        Watched.copied += len(part) if isinstance(part, bytes) else 1
        return part


def test_no_byte_of_an_answer_is_copied_twice() -> None:
    one = b"%040d blob 1000\n" % 7 + b"\n" * 1000 + b"\n"
    answer = Watched(one * 500 + b"%040d missing\n" % 8)
    assert [len(content) for _, content in blobs(answer)] == [1000] * 500
    assert Watched.copied == 1000 * 500
