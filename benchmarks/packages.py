"""Real packages of some age to fix: fetched from PyPI, pinned by hash, cached, made into repositories.

Only archives are downloaded and unpacked; nothing of a package runs here, its setup.py neither.
"""

from __future__ import annotations

import ast
import base64
import copy
import fcntl
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

CACHE = Path(__file__).parent / ".cache"
PYPI = "https://pypi.org/simple"
SUITE_S = 900
RELEASED = "2026-01-01T00:00:00+00:00"  # one date for all, so that commit ids repeat
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


@dataclass(frozen=True)
class Package:
    """One release and how it is used.

    Args:
        archive: file name of the source distribution; its stem is the folder inside.
        sha256: what the archive must hash to, wherever it came from.
        tests: what its test suite needs, as requirements; empty = the suite doesn't run on today's Python.
        only: folders to keep, empty = all.
        without: folders to leave out.
    """

    name: str
    archive: str
    sha256: str
    tests: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """Name and version, as the folder inside the archive is called."""
        return self.archive.removesuffix(".tar.gz")


PACKAGES = {
    package.name: package
    for package in (
        Package(
            name="ansible",
            archive="ansible-2.4.6.0.tar.gz",
            sha256="f8cb44f76710faf88fc7dc0c703a3f39fe8a3bb1b98eb70506ef2cddf7e3e0c0",
            only=("lib",),
            without=("lib/ansible/modules",),
        ),
        Package(
            name="boltons",
            archive="boltons-24.1.0.tar.gz",
            sha256="4a49b7d57ee055b83a458c8682a2a6f199d263a8aa517098bda9bab813554b87",
            # Its conftest.py uses a hook argument that pytest 9 took away.
            tests=("pytest>=8.4,<9",),
        ),
        Package(
            name="click",
            archive="click-8.1.7.tar.gz",
            sha256="ca9853ad459e787e2192211578cc907e7594e294c7ccc834310722b41b9ca6de",
            tests=("pytest>=8.4,<9",),
        ),
        Package(
            name="flask",
            archive="Flask-0.12.5.tar.gz",
            sha256="fac2b9d443e49f7e7358a444a3db5950bdd0324674d92ba67f8f1f15f876b14f",
        ),
        Package(
            name="jinja2",
            archive="Jinja2-3.1.2.tar.gz",
            sha256="31351a702a408a9e7595a8fc6150fc3f43bb6bf7e319770cbc0db9df9437e852",
            tests=("pytest>=8.4,<9", "markupsafe>=2"),
        ),
        Package(
            name="paramiko",
            archive="paramiko-2.4.2.tar.gz",
            sha256="a8975a7df3560c9f1e2b43dc54ebd40fd00a7017392ca5445ce7df409f900fcb",
        ),
        Package(
            name="requests",
            archive="requests-2.20.0.tar.gz",
            sha256="99dcfdaaeb17caf6e526f32b6a7b780461512ab3f1d992187801694cba42770c",
        ),
        Package(
            name="toolz",
            archive="toolz-0.12.0.tar.gz",
            sha256="88c570861c440ee3f2f6037c4654613228ff40c93a6c25e0eba70d17282c6194",
            tests=("pytest>=8.4,<9",),
        ),
    )
}


class UnavailableError(Exception):
    """Something is neither in the cache nor to be had from the package index; the message says what to do."""


def fetch(name: str, into: Path | None = None) -> Path:
    """The package's source, unpacked afresh.

    Args:
        name: a key of PACKAGES.
        into: where to put it; whatever is there goes away. None = below the cache.
    Raises:
        UnavailableError: the archive can't be fetched, or isn't what its hash says.
    """
    package = PACKAGES[name]
    target = into or CACHE / "source" / package.stem
    archive = _archive(package)
    if target.exists():
        shutil.rmtree(target)
    unpacked = target.with_name(f"{target.name}.unpacking")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(unpacked, filter="data")
        else:  # Python before 3.11.4; the hash vouches for the content
            tar.extractall(unpacked, members=map(_as_mine, tar))
    _prune(unpacked / package.stem, package)
    (unpacked / package.stem).rename(target)
    unpacked.rmdir()
    return target


def make_repository(path: Path) -> str:
    """Make the folder a git repository with one commit of all its files; the commit's id.

    The repository has an identity of its own, so that it works where the user has set none.
    """
    ignore = path / ".gitignore"
    if not ignore.exists():
        ignore.write_text("__pycache__/\n.pytest_cache/\n.mypy_cache/\n")
    git(path, "init", "--quiet", "--initial-branch=main")
    for key, value in (("user.name", "Fanfold"), ("user.email", "fanfold@example.com"), ("commit.gpgsign", "false")):
        git(path, "config", key, value)
    git(path, "add", "--all", "--force")
    git(path, "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--message", f"{path.name} as released")
    return git(path, "rev-parse", "HEAD").strip()


