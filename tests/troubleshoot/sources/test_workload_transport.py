"""Requests to schedulers that are down, broken, slow or not who they say they are."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fanfold.testing.scheduler import FakeScheduler, Fault, Plan, PlanJob
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.workload import WorkloadError
from fanfold.troubleshoot.sources.workload import transport as module
from fanfold.troubleshoot.sources.workload.settings import settings_of
from fanfold.troubleshoot.sources.workload.transport import Transport, connected

PLAN = Plan(jobs=(PlanJob(name="A", status="PEND"),))
ENGINE = "/twsd/api/v2/engine/info"
HOLD = f"/twsd/api/v2/plan/job/{PLAN.id_of(PLAN.jobs[0])}/action/hold"


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_PASSWORD", "operator")


@asynccontextmanager
async def to(*urls: str, attempts: int = 1, timeout_s: float = 20.0, **settings: Any) -> AsyncIterator[Transport]:
    table = {"urls": list(urls), "user": "operator", "password": {"env": "WA_PASSWORD"}, **settings}
    scheduler = settings_of(table, Path.cwd()).instances[""]
    async with connected(
        scheduler, attempts=attempts, limit=4, request_timeout_s=timeout_s, budget_s=20.0
    ) as transport:
        yield transport


@pytest.fixture
def dead_url() -> Iterator[str]:
    """An address at which nobody listens, and nobody else will meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def test_a_dead_host_is_passed_over_and_the_one_that_answered_comes_first_then(dead_url: str) -> None:
    async with FakeScheduler(PLAN) as server, to(dead_url, server.url) as transport:
        assert (await transport.get(ENGINE))["engineName"] == "TWS-PROD-01"
        assert transport.url == server.url


async def test_a_host_in_trouble_is_passed_over_and_one_that_refuses_is_not() -> None:
    async with FakeScheduler(PLAN, faults=[Fault(status=503)]) as one, FakeScheduler(PLAN) as two:
        async with to(one.url, two.url) as transport:
            assert await transport.get(ENGINE)
        assert len(one.requests) == len(two.requests) == 1
    async with FakeScheduler(PLAN, faults=[Fault(status=403)]) as one, FakeScheduler(PLAN) as two:
        async with to(one.url, two.url) as transport:
            with pytest.raises(WorkloadError, match="answered 403"):
                await transport.get(ENGINE)
        assert two.requests == []


async def test_a_broken_body_is_asked_for_again() -> None:
    async with FakeScheduler(PLAN, faults=[Fault(reset=True, times=2)]) as server:
        async with to(server.url, attempts=3) as transport:
            assert (await transport.get(ENGINE))["engineVersion"] == PLAN.version
        assert len(server.requests) == 3


async def test_what_will_not_pass_is_not_asked_for_again() -> None:
    async with FakeScheduler(PLAN) as server:
        async with to(server.url, attempts=3) as transport:
            with pytest.raises(WorkloadError) as caught:
                await transport.get("/twsd/api/v2/plan/job/some-key")
        assert len(server.requests) == 1
    assert (caught.value.status, caught.value.code) == (400, "AWSBIO006E")


async def test_all_hosts_in_trouble_is_one_error_that_names_one_of_them(dead_url: str) -> None:
    async with FakeScheduler(PLAN, faults=[Fault(status=500)]) as server, to(dead_url, server.url) as transport:
        with pytest.raises(WorkloadError, match=r"answered 500.*1 more host failed") as caught:
            await transport.get(ENGINE)
    assert caught.value.hint is not None


async def test_a_slow_host_is_given_up_on() -> None:
    async with FakeScheduler(PLAN, faults=[Fault(latency_s=60)]) as server, to(server.url, timeout_s=0.1) as transport:
        with pytest.raises(WorkloadError, match="didn't answer in time"):
            await transport.get(ENGINE)


async def test_no_more_is_read_than_can_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_JSON_BYTES", 64)
    async with FakeScheduler(PLAN) as server, to(server.url) as transport:
        with pytest.raises(WorkloadError, match="more than 64 bytes"):
            await transport.get("/twsd/api/v2/plan/job")


