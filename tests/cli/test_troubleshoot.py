"""`fanfold troubleshoot` and its companions, from the arguments to the exit code, over real servers on loopback."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import jsonschema  # type: ignore[import-untyped]
import pytest

from fanfold.cli.main import main
from fanfold.cli.troubleshoot import UsageError, figures, moment
from fanfold.testing.scheduler import FakeScheduler, Fault, Plan, PlanJob, Run

T = TypeVar("T")
SCHEMA = Path(__file__).parent.parent.parent / "docs" / "evidence.schema.json"
AT = datetime(2024, 12, 11, 8, tzinfo=UTC)
FAILED = Run(status="ABEND", return_code=12, started=AT, ended=AT.replace(minute=2), log="IEF450I ABEND=S0C7 U0000")
PLAN = Plan(
    jobs=(
        PlanJob(name="BATCH001", runs=(FAILED,), error="ABEND S0C7"),
        PlanJob(name="BATCH002", after=("BATCH001",)),
        PlanJob(name="STOCK001", runs=(Run(started=AT, ended=AT.replace(minute=5)),)),
    )
)


@contextmanager
def serving(make: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """A server on a thread of its own, as long as the block: the command has the event loop of this one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="server")
    thread.start()

    def call(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    server = make()
    try:
        yield call(server.__aenter__())
        call(server.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWS_PASSWORD", "operator")
    return tmp_path


@pytest.fixture
def scheduler(project: Path) -> Iterator[FakeScheduler]:
    with serving(lambda: FakeScheduler(PLAN)) as server:
        (project / "fanfold.toml").write_text(
            '[troubleshoot]\nenable_rag_search = false\naudit_file = "audit.jsonl"\n'
            f'[troubleshoot.sources.tws_status]\nurl = "{server.url}"\n'
            'user = "operator"\npassword = { env = "TWS_PASSWORD" }\n'
        )
        yield server


Told = tuple[int, str, str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def call(*arguments: str) -> Told:
        code = main(arguments)
        return code, *capsys.readouterr()

    return call


class TestTroubleshoot:
    @pytest.mark.usefixtures("scheduler")
    def test_cause_is_told_on_stdout_and_progress_on_stderr(self, run: Callable[..., Told]) -> None:
        code, out, error = run("troubleshoot", "Job BATCH001 falhou com ABEND S0C7")
        assert code == 0
        assert "Causa provável:" in out
        assert "[E" in out
        assert "BATCH002" in out
        assert "fanfold incident act rerun DAILY.BATCH001" in out
        assert "TWS status: " in error
        assert "asked TWS status in " in error

    @pytest.mark.usefixtures("scheduler")
    @pytest.mark.parametrize("runtime", ["native", "langgraph"])
    def test_json_holds_the_final_state(self, runtime: str, run: Callable[..., Told]) -> None:
        code, out, error = run("troubleshoot", "--job", "BATCH001", "--json", "--quiet", "--runtime", runtime)
        state = json.loads(out)
        assert (code, state["exit_code"], state["schema_version"]) == (0, 0, 1)
        assert state["message"] == "What is wrong with BATCH001?"
        assert state["metadata"]["speedup_factor"] == 1.0
        assert state["answer"]["hypotheses"][0]["evidence"]
        assert error == ""

    @pytest.mark.usefixtures("scheduler")
    def test_markdown_is_written_where_it_is_asked_for(self, run: Callable[..., Told]) -> None:
        _, out, _ = run("troubleshoot", "Job BATCH001 failed", "--markdown")
        assert "## Likely cause" in out

    @pytest.mark.usefixtures("scheduler")
    def test_job_that_is_well_is_an_answer(self, run: Callable[..., Told]) -> None:
        code, out, _ = run("troubleshoot", "is STOCK001 ok?", "--job", "STOCK001", "--json")
        assert (code, json.loads(out)["answer"]["status"]) == (0, "healthy")

    @pytest.mark.usefixtures("scheduler")
    def test_what_is_in_abend_is_looked_into_where_no_job_is_named(self, run: Callable[..., Told]) -> None:
        code, out, _ = run("troubleshoot", "what failed last night?")
        assert code == 0
        assert "BATCH001" in out

    def test_unreachable_scheduler_is_no_cause_and_no_failure(self, project: Path, run: Callable[..., Told]) -> None:
        (project / "fanfold.toml").write_text(
            "[troubleshoot]\nenable_rag_search = false\n"
            '[troubleshoot.sources.tws_status]\nurl = "https://127.0.0.1:9"\nuser = "u"\n'
            'password = { env = "TWS_PASSWORD" }\n'
        )
        code, out, error = run("troubleshoot", "Job BATCH001 failed")
        assert code == 1
        assert "TWS status: " in out
        assert "127.0.0.1:9" in error

    @pytest.mark.usefixtures("scheduler")
    @pytest.mark.parametrize("message", ["o fechamento parou", "pods keep restarting since 14:00", "BATCH001 on HOLD"])
    def test_whatever_the_words_are_it_is_about_trouble(self, message: str, run: Callable[..., Told]) -> None:
        code, out, _ = run("troubleshoot", message, "--json")
        state = json.loads(out)
        assert (code, state["intent"], state["sources"]) == (0, "troubleshoot", ["tws_status"])

    @pytest.mark.usefixtures("scheduler")
    def test_question_for_a_state_or_a_meaning_chooses_its_sources(
        self, project: Path, run: Callable[..., Told]
    ) -> None:
        (project / "batch.log").write_text("2024-12-11T08:01:00Z ERROR job=BATCH001 ABEND=S0C7\n")
        settings = (project / "fanfold.toml").read_text().replace("enable_rag_search = false\n", "")
        (project / "fanfold.toml").write_text(
            f'{settings}[troubleshoot.sources.log_cache]\npaths = ["batch.log"]\n'
            '[troubleshoot.sources.rag_search]\nindex = "knowledge.sqlite"\n'
        )
        asked = {
            message: json.loads(run("troubleshoot", message, "--json")[1])["sources"]
            for message in ("What does S0C7 mean?", "status of BATCH001", "BATCH001 failed")
        }
        assert asked == {
            "What does S0C7 mean?": ["rag_search"],
            "status of BATCH001": ["tws_status", "log_cache"],
            "BATCH001 failed": ["tws_status", "rag_search", "log_cache"],
        }

    def test_what_a_slow_scheduler_has_said_by_then_counts(self, project: Path, run: Callable[..., Told]) -> None:
        with serving(lambda: FakeScheduler(PLAN, faults=(Fault(on="joblog", latency_s=60.0),))) as server:
            (project / "fanfold.toml").write_text(
                "[troubleshoot]\nenable_rag_search = false\nnode_timeout_seconds = 50\n"
                f'[troubleshoot.sources.tws_status]\nurl = "{server.url}"\ntimeout_s = 40\n'
                'user = "operator"\npassword = { env = "TWS_PASSWORD" }\n'
            )
            _, out, _ = run("troubleshoot", "Job BATCH001 failed", "--json", "--timeout", "3")
        state = json.loads(out)
        assert state.get("errors", []) == []
        kinds = {piece["kind"] for piece in state["answer"]["evidence"]}
        assert {"job", "dependency"} <= kinds
        assert "joblog" not in kinds

    @pytest.mark.usefixtures("scheduler")
    def test_sequential_is_measured_beside_the_documented_factor(self, run: Callable[..., Told]) -> None:
        _, _, error = run("troubleshoot", "Job BATCH001 failed", "--compare-sequential")
        assert "(speedup_factor 1.00)" in error
        assert "once more, measured: one after another " in error

    @pytest.mark.usefixtures("project")
    def test_who_has_configured_nothing_is_told_what_is_missing(self, run: Callable[..., Told]) -> None:
        code, _, error = run("troubleshoot", "Job BATCH001 failed")
        assert code == 1
        assert "hint: no scheduler, logs or metrics are configured here" in error
        assert "hint: " not in run("troubleshoot", "What does S0C7 mean?")[2]

    @pytest.mark.usefixtures("scheduler")
    def test_answer_is_told_even_where_its_evidence_cannot_be_saved(
        self, run: Callable[..., Told], tmp_path: Path
    ) -> None:
        (tmp_path / "saved.json.part").mkdir()
        code, out, error = run("troubleshoot", "Job BATCH001 failed", "--save", "saved.json")
        assert code == 2
        assert "Likely cause:" in out
        assert "saved.json can't be written" in error

    @pytest.mark.usefixtures("scheduler")
    def test_job_that_is_not_there_is_told_beside_the_one_that_is(self, run: Callable[..., Told]) -> None:
        code, out, _ = run("troubleshoot", "--job", "BATCH001", "--job", " ", "--job", "NOPE", "--job", "BATCH001")
        assert code == 0
        assert "which job is meant: NOPE is not in the plan" in out

    @pytest.mark.usefixtures("project")
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((), "it isn't said what is to be looked into"),
            (("--job", " "), "it isn't said what is to be looked into"),
            (("x failed", "--at", "yesterday"), "--at 'yesterday' is no time"),
            (("x failed", "--timeout", "0"), "--timeout 0.0 is no number"),
            (("x failed", "--json", "--markdown"), "contradict each other"),
            (("x failed", "--save", "none/evidence.json"), "can't be saved"),
            (("x failed", "--runtime", "cluster"), "cluster"),
        ],
    )
    def test_wrong_usage_is_told(self, arguments: tuple[str, ...], words: str, run: Callable[..., Told]) -> None:
        code, out, error = run("troubleshoot", *arguments)
        assert (code, out) == (2, "")
        assert words in error

    def test_wrong_configuration_is_told(self, project: Path, run: Callable[..., Told]) -> None:
        (project / "fanfold.toml").write_text("[troubleshoot]\nmin_source_required = 1\n")
        code, _, error = run("troubleshoot", "Job BATCH001 failed")
        assert code == 2
        assert "hint: did you mean min_sources_required?" in error


@pytest.mark.usefixtures("project")
class TestDemo:
    """The demonstration, as on a fresh machine: nothing is configured."""

    def test_right_cause_is_named_with_citations_from_all_four(self, project: Path, run: Callable[..., Told]) -> None:
        code, out, error = run("troubleshoot", "--demo", "--json", "--save", "evidence.json")
        assert code == 0, error
        state = json.loads(out)
        assert state["sources"] == ["tws_status", "rag_search", "log_cache", "metrics"]
        assert state.get("errors", []) == []
        first = state["answer"]["hypotheses"][0]
        assert first["cause"] == "bad_data"
        cited = {piece["source"] for piece in state["answer"]["evidence"] if piece["id"] in first["evidence"]}
        assert {"tws_status", "rag_search", "log_cache"} <= cited
        assert {"BATCH002", "INVOICE1"} <= {
            word for claim in state["answer"]["blast_radius"] for word in claim["text"].replace(".", " ").split()
        }
        jsonschema.validate(json.loads((project / "evidence.json").read_bytes()), json.loads(SCHEMA.read_bytes()))
        _, replayed, _ = run("incident", "replay", "evidence.json", "--json")
        assert json.loads(replayed)["answer"]["hypotheses"] == state["answer"]["hypotheses"]

    def test_nothing_that_was_started_is_left(self, tmp_path: Path) -> None:
        from fanfold.testing.demo import demonstration

        async def pids() -> tuple[int, ...]:
            async with demonstration(tmp_path) as demo:
                assert all(Path(f"/proc/{pid}").exists() for pid in demo.pids)
                return demo.pids

        assert not any(Path(f"/proc/{pid}").exists() for pid in asyncio.run(pids()))


class TestIncident:
    @pytest.mark.usefixtures("scheduler")
    def test_saved_evidence_is_answered_without_the_systems(self, project: Path, run: Callable[..., Told]) -> None:
        _, told, _ = run("troubleshoot", "Job BATCH001 failed with S0C7", "--save", "evidence.json")
        (project / "fanfold.toml").unlink()
        code, replayed, _ = run("incident", "replay", "evidence.json")
        assert (code, replayed) == (0, told)

    def test_evidence_without_a_cause_exits_1(self, project: Path, run: Callable[..., Told]) -> None:
        (project / "x.json").write_text('{"incident": {"message": "x"}, "sources": []}')
        assert run("incident", "replay", "x.json")[0] == 1

    @pytest.mark.usefixtures("project")
    def test_file_that_is_not_there_is_a_wrong_usage(self, run: Callable[..., Told]) -> None:
        code, _, error = run("incident", "replay", "gone.json")
        assert code == 2
        assert "gone.json can't be read" in error

    def test_dry_run_shows_what_would_be_sent(self, scheduler: FakeScheduler, run: Callable[..., Told]) -> None:
        code, out, _ = run("incident", "act", "rerun", "BATCH001", "--justification", "input delivered", "--dry-run")
        assert code == 0
        assert "rerun DAILY.BATCH001 on AGENT01, which is in ABEND\n  PUT http://127.0.0.1:" in out
        assert "  Justification-Description: input delivered\n" in out
        assert scheduler.performed == []

    def test_it_is_not_done_where_nobody_can_confirm_it(
        self, scheduler: FakeScheduler, run: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        code, out, error = run("incident", "act", "rerun", "BATCH001", "--justification", "why")
        assert code == 2
        assert "rerun DAILY.BATCH001" in out
        assert "nobody is there to confirm this" in error
        assert scheduler.performed == []

    def test_it_is_done_when_that_was_said_and_is_written_down(
        self, project: Path, scheduler: FakeScheduler, run: Callable[..., Told]
    ) -> None:
        code, out, error = run(
            "incident", "act", "rerun", "BATCH001", "--justification", "why", "--ticket", "INC1", "--yes"
        )
        assert code == 0
        assert "Done: rerun DAILY.BATCH001; it is in EXEC now" in out
        assert f"written down in {project / 'audit.jsonl'}" in error
        (done,) = scheduler.performed
        assert (done.action, done.job) == ("rerun", "DAILY.BATCH001")
        assert "INC1" in done.justification.values()
        outcomes = [json.loads(line)["outcome"] for line in (project / "audit.jsonl").read_text().splitlines()]
        assert outcomes == ["begun", "done"]

    @pytest.mark.parametrize(("answer", "code", "count"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), ("", 1, 0)])
    def test_terminal_is_asked(
        self,
        answer: str,
        code: int,
        count: int,
        scheduler: FakeScheduler,
        run: Callable[..., Told],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert run("incident", "act", "hold", "BATCH002", "--justification", "why")[0] == code
        assert len(scheduler.performed) == count

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("explode", "BATCH001", "--justification", "x"), "there is no action 'explode'"),
            (("rerun", "BATCH001", "--justification", " "), "the justification is empty"),
            (("rerun", "BATCH001"), "justification"),
            (("rerun", "NOBODY", "--justification", "x", "--yes"), "there is no job 'NOBODY'"),
        ],
    )
    def test_wrong_action_is_told(
        self, arguments: tuple[str, ...], words: str, scheduler: FakeScheduler, run: Callable[..., Told]
    ) -> None:
        code, _, error = run("incident", "act", *arguments)
        assert code == 2
        assert words in error
        assert scheduler.performed == []


