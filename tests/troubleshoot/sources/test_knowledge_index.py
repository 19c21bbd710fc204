"""The index over real SQLite and real vectors: kept up to date, searched by code, words and meaning."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanfold.troubleshoot.sources import SourceError
from fanfold.troubleshoot.sources.knowledge import Index, documents, index_command
from fanfold.troubleshoot.sources.knowledge.index import STARTER_SET
from fanfold.troubleshoot.sources.knowledge.vectors import VectorsUnavailable


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("# A\n## Queue is full\nStart the consumer.\n")
    (folder / "deep" / "b.txt").write_text("Printer\n-------\nNo paper in the printer.\n")
    return folder


@pytest.fixture(scope="module")
def starter() -> Iterator[Index]:
    """The starter set, for those who only search it."""
    with Index.open(None) as index:
        index.update_starter()
        yield index


def names(index: Index) -> list[str]:
    return [entry.name for entry, _ in index.entries()]


def simple_pdf(text: str) -> bytes:
    """A PDF of one page, written by hand."""
    shown = b"".join(b"(%s) Tj 0 -20 Td " % line.encode("latin-1") for line in text.splitlines())
    stream = b"BT /F1 12 Tf 50 750 Td " + shown + b"ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj%s\nendobj\n" % (number, content))
    start = out.tell()
    out.write(b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % start)
    return out.getvalue()


def test_only_what_changed_is_read_again(books: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "index.sqlite") as index:
        first = index.update([books])
        assert (len(first.added), first.unchanged, first.entries) == (2, 0, 2)
        again = index.update([books])
        assert (again.added, again.changed, again.removed, again.unchanged) == ((), (), (), 2)
        (books / "a.md").write_text("## Queue is empty\nStart the producer.\n")
        (books / "c.md").write_text("## New\nthing\n")
        (books / "deep" / "b.txt").unlink()
        third = index.update([books])
    assert third.added == (str(books / "c.md"),)
    assert third.changed == (str(books / "a.md"),)
    assert third.removed == (str(books / "deep" / "b.txt"),)
    with Index.open(tmp_path / "index.sqlite") as index:
        assert names(index) == ["a#queue-is-empty", "c#new"]
        assert not index.search("paper in the printer", by="words")


def test_a_file_touched_without_a_change_is_unchanged(books: Path) -> None:
    with Index.open(None) as index:
        index.update([books])
        os.utime(books / "a.md", (1, 1))
        assert index.update([books]).unchanged == 2


def test_other_folders_stay_when_one_is_updated(books: Path, tmp_path: Path) -> None:
    other = tmp_path / "books-of-others"
    other.mkdir()
    (other / "o.md").write_text("## Other\nthing\n")
    with Index.open(None) as index:
        index.update([books, other])
        index.update([books])
        assert "o#other" in names(index)
        (other / "o.md").unlink()
        assert index.update([other]).removed == (str(other / "o.md"),)


def test_a_folder_that_is_gone_leaves_the_index(books: Path) -> None:
    with Index.open(None) as index:
        index.update([books / "deep"])
        (books / "deep" / "b.txt").unlink()
        (books / "deep").rmdir()
        updated = index.update([books / "deep"])
        assert (len(updated.removed), updated.entries, len(updated.skipped)) == (1, 0, 1)


def test_what_can_not_be_read_is_reported_and_the_rest_indexed(books: Path) -> None:
    (books / "broken.pdf").write_bytes(b"%PDF-1.4\n%broken")
    (books / "binary.md").write_bytes(b"text\0more")
    (books / "picture.png").write_bytes(b"\x89PNG")
    os.mkfifo(books / "pipe.md")
    with Index.open(None) as index:
        updated = index.update([books, books / "picture.png"])
    reasons = {Path(skipped.path).name: skipped.why for skipped in updated.skipped}
    assert "no PDF" in reasons["broken.pdf"]
    assert reasons["binary.md"] == "it is binary"
    assert reasons["pipe.md"] == "it is no ordinary file"
    assert ".png" in reasons["picture.png"]
    assert len(updated.added) == 2


def test_a_file_that_breaks_loses_its_entries(books: Path) -> None:
    with Index.open(None) as index:
        index.update([books])
        (books / "a.md").write_bytes(b"\0")
        assert index.update([books]).removed == (str(books / "a.md"),)


def test_a_file_larger_than_the_cap_is_left_out(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_TEXT_BYTES", 30)
    with Index.open(None) as index:
        updated = index.update([books])
    assert [Path(skipped.path).name for skipped in updated.skipped] == ["a.md", "b.txt"]
    assert "larger than" in updated.skipped[0].why


def test_links_out_of_the_folder_are_not_followed(books: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("## Secret\nof others\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.md").write_text("## Elsewhere\nx\n")
    (books / "link.md").symlink_to(secret)
    (books / "folder").symlink_to(tmp_path / "elsewhere")
    (books / "loop").symlink_to(books)
    (books / "inside.md").symlink_to(books / "deep" / "b.txt")
    with Index.open(None) as index:
        updated = index.update([books])
        assert [(Path(one.path).name, one.why) for one in updated.skipped] == [
            ("link.md", "it is a link out of its folder")
        ]
        assert names(index) == ["a#queue-is-full", "b#printer", "inside#printer"]


def test_pdf_is_read_by_pages(books: Path) -> None:
    (books / "manual.pdf").write_bytes(simple_pdf("1.1 Robot of the library is stuck\nOpen a call with the vendor."))
    with Index.open(None) as index:
        assert index.update([books]).skipped == ()
        hit = index.search("robot stuck", limit=1)[0]
    assert hit.reference == f"{books / 'manual.pdf'}#page=1"
    assert "Open a call" in hit.entry.text


def test_windows_text_and_utf16_are_read(books: Path) -> None:
    (books / "w.md").write_bytes("## Impressão\nSem papel\n".encode("cp1252"))
    (books / "u.md").write_bytes("## Conexão\nperdida\n".encode("utf-16"))
    with Index.open(None) as index:
        index.update([books])
        assert {"w#impressao", "u#conexao"} <= set(names(index))


def test_an_update_with_no_time_left_says_so_and_removes_nothing(books: Path) -> None:
    with Index.open(None) as index:
        index.update([books])
        (books / "a.md").unlink()
        updated = index.update([books], budget_s=-1)
        assert not updated.is_complete
        assert (updated.removed, updated.entries) == ((), 2)


def test_an_entry_that_explains_a_code_comes_before_better_words(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text(
        "## BATCH001 failed badly with S0C7 at night\nBATCH001 BATCH001 failed badly at night\n"
        "## S0C7: data exception\nA field is no number.\n## BATCH001 failed badly at night\nBATCH001\n"
    )
    with Index.open(None) as index:
        index.update([tmp_path])
        hits = index.search("BATCH001 failed badly at night with ABEND S0C7", limit=3)
    assert [hit.entry.title[:8] for hit in hits] == ["S0C7: da", "BATCH001", "BATCH001"]
    assert [hit.exact for hit in hits] == [("S0C7",), ("S0C7",), ()]
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].score == 1.0 > hits[2].score


@pytest.mark.parametrize(
    ("code", "entry"),
    [
        ("S0C7", "zos-abends#s0c7-data-exception"),
        ("AWSBIS308I", "workload-messages#awsbis308i-end-of-a-job"),
        ("RC=8", "zos-messages#rc-8-error"),
        ("RC=127", "exit-codes#rc-127-command-not-found"),
        ("ORA-00942", "databases#ora-00904-ora-00942-column-or-table-does-not-exist"),
        ("U1234", "zos-abends#u-codes-in-general-user-abends"),
        ("U4038", "zos-abends#u4038-language-environment-ended-a-program-after-a-severe-error"),
        ("SB37", "zos-abends#sb37-data-set-can-t-get-more-space"),
    ],
)
def test_the_starter_set_explains_codes(code: str, entry: str, starter: Index) -> None:
    assert starter.search("", [code], limit=1)[0].entry.name == entry


def test_each_code_of_a_question_gets_its_entry(starter: Index) -> None:
    hits = starter.search("job failed", ["RC=8", "S0C7", "ORA-01017"], limit=3)
    assert [hit.exact for hit in hits] == [("RC=8",), ("S0C7",), ("ORA-01017",)]


def test_a_bare_number_may_be_a_code(starter: Index) -> None:
    found = [hit.entry.name for hit in starter.search("script ended 126", limit=2)]
    assert "exit-codes#rc-126-command-can-t-be-executed" in found


def test_meaning_finds_what_words_do_not(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("## Vehicles\nThe automobile has stopped.\n## Fruit\nBananas are ripe.\n")
    with Index.open(None) as index:
        index.update([tmp_path])
        assert not index.search("car engine", by="words")
        assert index.search("car engine", by="vectors", limit=1)[0].entry.title == "Vehicles"
        assert index.search("car engine", limit=1)[0].entry.title == "Vehicles"


def test_a_question_in_another_language_finds_the_entry(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("## Disco cheio no servidor\nExecute o expurgo.\n## Password expired\nRenew it.\n")
    with Index.open(None, with_vectors=False) as index:
        index.update([tmp_path])
        assert index.search("disk of the server is full", limit=1)[0].entry.title == "Disco cheio no servidor"
        assert index.search("a senha venceu", limit=1)[0].entry.title == "Password expired"


@pytest.mark.parametrize(
    "query", ["", "   ", '"', "a AND (b OR", "NEAR(x y)", "title:", "*", "col1 : ^x -y", "é" * 9_000]
)
def test_no_question_breaks_the_search(query: str, starter: Index) -> None:
    assert len(starter.search(query, limit=3)) <= 3


def test_without_the_starter_set_only_own_entries_count(books: Path) -> None:
    with Index.open(None) as index:
        index.update_starter()
        index.update([books])
        hits = index.search("queue full S0C7", limit=10, starter=False)
        assert {Path(hit.path).name for hit in hits} <= {"a.md", "b.txt"}


def test_without_vectors_words_still_find(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise VectorsUnavailable("wordllama is not installed")

    monkeypatch.setattr("fanfold.troubleshoot.sources.knowledge.index.load_vectors", unavailable)
    with Index.open(None) as index:
        index.update([books])
        assert index.without_vectors == "wordllama is not installed"
        (hit, *_) = index.search("the queue is full")
    assert (hit.entry.name, hit.similarity) == ("a#queue-is-full", None)


def test_entries_get_vectors_once_they_can_be_made(books: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with Index.open(path, with_vectors=False) as index:
        index.update([books])
    with Index.open(path) as index:
        assert len(index.update([books]).changed) == 2
        assert index.search("queue", limit=1)[0].similarity is not None


def test_a_change_by_another_is_seen(books: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with Index.open(path) as one, Index.open(path) as other:
        one.update([books])
        assert one.search("tape robot") == [] or "robot" not in one.search("tape robot")[0].entry.text
        (books / "t.md").write_text("## Tape robot\nThe robot of the tape library is stuck.\n")
        other.update([books])
        assert one.search("tape robot", limit=1)[0].entry.title == "Tape robot"


def test_two_processes_may_index_at_once(books: Path, tmp_path: Path) -> None:
    for number in range(40):
        (books / f"n{number}.md").write_text(f"## Entry {number}\nabout thing {number}\n")
    path = tmp_path / "data" / "index.sqlite"
    program = (
        "import sys; from pathlib import Path; from fanfold.troubleshoot.sources.knowledge import index_command;"
        "print(index_command([Path(sys.argv[1])], Path(sys.argv[2])).entries)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, books, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    with Index.open(path) as index:
        found = [name for name in names(index) if name.startswith("n")]
        assert len(found) == len(set(found)) == 40
        assert index.update([books]).unchanged == 42


def test_threads_may_search_while_it_is_updated(books: Path, tmp_path: Path) -> None:
    failures: list[BaseException] = []
    with Index.open(tmp_path / "index.sqlite") as index:
        index.update_starter()

        def search() -> None:
            try:
                for _ in range(30):
                    assert index.search("disk is full S0C7", limit=3)
            except BaseException as error:  # noqa: BLE001 told to the test
                failures.append(error)

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(10):
            (books / "a.md").write_text(f"## Queue {number}\nfull\n")
            index.update([books])
        for thread in threads:
            thread.join()
    assert failures == []


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite"
    path.write_text("this is no database, but long enough to be looked at" * 20)
    with pytest.raises(SourceError, match="can't be used") as caught:
        Index.open(path)
    assert caught.value.hint
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()
    with pytest.raises(SourceError, match="no index of knowledge"):
        Index.open(foreign)


def test_an_index_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    Index.open(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(SourceError, match="another version"):
        Index.open(path)


def test_the_command_indexes_the_starter_set_too(books: Path, tmp_path: Path) -> None:
    updated = index_command([books], tmp_path / "new" / "index.sqlite")
    assert len(updated.added) == 2
    assert updated.entries > 122


def test_the_starter_set_is_whole() -> None:
    with Index.open(None, with_vectors=False) as index:
        updated = index.update_starter()
        entries = [entry for entry, _ in index.entries()]
    assert updated.skipped == ()
    assert len(updated.added) == len(list(STARTER_SET.glob("*.md")))
    assert len(entries) >= 120
    assert len({entry.name for entry in entries}) == len(entries)
    assert [entry.name for entry in entries if not entry.text or not entry.keywords] == []
    assert [entry.name for entry in entries if not entry.steps] == []


def test_causes_of_the_starter_set_are_classes_of_causes() -> None:
    import tomllib

    import fanfold.troubleshoot

    rules = Path(fanfold.troubleshoot.__file__).parent / "rules" / "causes.toml"
    classes = set(tomllib.loads(rules.read_text(encoding="utf-8")))
    with Index.open(None, with_vectors=False) as index:
        index.update_starter()
        told = {entry.cause for entry, _ in index.entries()} - {""}
    assert told <= classes
    assert len(told) >= 20
