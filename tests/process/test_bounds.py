"""How much a program may write, file by file and together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fanfold.process import Growth, TooLarge, limited, run

MB = 1024 * 1024


async def test_no_file_grows_beyond_its_limit_and_the_program_is_told(tmp_path: Path) -> None:
    code = (
        "f = open('big', 'wb')\n"
        "try:\n    [f.write(bytes(65536)) for _ in range(100)]\n    f.close()\n"
        "except OSError as error:\n    print(error.errno)"
    )
    done = await run(limited([sys.executable, "-c", code], MB), cwd=tmp_path)
    assert done.stdout == b"27\n"
    assert (tmp_path / "big").stat().st_size == MB


async def test_a_hole_counts_as_much_as_what_is_written(tmp_path: Path) -> None:
    done = await run(limited(["/usr/bin/truncate", "-s", "1T", "sparse"], MB), cwd=tmp_path)
    assert done.returncode != 0
    assert not (tmp_path / "sparse").exists() or (tmp_path / "sparse").stat().st_size <= MB


async def test_children_are_limited_too_and_arguments_stay_as_they_are(tmp_path: Path) -> None:
    argv = ["/bin/sh", "-c", 'head -c 4M /dev/zero > big; echo "$1"', "sh", "a b $(touch planted)"]
    done = await run(limited(argv, MB), cwd=tmp_path)
    assert done.stdout == b"a b $(touch planted)\n"
    assert (tmp_path / "big").stat().st_size == MB
    assert not (tmp_path / "planted").exists()


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


async def test_what_was_there_before_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "old", 4 * MB)
    growth = Growth([tmp_path], MB)
    write(tmp_path / "new", MB // 2)
    assert MB // 2 <= growth.written_bytes() < MB
    await growth.check()


async def test_many_small_files_are_too_large_together(tmp_path: Path) -> None:
    growth = Growth([tmp_path], MB)
    for number in range(40):
        write(tmp_path / f"folder-{number}" / "file", 64 * 1024)
    assert growth.written_bytes() > MB
    growth._free += MB  # as if nobody else had freed anything meanwhile
    with pytest.raises(TooLarge, match="more than 1,048,576 bytes"):
        await growth.check()


async def test_a_closed_folder_hides_nothing(tmp_path: Path) -> None:
    growth = Growth([tmp_path], MB)
    write(tmp_path / "closed" / "file", 2 * MB)
    (tmp_path / "closed").chmod(0)
    assert growth.written_bytes() >= 2 * MB


async def test_links_are_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    growth = Growth([inside], MB)
    write(outside / "large", 4 * MB)
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "large")
    assert growth.written_bytes() < MB
