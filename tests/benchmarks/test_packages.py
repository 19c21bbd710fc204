"""Fetching the packages that demo and benchmarks run on."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import packages


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"thing-1.0/{name}")
            entry.size = len(text)
            entry.uid = entry.gid = 12345
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


ARCHIVE = archive({"thing.py": "import os\n", "lib/kept.py": "", "lib/dropped/gone.py": ""})
THING = packages.Package("thing", "thing-1.0.tar.gz", hashlib.sha256(ARCHIVE).hexdigest())


@dataclass
class Index:
    """A package index on the loopback interface."""

    url: str
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, index: Index, *args: object) -> None:
        self.index = index
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.index.asked.append(self.path)
        kind, data = self.index.pages.get(self.path, ("", b""))
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setattr(packages, "CACHE", tmp_path / "cache")
    monkeypatch.setitem(packages.PACKAGES, "thing", THING)
    index = Index("")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, index)) as server:
        index.url = f"http://127.0.0.1:{server.server_port}/simple"
        monkeypatch.setattr(packages, "_pip_settings", lambda: {"index-url": index.url})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield index
        server.shutdown()
        thread.join()


def as_html(index: Index, data: bytes = ARCHIVE) -> None:
    page = '<!DOCTYPE html><a href="../../files/thing-1.0.tar.gz#sha256=0">thing-1.0.tar.gz</a>'
    index.pages["/simple/thing/"] = ("text/html", page.encode())
    index.pages["/files/thing-1.0.tar.gz"] = ("application/gzip", data)


def as_json(index: Index) -> None:
    page = {"files": [{"filename": "thing-1.0.tar.gz", "url": "/files/thing-1.0.tar.gz"}]}
    index.pages["/simple/thing/"] = ("application/vnd.pypi.simple.v1+json", json.dumps(page).encode())
    index.pages["/files/thing-1.0.tar.gz"] = ("application/gzip", ARCHIVE)


@pytest.mark.parametrize("serve", [as_html, as_json])
def test_source_comes_from_either_form_of_index(index: Index, serve: object) -> None:
    assert callable(serve)
    serve(index)
    assert (packages.fetch("thing") / "thing.py").read_text() == "import os\n"


@pytest.mark.parametrize("old", [False, True])
def test_unpacked_files_are_the_users_own(index: Index, monkeypatch: pytest.MonkeyPatch, *, old: bool) -> None:
    if old:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
        # Python without filters takes every entry as it is; where there are filters, that has to be said.
        as_it_is = staticmethod(lambda entry, _: entry)
        monkeypatch.setattr(tarfile.TarFile, "extraction_filter", as_it_is, raising=False)
    as_html(index)
    assert (packages.fetch("thing") / "thing.py").stat().st_uid == os.getuid()


def test_second_fetch_asks_nobody_and_is_as_released_again(index: Index) -> None:
    as_html(index)
    source = packages.fetch("thing")
    index.asked.clear()
    (source / "thing.py").write_text("changed")
    (source / "more.py").write_text("added")
    assert (packages.fetch("thing") / "thing.py").read_text() == "import os\n"
    assert not (source / "more.py").exists()
    assert not index.asked


def test_other_content_than_pinned_is_refused(index: Index, tmp_path: Path) -> None:
    as_html(index, data=archive({"thing.py": "evil"}))
    with pytest.raises(packages.UnavailableError, match="hash differs"):
        packages.fetch("thing", tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_damaged_cache_is_fetched_again(index: Index, tmp_path: Path) -> None:
    as_html(index)
    packages.fetch("thing")
    (tmp_path / "cache" / "archives" / THING.archive).write_bytes(b"half")
    assert (packages.fetch("thing") / "thing.py").exists()


def test_offline_for_the_first_time_says_what_to_do(index: Index) -> None:
    assert not index.pages
    with pytest.raises(packages.UnavailableError, match=r"404.*\nhint: the first time needs PyPI"):
        packages.fetch("thing")


def test_only_the_folders_that_are_meant_are_kept(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    as_html(index)
    monkeypatch.setitem(packages.PACKAGES, "thing", replace(THING, only=("lib",), without=("lib/dropped",)))
    source = packages.fetch("thing")
    assert [path.relative_to(source).as_posix() for path in source.rglob("*.py")] == ["lib/kept.py"]


def test_repository_has_one_commit_and_a_clean_checkout(index: Index) -> None:
    as_html(index)
    source = packages.fetch("thing")
    commit = packages.make_repository(source)

    def git(*args: str) -> str:
        return subprocess.run(["git", *args], cwd=source, check=True, capture_output=True, text=True).stdout

    assert git("rev-list", "HEAD").split() == [commit]
    assert not git("status", "--porcelain")


def test_pip_settings_of_the_environment_count_most(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://a.example/simple\nextra-index-url = https://b.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_INDEX_URL", "https://c.example/simple")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    settings = packages._pip_settings()
    assert settings["index-url"] == "https://c.example/simple"
    assert settings["extra-index-url"] == "https://b.example/simple"
