"""One commit of a repository as bytes, for another machine: its files, and the rules by which git converts them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from fanfold.git.command import GitError, git, raw, records, text
from fanfold.git.repository import Repository
from fanfold.git.throwaway import quoted

MAX_PACK_BYTES = 1 << 30
MAX_RULES_BYTES = 1 << 20

_MAGIC = b"fanfold bundle 1 "
_OID_LENGTH = {"sha1": 40, "sha256": 64}
_HEXADECIMAL = frozenset("0123456789abcdef")
_SETTINGS = {
    "pack.packSizeLimit": "0",
    # Git compares files with each other to find what they share: so much memory for each thread, and no large ones.
    "pack.windowMemory": "64m",
    "core.bigFileThreshold": "32m",
}
_FILTER = re.compile(rb"(?:^|[\s])filter=([^\s]+)")
_POINTERS = "lfs"
_TRUE = ("true", "yes", "on", "1")


class BundleError(GitError):
    """A commit can't be packed for other machines, or what was packed can't be used here."""


@dataclass(frozen=True)
class Rules:
    """What decides which files git sees and how it converts them; no program, no place, no remote is among it.

    Two settings, and the lines of what stands beside the commit: of `info/exclude` and `info/attributes`, and of the
    user's own files of that kind.
    """

    autocrlf: str = "false"
    eol: str = "native"
    exclude: str = ""
    attributes: str = ""
    own_exclude: str = ""
    own_attributes: str = ""


@dataclass(frozen=True)
class Bundle:
    """A commit as it travels: its id, the hash that its repository uses, the rules, and a pack of all its objects."""

    commit: str
    object_format: str
    rules: Rules
    pack: memoryview

    @classmethod
    def read(cls, data: bytes | memoryview) -> Bundle:
        """What `write_bundle` wrote; the pack is a view of `data`.

        Raises:
            BundleError: that isn't what it is.
        """
        view = memoryview(data)
        head = bytes(view[: len(_MAGIC) + 20])
        try:
            length, _, _ = head.removeprefix(_MAGIC).partition(b"\n")
            start = len(_MAGIC) + len(length) + 1
            facts: dict[str, Any] = json.loads(bytes(view[start : start + int(length)]))
            bundle = cls(facts["commit"], facts["object_format"], Rules(**facts["rules"]), view[start + int(length) :])
            known = len(bundle.commit) == _OID_LENGTH[bundle.object_format] and set(bundle.commit) <= _HEXADECIMAL
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"this is no bundle of a commit: {error}") from error
        if not head.startswith(_MAGIC) or not known:
            raise BundleError("this is no bundle of a commit")
        return bundle


async def write_bundle(repository: Repository, commit: str, to: BinaryIO, *, max_bytes: int = MAX_PACK_BYTES) -> None:
    """Write what another machine needs to work on `commit`: nothing of its history, of refs, remotes or the checkout.

    Submodules and large files kept elsewhere stay the pointers that the tree holds. What a partial clone lacks of the
    commit is fetched by git. The memory that it takes doesn't grow with the size of the files.

    Args:
        commit: full id of a commit.
        max_bytes: a pack larger than this is refused.
    Raises:
        BundleError: it is too large, or its files go through a filter of the user's, which other machines lack.
    """
    rules = await _rules(repository)
    await _refuse_filters(repository, commit, rules)
    facts = {"commit": commit, "object_format": repository.object_format, "rules": asdict(rules)}
    head = json.dumps(facts).encode()
    with tempfile.TemporaryDirectory(prefix="fanfold-bundle-") as scratch:
        pack = await _packed(repository, commit, Path(scratch))
        size = pack.stat().st_size
        if size > max_bytes:
            raise BundleError(
                f"the files of {commit[:12]} pack to {size} bytes, and workers are sent at most {max_bytes}",
                hint="run this on one machine",
            )
        to.write(_MAGIC + str(len(head)).encode() + b"\n" + head)
        with pack.open("rb") as source:
            await asyncio.to_thread(shutil.copyfileobj, source, to, 1 << 20)


async def _packed(repository: Repository, commit: str, scratch: Path) -> Path:
    """A pack of a commit, its trees and its files; git writes to an object store of this call's own."""
    places = {
        "GIT_DIR": str(repository.git_dir),
        "GIT_OBJECT_DIRECTORY": str(scratch),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted(str(repository.common_dir / "objects")),
    }
    asked = f"--shallow {commit}\n{commit}\n".encode()
    command = ("pack-objects", "--revs", "--quiet", "--delta-base-offset", str(scratch / "base"))
    done = await git(*command, cwd=repository.root, places=places, settings=_SETTINGS, stdin=asked)
    return scratch / f"base-{text(done.stdout).strip()}.pack"


async def _rules(repository: Repository) -> Rules:
    found = await _configured(repository, ("core.autocrlf", "core.eol"), ())
    places = await _configured(repository, ("core.excludesFile", "core.attributesFile"), ("--type=path",))
    usual = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "git")
    info = repository.common_dir / "info"
    return Rules(
        autocrlf={"input": "input", **dict.fromkeys(_TRUE, "true")}.get(found["core.autocrlf"].lower(), "false"),
        eol=found["core.eol"].lower() if found["core.eol"].lower() in ("lf", "crlf") else "native",
        exclude=_lines(info / "exclude"),
        attributes=_lines(info / "attributes"),
        own_exclude=_lines(Path(places["core.excludesFile"] or usual / "ignore")),
        own_attributes=_lines(Path(places["core.attributesFile"] or usual / "attributes")),
    )


async def _configured(repository: Repository, names: Iterable[str], flags: tuple[str, ...]) -> dict[str, str]:
    """The values of settings, wherever the user set them; "" where nowhere."""
    found = {}
    for name in names:
        done = await git("config", *flags, "--get", name, cwd=repository.root, ok=(0, 1))
        found[name] = text(done.stdout).removesuffix("\n")
    return found


def _lines(path: Path) -> str:
    """The patterns that a file holds; comments may say more than is needed elsewhere."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            content = file.read(MAX_RULES_BYTES + 1)
    except OSError:
        return ""
    if len(content) > MAX_RULES_BYTES:
        raise BundleError(f"{path} holds more than {MAX_RULES_BYTES} bytes of patterns")
    kept = [line for line in content.splitlines() if line.strip() and not line.startswith(b"#")]
    return "".join(text(line) + "\n" for line in kept)


async def filters_of(repository: Repository, commit: str) -> frozenset[str]:
    """The filters that a commit's own attributes ask for, by name."""
    entries = await repository.tree(commit)
    named = [one.path for one in entries if one.path.rpartition("/")[2] == ".gitattributes"]
    contents = [await repository.read(commit, path) or b"" for path in named]
    return frozenset(text(name) for content in contents for name in _FILTER.findall(content))


async def _refuse_filters(repository: Repository, commit: str, rules: Rules) -> None:
    """A filter that the user configured gives the files another content than a worker would see."""
    beside = _FILTER.findall(raw(rules.attributes + rules.own_attributes))
    used = {*(await filters_of(repository, commit)), *map(text, beside)} - {_POINTERS}
    done = await git("config", "--name-only", "-z", "--get-regexp", r"^filter\.", cwd=repository.root, ok=(0, 1))
    there = {text(name).removeprefix("filter.").rpartition(".")[0] for name in records(done.stdout)}
    if refused := sorted(used & there):
        raise BundleError(
            f"files of this repository go through the filter {refused[0]}, which only this machine has",
            hint="run this on one machine",
        )