async def test_an_answer_that_is_no_json_is_an_error_that_says_where_it_came_from() -> None:
    page = Fault(status=200, body="<html>Login</html>")
    async with FakeScheduler(PLAN, faults=[page]) as server, to(server.url) as transport:
        with pytest.raises(WorkloadError, match=f"{ENGINE} is not JSON"):
            await transport.get(ENGINE)


async def test_a_page_of_html_is_not_repeated_in_an_error() -> None:
    page = Fault(status=502, body="<html><body>secret internals</body></html>")
    async with FakeScheduler(PLAN, faults=[page]) as server, to(server.url) as transport:
        with pytest.raises(WorkloadError) as caught:
            await transport.get(ENGINE)
    assert "internals" not in caught.value.message


async def test_a_redirect_is_not_followed_with_the_password() -> None:
    async with FakeScheduler(PLAN, faults=[Fault(status=302)]) as server, to(server.url) as transport:
        with pytest.raises(WorkloadError, match="302") as caught:
            await transport.get(ENGINE)
    assert "redirects" in str(caught.value.hint)


async def test_a_change_is_sent_once_even_if_it_fails() -> None:
    async with FakeScheduler(PLAN, faults=[Fault(on="PUT", status=500)]) as one, FakeScheduler(PLAN) as two:
        async with to(one.url, two.url, attempts=3) as transport:
            with pytest.raises(WorkloadError, match="answered 500"):
                await transport.put(HOLD, headers={})
        assert (len(one.requests), len(two.requests)) == (1, 0)


async def test_a_change_that_was_not_answered_may_have_been_done() -> None:
    async with FakeScheduler(PLAN, faults=[Fault(on="PUT", reset=True)]) as one, FakeScheduler(PLAN) as two:
        async with to(one.url, two.url, attempts=3) as transport:
            with pytest.raises(WorkloadError, match="may have been done or not"):
                await transport.put(HOLD, headers={})
        assert two.requests == []


async def test_a_change_goes_to_the_next_host_where_the_first_never_saw_it(dead_url: str) -> None:
    async with FakeScheduler(PLAN) as server:
        async with to(dead_url, server.url) as transport:
            await transport.put(HOLD, headers={})
        assert [done.action for done in server.performed] == ["hold"]


async def test_a_token_is_sent_instead_of_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_TOKEN", "eyJhbGciOi.bearer")
    async with FakeScheduler(PLAN, token="eyJhbGciOi.bearer") as server:
        table = {"urls": [server.url], "token": {"env": "WA_TOKEN"}}
        scheduler = settings_of(table, Path.cwd()).instances[""]
        async with connected(scheduler, attempts=1, limit=1, request_timeout_s=5, budget_s=5) as transport:
            assert await transport.get(ENGINE)
            assert "bearer" not in f"{transport!r}"


async def test_a_secret_that_is_not_there_is_an_error_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WA_PASSWORD")
    async with FakeScheduler(PLAN) as server:
        with pytest.raises(SourceError, match="WA_PASSWORD is not set"):
            async with to(server.url):
                pass
        assert server.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and the name `master`, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "master")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("master")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "certificate.pem", folder / "key.pem"


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(certificate: tuple[Path, Path]) -> None:
    async with FakeScheduler(PLAN, certificate=certificate[0], key=certificate[1]) as server:
        async with to(server.url) as transport:
            with pytest.raises(WorkloadError, match="can't be trusted") as caught:
                await transport.get(ENGINE)
        assert server.requests == []
    assert "ca_file" in str(caught.value.hint)


async def test_an_own_authority_and_another_name_can_be_trusted(certificate: tuple[Path, Path]) -> None:
    async with FakeScheduler(PLAN, certificate=certificate[0], key=certificate[1]) as server:
        async with to(server.url, ca_file=str(certificate[0]), tls_name="master") as transport:
            assert (await transport.get(ENGINE))["engineName"] == "TWS-PROD-01"
        async with to(server.url, ca_file=str(certificate[0])) as transport:
            with pytest.raises(WorkloadError, match="can't be trusted"):
                await transport.get(ENGINE)


async def test_a_file_without_certificates_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "none.pem"):
        with pytest.raises(SourceError, match=name):
            async with to("https://127.0.0.1:1", ca_file=str(tmp_path / name)):
                pass