class Lengths:
    """An embedder of one's own: what is as long means the same."""

    model = "lengths"

    def of(self, texts: Sequence[str]) -> list[list[float]]:
        return [[1.0, float(len(text))] for text in texts]


class TestKnowledge:
    def test_runbooks_are_indexed_once(self, project: Path, run: Callable[..., Told]) -> None:
        (project / "runbooks").mkdir()
        (project / "runbooks" / "a.md").write_text("# U4711\n\nThe table is full.\n")
        code, out, _ = run("knowledge", "index", "runbooks", "--index", "index.sqlite")
        assert code == 0
        assert out.startswith("1 file new, 0 changed, 0 gone, 0 as before, 0 left out\nthe index has ")
        _, again, _ = run("knowledge", "index", "runbooks", "--index", "index.sqlite")
        assert again.startswith("0 files new, 0 changed, 0 gone, 1 as before, ")

    def test_configured_paths_and_index_are_the_default(self, project: Path, run: Callable[..., Told]) -> None:
        (project / "runbooks").mkdir()
        (project / "runbooks" / "a.md").write_text("# U4711\n\nThe table is full.\n")
        (project / "fanfold.toml").write_text(
            '[troubleshoot.sources.rag_search]\npaths = ["runbooks"]\nindex = "mine.sqlite"\n'
        )
        assert run("knowledge", "index")[0] == 0
        assert (project / "mine.sqlite").exists()

    @pytest.mark.parametrize(
        ("setting", "models"),
        [
            ("", {"wordllama/l2_supercat_256"}),
            ("vectors = false", {""}),
            (f'embedder = "{__name__}:Lengths"', {"lengths"}),
        ],
    )
    def test_index_has_the_vectors_that_the_source_will_search(
        self, setting: str, models: set[str], project: Path, run: Callable[..., Told]
    ) -> None:
        (project / "a.md").write_text("# U4711\n\nThe table is full.\n")
        (project / "fanfold.toml").write_text(f"[troubleshoot.sources.rag_search]\n{setting}\n")
        assert run("knowledge", "index", "a.md", "--index", "index.sqlite")[0] == 0
        with closing(sqlite3.connect(project / "index.sqlite")) as database:
            made = database.execute("SELECT DISTINCT model, vector IS NULL FROM entries").fetchall()
        assert made == [(model, not model) for model in models]

    @pytest.mark.usefixtures("project")
    @pytest.mark.parametrize(
        ("paths", "words"), [((), "it isn't said what to index"), (("gone",), "gone is not there")]
    )
    def test_nothing_to_index_is_told(self, paths: tuple[str, ...], words: str, run: Callable[..., Told]) -> None:
        code, _, error = run("knowledge", "index", *paths)
        assert code == 2
        assert words in error