def environment(name: str) -> Path:
    """A virtual environment with what the package's tests need; made once, then found in the cache.

    Raises:
        UnavailableError: the packages can't be installed.
    """
    requirements = PACKAGES[name].tests
    target = CACHE / "environments" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the demo may want the same one at the same time
        _make_environment(target, requirements)
    return target


def git(path: Path, *args: str) -> str:
    """What git writes, run in `path` with one date for all commits."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    dates = {"GIT_AUTHOR_DATE": RELEASED, "GIT_COMMITTER_DATE": RELEASED}
    return subprocess.run(
        ["git", *args], cwd=path, env=outer | dates, check=True, capture_output=True, text=True
    ).stdout


def export(root: Path, revision: str, target: Path) -> Path:
    """The files of a revision in a new folder, which is returned."""
    target.mkdir()
    archive = subprocess.run(["git", "archive", revision], cwd=root, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", target], input=archive, check=True)
    return target


def passing(python: Path, root: Path) -> set[str]:
    """The names of the tests that pass in a folder of a package's files, run by its environment's Python."""
    results = root.parent / f"{root.name}.xml"
    source = root / "src" if (root / "src").is_dir() else root
    argv = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={results}"]
    environment = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(argv, cwd=root, env=environment, capture_output=True, check=False, timeout=SUITE_S)
    if not results.exists():
        return set()
    cases = ET.parse(results).getroot().iter("testcase")
    bad = ("failure", "error", "skipped")
    return {
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if not any(case.find(tag) is not None for tag in bad)
    }


def _make_environment(target: Path, requirements: Sequence[str]) -> None:
    stamp = target / "requirements.txt"
    wanted = "\n".join(requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", target], check=True)
    done = subprocess.run([target / "bin" / "python", "-m", "pip", "install", "-qq", *requirements], check=False)
    if done.returncode:
        raise UnavailableError(f"can't install {' '.join(requirements)}; the first time needs PyPI, later ones don't")
    stamp.write_text(wanted)


def _archive(package: Package) -> Path:
    kept = CACHE / "archives" / package.archive
    if kept.exists() and _sha256(kept.read_bytes()) == package.sha256:
        return kept
    data = _download(package)
    if _sha256(data) != package.sha256:
        raise UnavailableError(f"{package.archive} is not the file that this benchmark means: its hash differs")
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(f".{os.getpid()}")
    partial.write_bytes(data)
    partial.rename(kept)
    return kept


def _as_mine(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Unpacked by root, files would belong to whoever packed them, and git would refuse to work there."""
    mine = copy.copy(entry)  # its `replace` came with the filters
    mine.uid, mine.gid, mine.uname, mine.gname = os.getuid(), os.getgid(), "", ""
    return mine


def _prune(root: Path, package: Package) -> None:
    for folder in package.without:
        shutil.rmtree(root / folder)
    for entry in root.iterdir() if package.only else ():
        if entry.name not in package.only:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _download(package: Package) -> bytes:
    """Ask the indexes that pip is configured for, one after another, as pip does."""
    settings = _pip_settings()
    context = ssl.create_default_context(cafile=settings.get("cert"))
    indexes = [settings.get("index-url", PYPI), *settings.get("extra-index-url", "").split()]
    reasons = []
    for index in indexes:
        page = f"{index.rstrip('/')}/{package.name}/"
        try:
            link = _links(page, context).get(package.archive)
            if link:
                return _get(link, context)[0]
            reasons.append(f"{package.archive} isn't listed there")
        except (OSError, ValueError) as error:
            reasons.append(str(error))
    raise UnavailableError(
        f"{package.archive} is not in the cache and can't be fetched: {'; '.join(reasons)}\n"
        f"hint: the first time needs PyPI; or put the file into {CACHE / 'archives'} by hand"
    )


def _pip_settings() -> dict[str, str]:
    """Pip's own settings by name; the environment counts most, then what is set for install, then the rest."""
    argv = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        rank = {":env:": 2, "install": 1}.get(section, 0)
        if rank >= found.get(name, (0, ""))[0]:
            found[name] = (rank, str(ast.literal_eval(value)))
    return {name: value for name, (_, value) in found.items()}


def _links(page: str, context: ssl.SSLContext) -> dict[str, str]:
    """File name → address, from an index page in either of its forms (PEP 503 and PEP 691)."""
    data, kind = _get(page, context)
    if kind.endswith("+json"):
        return {file["filename"]: urllib.parse.urljoin(page, file["url"]) for file in json.loads(data)["files"]}
    parser = _Anchors()
    parser.feed(data.decode())
    found = (urllib.parse.urljoin(page, link).partition("#")[0] for link in parser.links)
    return {urllib.parse.unquote(link.rpartition("/")[2]): link for link in found}


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address of each link."""
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


def _get(url: str, context: ssl.SSLContext) -> tuple[bytes, str]:
    """Content and media type; a name and password in the address go into a header, as urllib can't."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(parts._replace(netloc=host).geturl(), headers={"Accept": ACCEPT})
    if parts.username:
        login = urllib.parse.unquote(f"{parts.username}:{parts.password or ''}")
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        return answer.read(), answer.headers.get_content_type()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
