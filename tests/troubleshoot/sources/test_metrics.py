"""What the metrics source finds out, over real HTTP, of a fake Prometheus and of a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fanfold.process import find_program
from fanfold.testing.metrics import FakePrometheus, RealPrometheus, Series
from fanfold.testing.metrics.real import unpacked
from fanfold.testing.scheduler import Fault
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.metrics import Metrics

NOW = datetime(2024, 12, 11, 9, 0, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=20)
PASSWORD = "s3cret-of-the-night-shift"
HOST = {"instance": "db01:9100", "job": "node"}

LOAD = Series(name="node_load1", usual=2.0, value=48.0, since=SINCE, labels=HOST)
DISK = Series(
    name="node_filesystem_avail_bytes",
    usual=50 * 1024.0**3,
    value=0.0,
    since=SINCE,
    labels={**HOST, "mountpoint": "/data", "fstype": "ext4"},
)
GONE = Series(name="node_load5", usual=1.0, value=None, since=SINCE, labels=HOST)
STEADY = [
    Series(name="node_load15", usual=1.0 + index, value=1.0 + index, since=SINCE, labels={"instance": f"web{index}"})
    for index in range(6)
]
DATABASE = Series(name="application_wa_DB_connected_boolean", usual=1.0, value=0.0, since=SINCE, labels={"job": "wa"})
AGENT = Series(name="up", usual=1.0, value=0.0, since=SINCE, labels={"instance": "agent01:9100"})
ALL = [LOAD, DISK, GONE, *STEADY, DATABASE, AGENT]

Kind = Literal["fake", "real"]


@pytest.fixture(scope="session")
def prometheus_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prometheus itself: the installed one, else unpacked from the archive of this Debian."""
    found = find_program("prometheus")
    if found is None:
        with ThreadPoolExecutor(1) as thread:
            found = thread.submit(asyncio.run, unpacked(tmp_path_factory.mktemp("prometheus"))).result()
    if found is None:
        pytest.skip("neither is prometheus installed, nor can its Debian package be had")
    return found