class TestLogs:
    @pytest.fixture
    def redis(self, tmp_path: Path) -> Iterator[str]:
        from fanfold.testing.demo import real_redis

        @asynccontextmanager
        async def address() -> AsyncIterator[str]:
            async with real_redis(tmp_path / "redis") as (url, _):
                yield url

        with serving(address) as url:
            yield url

    def test_what_is_new_is_written(self, project: Path, redis: str, run: Callable[..., Told]) -> None:
        (project / "batch.log").write_text("2024-12-11T03:12:00Z ERROR job=BATCH001 ABEND=S0C7\n")
        (project / "fanfold.toml").write_text(f'[troubleshoot.sources.log_cache]\nredis = "{redis}"\n')
        code, out, _ = run("logs", "ingest", "batch.log")
        assert (code, out) == (0, "Wrote 1 line of 1 from 1 file, and 0 ends of jobs\n")
        assert run("logs", "ingest", "batch.log")[1].startswith("Wrote 0 lines of 0 ")

    @pytest.mark.usefixtures("project")
    def test_nowhere_to_write_is_told(self, run: Callable[..., Told]) -> None:
        code, _, error = run("logs", "ingest", "batch.log")
        assert code == 2
        assert "it isn't said which Redis" in error
        assert "--redis" in error


NOT_NEEDED = (
    "fanfold.fix",
    "langgraph",
    "pydantic_ai",
    "mcp",
    "pypdf",
    "starlette",
    "uvicorn",
    "opentelemetry",
)


