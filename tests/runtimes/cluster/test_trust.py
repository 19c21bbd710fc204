"""Who may talk to whom: loopback, certificates, versions, and what is left of it afterwards."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fanfold.runtimes import Cluster
from fanfold.runtimes.cluster import TLS, ClusterError, InsecureAddress, VersionsDiffer
from fanfold.runtimes.cluster.address import checked, is_loopback

HERE = Path(__file__).parent


def listening() -> set[tuple[str, str]]:
    """Address and inode of each socket that listens, of all processes."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found.add((fields[1].partition(":")[0], fields[9]))
    return found


def of(pids: list[int]) -> set[str]:
    """Inodes of the sockets that processes have."""
    inodes = set()
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(file.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    return inodes


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def made_tls(folder: Path) -> TLS:
    """An authority, and a certificate that it signed."""
    folder.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    ca, cert, request = folder / "ca.pem", folder / "cert.pem", folder / "request.pem"
    openssl("req", "-x509", *key, "-subj", "/CN=authority", "-keyout", f"{folder}/ca.key", "-out", str(ca))
    openssl("req", *key[:-2], "-subj", "/CN=fanfold", "-keyout", f"{folder}/key.pem", "-out", str(request))
    signed = ["-in", str(request), "-CA", str(ca), "-CAkey", f"{folder}/ca.key", "-CAcreateserial", "-days", "1"]
    openssl("x509", "-req", *signed, "-out", str(cert))
    return TLS(ca=ca, cert=cert, key=folder / "key.pem")


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TLS:
    return made_tls(tmp_path_factory.mktemp("certificates") / "ours")


async def test_it_listens_on_loopback_alone_and_not_at_all_afterwards(far: ModuleType, begin: Any) -> None:
    before = listening()
    async with Cluster(workers=2) as cluster:
        await far.plain.run(begin("a", "b"), runtime=cluster)
        pids = cluster.pids
        own = of([os.getpid(), *pids])
        mine = {address for address, inode in listening() - before if inode in own}
        assert mine == {"0100007F"}
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert {inode for _, inode in listening() - before} & own == set()


async def test_branches_run_over_tls(far: ModuleType, begin: Any, tls: TLS) -> None:
    async with Cluster(workers=2, tls=tls) as cluster:
        assert cluster.address is not None
        assert cluster.address.startswith("tls://")
        result = await far.plain.run(begin(*"abcdef"), runtime=cluster)
        assert len(result.state["ran"]) == 6
        again = await far.plain.run(begin("a"), runtime=Cluster(cluster.address, tls=tls))
        assert len(again.state["ran"]) == 1


async def test_who_has_other_certificates_is_turned_away(
    far: ModuleType, begin: Any, tls: TLS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanfold.runtimes.cluster.connect.CONNECT_S", 1.0)
    others = made_tls(tmp_path / "others")
    async with Cluster(workers=1, tls=tls) as cluster:
        with pytest.raises(ClusterError, match="can't be reached"):
            await far.plain.run(begin("a"), runtime=Cluster(cluster.address, tls=others))
    assert not far.tries(tmp_path, "a")


@pytest.mark.parametrize(
    "address",
    ["tcp://192.0.2.1:8786", "tcp://example.com:8786", "tcp://0.0.0.0:8786", "tcp://[2001:db8::1]:8786"],
)
def test_an_address_off_loopback_without_tls_is_refused_before_anything_is_sent(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    with pytest.raises(InsecureAddress):
        Cluster(address)


@pytest.mark.parametrize("address", ["127.0.0.1:8786", "http://127.0.0.1:1", "tcp://127.0.0.1", "tcp://:1", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ClusterError):
        checked(address, tls=False)


def test_tls_and_address_go_together(tls: TLS) -> None:
    with pytest.raises(ClusterError, match="certificates"):
        Cluster("tls://127.0.0.1:8786")
    with pytest.raises(InsecureAddress):
        Cluster("tcp://127.0.0.1:8786", tls=tls)
    assert checked("tls://example.com:8786", tls=True) == "tls://example.com:8786"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


def test_a_file_that_is_not_there_is_said(tls: TLS, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="cert"):
        TLS(ca=tls.ca, cert=tmp_path / "none.pem", key=tls.key)


OTHER = """
import asyncio, importlib.metadata, sys
scheduler, package, version, folder = sys.argv[1:]
sys.path.insert(0, folder)
import distributed.versions
from distributed import Worker
import dask

known = distributed.versions._version_cached
distributed.versions._version_cached = lambda name: version if name == package else known(name)
if package == "flow":
    import dataclasses, farflows
    farflows.plain = dataclasses.replace(farflows.plain, version=version)
dask.config.set({"distributed.worker.http.routes": []})

async def main():
    only_here = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    async with Worker(scheduler, nthreads=1, **only_here) as worker:
        print(worker.address, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@contextmanager
def another_worker(cluster: Cluster, package: str, version: str) -> Iterator[str]:
    """A plain Dask worker beside those that the cluster has, which says that it has another version."""
    arguments = [sys.executable, "-c", OTHER, str(cluster.address), package, version, str(HERE)]
    pipe = subprocess.PIPE
    worker = subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    with worker:
        assert worker.stdout is not None
        yield worker.stdout.readline().strip()
        assert worker.stdin is not None
        worker.stdin.close()


@pytest.mark.parametrize("package", ["fanfold", "distributed", "pydantic", "flow"])
async def test_a_worker_with_other_versions_is_refused_before_any_branch_is_placed(
    cluster: Cluster, far: ModuleType, begin: Any, tmp_path: Path, package: str
) -> None:
    with another_worker(cluster, package, "0.0.9") as address, pytest.raises(VersionsDiffer) as refused:
        await far.plain.run(begin("a"), runtime=cluster)
    assert package in str(refused.value)
    assert "0.0.9 there" in str(refused.value)
    assert address in str(refused.value)
    assert not far.tries(tmp_path, "a")


async def test_a_plain_dask_worker_serves_when_its_versions_are_ours(
    cluster: Cluster, far: ModuleType, begin: Any
) -> None:
    with another_worker(cluster, "none", "0"):
        result = await far.plain.run(begin(*"abcdef"), runtime=Cluster(cluster.address))
    assert len({each.split()[1] for each in result.state["ran"]}) == len(cluster.pids) + 1


async def test_a_worker_with_other_versions_that_comes_late_is_not_used(
    cluster: Cluster, far: ModuleType, begin: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = asyncio.create_task(far.endless.run(begin("a"), runtime=cluster))
    while not far.tries(tmp_path, "a"):
        await asyncio.sleep(0.01)
    with another_worker(cluster, "fanfold", "0.0.9") as address:
        while f"the worker {address} isn't used" not in caplog.text:
            await asyncio.sleep(0.05)
    assert not run.done()
    run.cancel()
    await asyncio.wait([run])