@pytest.fixture(params=["fake", "real"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Which Prometheus; only the real one needs its program."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def serving(kind: Kind, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Sequence[Series]], Any]:
    """Makes a Prometheus that has given series, as long as a block."""
    if kind == "fake":
        return FakePrometheus
    program: Path = request.getfixturevalue("prometheus_program")

    @asynccontextmanager
    async def real(series: Sequence[Series]) -> AsyncIterator[RealPrometheus]:
        start, end = NOW - timedelta(hours=5), NOW + timedelta(minutes=10)
        async with RealPrometheus(tmp_path, series=series, start=start, end=end, program=program) as server:
            yield server

    return real


def source_for(url: str, **settings: Any) -> Metrics:
    return Metrics.make({"url": url, "timeout_s": 30.0, "request_timeout_s": 20.0, **settings}, Path.cwd())


def incident(*jobs: str, **more: Any) -> Incident:
    return Incident(message="por que falhou?", now=NOW, jobs=jobs, **more)


async def asked(url: str, *jobs: str, about: Incident | None = None, **settings: Any) -> list[Evidence]:
    source = source_for(url, **settings)
    async with source.open():
        return list(await source.ask(about or incident(*jobs)))


def of_kind(evidence: Sequence[Evidence], kind: str) -> list[Evidence]:
    return [piece for piece in evidence if piece.kind == kind]


def notes(evidence: Sequence[Evidence]) -> str:
    return "\n".join(piece.text for piece in of_kind(evidence, "note"))


def by_name(evidence: Sequence[Evidence]) -> dict[str, Evidence]:
    return {str(piece.facts["name"]): piece for piece in of_kind(evidence, "metric")}


async def test_what_is_unusual_is_told_with_its_facts_in_every_direction(serving: Callable[..., Any]) -> None:
    async with serving(ALL) as server:
        evidence = await asked(server.url)
    found = by_name(evidence)
    load = found["node_load1"]
    assert load.source == "metrics"
    assert load.subject == 'node_load1{instance="db01:9100",job="node"}'
    assert {name: load.facts[name] for name in ("value", "before", "ratio", "anomaly")} == {
        "value": 48.0,
        "before": 2.0,
        "ratio": 24.0,
        "anomaly": "up",
    }
    assert load.facts["labels"] == ["instance=db01:9100", "job=node"]
    assert load.at is not None
    assert abs(load.at - SINCE) <= timedelta(seconds=60)
    assert load.text.startswith('node_load1{instance="db01:9100",job="node"} rose to 48, usually 2, 24 times that')
    assert "08:40" in load.text
    directions = {name: piece.facts["anomaly"] for name, piece in found.items()}
    assert directions == {
        "node_load1": "up",
        "node_filesystem_avail_bytes": "down",
        "node_load5": "gone",
        "application_wa_DB_connected_boolean": "down",
        "up": "down",
    }
    gone = found["node_load5"]
    assert gone.facts["value"] is None
    assert gone.at is not None
    assert timedelta(0) <= gone.at - SINCE <= timedelta(minutes=6)  # the server itself bridges five minutes
    assert "50 GiB" in found["node_filesystem_avail_bytes"].text
    # What is as usual is one note.
    assert [piece.text for piece in of_kind(evidence, "note")] == ["6 series as usual"]
    assert evidence[-1].facts["usual"] == 6


async def test_a_healthy_system_has_nothing_but_the_note(serving: Callable[..., Any]) -> None:
    async with serving(STEADY) as server:
        assert [piece.text for piece in await asked(server.url)] == ["6 series as usual"]


async def test_a_value_that_is_always_wrong_is_found_though_it_is_usual(serving: Callable[..., Any]) -> None:
    down = Series(name="up", usual=0.0, value=0.0, since=SINCE, labels={"instance": "agent01:9100"})
    async with serving([down]) as server:
        [piece] = of_kind(await asked(server.url), "metric")
    assert piece.facts["anomaly"] == "down"
    assert piece.facts["first"] is None
    assert piece.text == 'up{instance="agent01:9100"} is 0, too low, as it was in the window before'


async def test_what_is_over_is_told_from_when_to_when(serving: Callable[..., Any]) -> None:
    spike = Series(
        name="node_load1", usual=1.0, value=90.0, since=SINCE, until=SINCE + timedelta(minutes=5), labels=HOST
    )
    async with serving([spike]) as server:
        [piece] = of_kind(await asked(server.url), "metric")
    assert piece.facts["value"] == 90.0
    assert piece.at is not None
    last = datetime.fromisoformat(str(piece.facts["last"]))
    assert timedelta(minutes=3) < last - piece.at < timedelta(minutes=6)


async def test_alerts_that_fire_are_told(serving: Callable[..., Any]) -> None:
    labels = {"alertname": "DiskFull", "severity": "critical", "instance": "db01"}
    firing = Series(name="ALERTS", usual=1, value=1, since=SINCE, labels={**labels, "alertstate": "firing"})
    pending = Series(
        name="ALERTS", usual=1, value=1, since=SINCE, labels={"alertname": "Later", "alertstate": "pending"}
    )
    since = Series(
        name="ALERTS_FOR_STATE", usual=SINCE.timestamp(), value=SINCE.timestamp(), since=SINCE, labels=labels
    )
    async with serving([firing, pending, since]) as server:
        [alert] = of_kind(await asked(server.url), "alert")
    assert alert.facts == {
        "name": "DiskFull",
        "object": "instance=db01",
        "severity": "critical",
        "state": "firing",
        "since": SINCE.isoformat(),
    }


async def test_ready_made_rates_are_understood_and_find_a_busy_machine(serving: Callable[..., Any]) -> None:
    oom = Series(name="node_vmstat_oom_kill", usual=3.0, value=9.0, since=SINCE, labels=HOST)
    async with serving([oom]) as server:
        found = by_name(await asked(server.url))
    assert found["node_vmstat_oom_kill"].facts["anomaly"] == "up"
    assert found["node_vmstat_oom_kill"].facts["unit"] == "/s"


async def test_a_counter_that_was_reset_is_no_anomaly(serving: Callable[..., Any]) -> None:
    reset = Series(name="node_network_receive_errs_total", usual=100_000.0, value=0.0, since=SINCE, labels=HOST)
    async with serving([reset]) as server:
        evidence = await asked(server.url)
    assert notes(evidence) == "1 series as usual"
    assert not of_kind(evidence, "metric")


async def test_own_queries_with_names_filled_in_are_asked_and_come_first(serving: Callable[..., Any]) -> None:
    name = 'WEIRD"} or vector(1) #\\d+'
    mine = Series(name="job_rows", usual=1000.0, value=1.0, since=SINCE, labels={"job_name": name})
    other = Series(name="job_rows", usual=1000.0, value=1.0, since=SINCE, labels={"job_name": "OTHER"})
    queries = {"rows": 'job_rows{job_name="{job}"}', "rows again": "job_rows{job_name=~'{job}'} + 0"}
    async with serving([mine, other, LOAD]) as server:
        evidence = of_kind(await asked(server.url, name, queries=queries), "metric")
    assert [piece.facts["name"] for piece in evidence] == ["job_rows", "rows again", "node_load1"]
    assert evidence[0].facts["labels"] == [f"job_name={name}"]


async def test_each_job_is_asked_for_and_its_workstation(serving: Callable[..., Any]) -> None:
    series = [Series(name="agent_free_slots", usual=4, value=0, since=SINCE, labels={"node": node}) for node in "ABC"]
    settings: dict[str, Any] = {
        "queries": {"slots": 'agent_free_slots{node="{workstation}"}'},
        "workstations": {"J1": "A", "*": "B"},
        "defaults": False,
    }
    async with serving(series) as server:
        evidence = of_kind(await asked(server.url, "J1", "J2", "J3", **settings), "metric")
        nobody = await asked(server.url, "J1", queries=settings["queries"], defaults=False)
    assert sorted(str(piece.facts["labels"]) for piece in evidence) == ["['node=A']", "['node=B']"]
    assert not of_kind(nobody, "metric")  # without a workstation, nothing is asked about one


async def test_the_time_of_the_failure_counts_not_that_of_the_question(serving: Callable[..., Any]) -> None:
    async with serving([LOAD]) as server:
        before = await asked(server.url, about=incident(at=SINCE - timedelta(minutes=10)))
        after = await asked(server.url, about=incident(at=SINCE + timedelta(minutes=1)))
    assert not of_kind(before, "metric")
    assert of_kind(after, "metric")


async def test_a_query_that_fails_is_a_note_and_the_others_count(serving: Callable[..., Any]) -> None:
    queries = {"wrong": "sum(", "odd": 'node_load1{instance=~"("}'}
    async with serving(ALL) as server:
        evidence = await asked(server.url, queries=queries)
    assert "node_load1" in by_name(evidence)
    assert "no answer to wrong: HTTP 400" in notes(evidence)
    assert "no answer to odd: HTTP 400" in notes(evidence)


async def test_a_server_without_any_series_says_so(serving: Callable[..., Any]) -> None:
    async with serving([]) as server:
        [note] = await asked(server.url)
    assert "has no series for any of" in note.text


async def test_bounds_of_own_queries_count(serving: Callable[..., Any]) -> None:
    used = Series(name="pool_used_ratio", usual=0.99, value=0.99, since=SINCE)
    queries = {"pool": {"promql": "pool_used_ratio", "wrong_above": 0.9}}
    async with serving([used]) as server:
        [piece] = of_kind(await asked(server.url, queries=queries, defaults=False), "metric")
    assert (piece.facts["anomaly"], piece.facts["value"]) == ("up", 0.99)


async def test_a_certificate_that_has_run_out_is_found_and_one_that_will_is_not(serving: Callable[..., Any]) -> None:
    def expiring(instance: str, at: datetime) -> Series:
        seconds = at.timestamp()
        return Series(
            name="probe_ssl_earliest_cert_expiry",
            usual=seconds,
            value=seconds,
            since=SINCE,
            labels={"instance": instance},
        )

    async with serving([expiring("old", SINCE), expiring("new", NOW + timedelta(hours=3))]) as server:
        [piece] = of_kind(await asked(server.url), "metric")
    assert piece.facts["labels"] == ["instance=old"]
    assert piece.facts["anomaly"] == "down"


async def test_a_real_target_that_is_scraped_live_is_seen_to_change(prometheus_program: Path, tmp_path: Path) -> None:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from fanfold.testing.loopback import Loopback

    value = 5.0

    async def metrics(_: object) -> PlainTextResponse:
        return PlainTextResponse(f"queue_length {value}\n")

    app = Starlette(routes=[Route("/metrics", metrics)])
    queries = {"queue": "queue_length"}
    async with (
        Loopback(app) as target,
        RealPrometheus(
            tmp_path, targets=[target.url.removeprefix("http://")], scrape_interval="100ms", program=prometheus_program
        ) as server,
    ):

        async def seen() -> list[Evidence]:
            about = Incident(message="why?", now=datetime.now(UTC), window_s=1.2)
            return await asked(server.url, about=about, queries=queries, defaults=False)

        async with asyncio.timeout(60):
            while notes(await seen()) != "1 series as usual":
                await asyncio.sleep(0.2)
            await asyncio.sleep(2.5)  # as long as both windows
            assert not of_kind(await seen(), "metric")
            value = 50.0
            while not (found := of_kind(await seen(), "metric")):
                await asyncio.sleep(0.2)
    assert (found[0].facts["anomaly"], found[0].facts["value"], found[0].facts["before"]) == ("up", 50.0, 5.0)


async def test_queries_run_together_within_the_limit() -> None:
    async with FakePrometheus(ALL, faults=[Fault(latency_s=0.05)]) as server:
        await asked(server.url, limit=3)
        assert server.peak == 3


@pytest.mark.parametrize(("at", "hours"), [(NOW, 1), (None, 2)])
async def test_all_windows_come_from_one_query(at: datetime | None, hours: int) -> None:
    async with FakePrometheus(ALL) as server:
        await asked(server.url, about=incident(window_s=1800.0, at=at))
        ranges = {(ask.start_s, ask.end_s) for ask in server.requests if ask.path.endswith("query_range")}
    assert ranges == {((NOW - timedelta(hours=hours)).timestamp(), NOW.timestamp())}


@pytest.mark.parametrize("auth", ["basic", "bearer"])
async def test_who_asks_is_said_and_never_shown(auth: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROM_SECRET", PASSWORD)
    secret = {"env": "PROM_SECRET"}
    given = {"user": "ops", "password": secret} if auth == "basic" else {"token": secret}
    async with FakePrometheus(ALL, user="ops", password=PASSWORD, token=PASSWORD) as server:
        assert "node_load1" in by_name(await asked(server.url, **given))
        monkeypatch.setenv("PROM_SECRET", "wrong-and-secret-9")
        with pytest.raises(SourceError, match="refused who asks") as caught:
            await asked(server.url, **given)
        source = source_for(server.url, **given)
    assert "wrong-and-secret-9" not in f"{caught.value.message} {caught.value.hint} {source!r} {source._settings!r}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "prometheus")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "certificate.pem", folder / "key.pem"


async def test_only_a_certificate_that_somebody_vouches_for_is_trusted(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").touch()
    async with FakePrometheus(ALL, certificate=certificate[0], key=certificate[1]) as server:
        assert by_name(await asked(server.url, ca_file=str(certificate[0])))
        server.requests.clear()
        with pytest.raises(SourceError, match="can't be reached"):
            await asked(server.url)
        with pytest.raises(SourceError, match=r"ca_file .* can't be used"):
            await asked(server.url, ca_file=str(tmp_path / "empty.pem"))
        assert server.requests == []


async def test_a_wrong_password_is_not_tried_again_and_again() -> None:
    async with FakePrometheus(ALL, user="ops", password=PASSWORD, faults=[Fault(latency_s=0.05)]) as server:
        with pytest.raises(SourceError, match="refused who asks"):
            await asked(server.url, limit=1)
    assert server.answered == 1


async def test_errors_now_and_then_are_tried_again_and_lose_nothing() -> None:
    faults = [Fault(status=503, share=0.2, times=3), Fault(reset=True, times=1)]
    async with FakePrometheus(ALL, faults=faults, seed=3) as server:
        assert by_name(await asked(server.url)).keys() >= {"node_load1", "node_load5", "up"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=500, body="<html>broken</html>"), "HTTP 500"),
        (Fault(status=302), "sends elsewhere"),
        (Fault(reset=True), "can't be reached"),
        (Fault(cut_bytes=20), "none of Prometheus's"),
        (Fault(status=200, body='{"status": "success", "data": {"resultType": "string", "result": []}}'), "a string"),
        (Fault(status=200, body='{"data": {"resultType": "matrix", "result": [7]}}'), "none of Prometheus's"),
        (
            Fault(status=200, body=f'{{"data": {{"resultType": "scalar", "result": [1{"0" * 400}, "1"]}}}}'),
            "none of Prometheus's",
        ),
        (
            Fault(status=200, body='{"data": {"resultType": "vector", "result": [{"metric": [], "value": [1]}]}}'),
            "none",
        ),
    ],
)
async def test_a_server_that_fails_says_how(fault: Fault, words: str) -> None:
    async with FakePrometheus(ALL, faults=[fault]) as server:
        with pytest.raises(SourceError, match=words):
            await asked(server.url)


async def test_a_server_that_is_not_there_says_so() -> None:
    with pytest.raises(SourceError, match="can't be reached") as caught:
        await asked("http://127.0.0.1:9")
    assert caught.value.hint


async def test_a_query_that_hangs_costs_its_time_and_the_others_are_kept() -> None:
    slow = [Fault(on="/query_range", latency_s=60, times=1)]
    async with FakePrometheus(ALL, faults=slow) as server:
        evidence = await asked(server.url, request_timeout_s=0.3, limit=4)
    assert by_name(evidence)
    assert "did not answer within 0.3 s" in notes(evidence)


async def test_where_the_time_for_all_is_up_what_has_answered_is_told() -> None:
    slow = [Fault(on="/query_range", latency_s=60, times=2)]
    async with FakePrometheus(ALL, faults=slow) as server:
        evidence = await asked(server.url, timeout_s=1.0, request_timeout_s=60.0)
    assert by_name(evidence)
    assert "no answer within 1 s" in notes(evidence)


async def test_an_answer_is_read_up_to_a_size() -> None:
    many = [
        Series(name="node_load1", usual=1, value=1, since=SINCE, labels={"instance": str(index)}) for index in range(50)
    ]
    async with FakePrometheus([*many, DATABASE]) as server:
        evidence = await asked(server.url, max_bytes=10_000)
        fewer = await asked(server.url, max_series=20)
    assert "application_wa_DB_connected_boolean" in by_name(evidence)
    assert "more than 10000 bytes" in notes(evidence)
    assert "50 series, more than 20" in notes(fewer)


async def test_what_there_is_no_room_for_is_counted() -> None:
    many = [
        Series(name="node_load1", usual=1, value=9, since=SINCE, labels={"instance": str(index)}) for index in range(30)
    ]
    async with FakePrometheus(many) as server:
        evidence = await asked(server.url)
    assert len(of_kind(evidence, "metric")) == 20
    assert "10 more series are not as usual" in notes(evidence)


async def test_a_secret_in_a_label_is_masked_before_it_is_kept() -> None:
    from fanfold.troubleshoot.ask import ask

    labels = {"dsn": "postgres://app:hunter2secret9@db/x"}
    async with FakePrometheus([Series(name="node_load1", usual=1, value=9, since=SINCE, labels=labels)]) as server:
        source = source_for(server.url)
        async with source.open():
            answered = await ask(source, incident(), timeout_s=30)
    assert answered.success
    assert "hunter2secret9" not in repr(answered)


async def test_only_inside_its_block_it_can_be_asked() -> None:
    with pytest.raises(SourceError, match="not open"):
        await source_for("http://127.0.0.1:9").ask(incident())


@pytest.mark.parametrize("name", ["pg_stat_activity_count", "base_thread_count", "oracledb_sessions_value"])
async def test_a_gauge_whose_name_ends_as_a_counter_s_may_is_asked_for(name: str) -> None:
    async with FakePrometheus([Series(name=name, usual=140, value=497, since=SINCE)]) as server:
        assert name in by_name(await asked(server.url))