@pytest.mark.usefixtures("scheduler")
@pytest.mark.parametrize(
    "arguments",
    [("troubleshoot", "Job BATCH001 failed", "--runtime", "native"), ("incident", "replay", "saved.json")],
)
def test_nothing_is_imported_that_an_answer_does_not_need(arguments: tuple[str, ...], project: Path) -> None:
    (project / "saved.json").write_text('{"incident": {"message": "x"}, "sources": []}')
    program = (
        "import sys; from fanfold.cli.main import main; code = main(sys.argv[1:]);"
        f"print('imported', [name for name in {NOT_NEEDED} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported []"


class TestMoment:
    NOW = datetime(2024, 12, 11, 9, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("2024-12-11T03:12:00-03:00", datetime(2024, 12, 11, 6, 12, tzinfo=UTC)),
            ("03:12", datetime(2024, 12, 11, 3, 12, tzinfo=UTC)),
            ("23:50", datetime(2024, 12, 10, 23, 50, tzinfo=UTC)),
        ],
    )
    def test_it_is_read_as_people_write_it(self, text: str, at: datetime) -> None:
        assert moment(text, self.NOW) == at

    def test_date_without_a_zone_is_of_this_machine(self) -> None:
        assert moment("2024-12-11T03:12", self.NOW).tzinfo is not None

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(UsageError, match="is no time"):
            moment("noon", self.NOW)


def test_figures_say_both_factors() -> None:
    line = figures(
        {
            "sources": ["tws_status", "metrics"],
            "metadata": {
                "parallel_wall_ms": 501.2,
                "sequential_equivalent_ms": 950.0,
                "speedup_factor": 1.9,
                "measured_parallel_ms": 502.0,
                "measured_sequential_ms": 951.0,
                "measured_speedup": 1.894,
                "usage": {"requests": 2, "input_tokens": 1200, "output_tokens": 300, "cost_usd": 0.00123},
            },
        }
    )
    assert "asked TWS status, metrics at once in 501 ms" in line
    assert "(speedup_factor 1.90)" in line
    assert "one after another 951 ms, at once 502 ms, 1.89 times faster" in line
    assert line.endswith("; the model took 2 requests, 1200 tokens in and 300 out, about 0.0012 USD")
