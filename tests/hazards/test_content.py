"""What files hold, what they are called, and what git makes of both."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fanfold.testing.repositories import TemporaryRepository

from .harness import BROKEN, FIXED, make_scene

ODD = (
    "new\nline.py",
    "quo'te\".py",
    "b\udce9ta.py",
    "-leading-dash.py",
    "caf\u00e9.py",
    "cafe\u0301.py",
    "case.py",
    "Case.py",
    " space.py",
    "tab\tbed.py",
    "back\\slash.py",
    "star[*]?.py",
    ":(exclude)magic.py",
    "$(touch pwned).py",
    "{root}.py",
    "n" * 200 + ".py",
    "/".join(["d" * 100] * 12) + "/deep.py",
    "a/utils.py",
    "b/utils.py",
    "a/b/utils.py",
)


def test_file_of_any_name_is_fixed_by_itself(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, dict.fromkeys(ODD, BROKEN))
    scene.acts["-leading-dash.py"] = "assert not sys.argv[1].startswith('-'); fix()"
    ran = scene.fix()
    assert (ran.code, set(scene.changed(ran))) == (0, set(ODD)), ran.told
    assert {scene.blob(ran, name) for name in ODD} == {FIXED.encode()}


def test_hidden_git_folder_in_a_tree_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    user, ran_it = scene.user, tmp_path / "ran"
    hook = user.git("hash-object", "-w", "--stdin", stdin=f"#!/bin/sh\ntouch '{ran_it}'\n".encode()).strip()
    hooks = user.git("mktree", stdin=f"100755 blob {hook}\tpost-checkout\n".encode()).strip()
    inner = user.git("mktree", stdin=f"040000 tree {hooks}\thooks\n".encode()).strip()
    blob = user.git("rev-parse", "HEAD:a.py").strip()
    root = user.git("mktree", stdin=f"100644 blob {blob}\ta.py\n040000 tree {inner}\t.git\n".encode()).strip()
    user.git("update-ref", "HEAD", user.git("commit-tree", root, "-m", "evil").strip())
    ran = scene.fix(sound=False)
    assert (ran.code, ran_it.exists()) == (2, False)
    assert "invalid path '.git/hooks/post-checkout'" in ran.words


KINDS = {
    "deleted.py": "path.unlink()",
    "renamed.py": "fix(); path.rename('moved.py')",
    "copied.py": "fix(); pathlib.Path('copy.py').write_bytes(path.read_bytes())",
    "executable.py": "fix(); path.chmod(0o755)",
    "plain.py": "fix(); path.chmod(0o644)",
    "linked.py": "path.unlink(); path.symlink_to({outside!r})",
    "followed.py": "path.unlink(); path.symlink_to({outside!r}); path.write_text('import sys\\n')",
    "folder.py": "path.unlink(); path.mkdir(); (path / 'a.py').write_text('import sys\\n')",
    "repository.py": "path.unlink(); git('init', '-q', path.name)",
    "pipe.py": "path.unlink(); os.mkfifo(path)",
    "binary.py": "path.write_bytes(bytes(range(256)) * 99)",
    "emptied.py": "path.write_bytes(b'')",
    "others.py": "fix(); pathlib.Path('good.py').write_text('')",
    "package/swapped.py": "os.rename('package', 'moved'); os.symlink({outside!r}, 'package')",
}


def test_agent_that_makes_something_else_of_its_file_is_refused_and_nothing_outside_changes(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, {**dict.fromkeys(KINDS, BROKEN), "good.py": BROKEN, "package/__init__.py": ""})
    (scene.user.root / "plain.py").chmod(0o755)
    scene.user.commit()
    outside = tmp_path / "outside"
    outside.write_text(BROKEN)
    scene.acts.update({name: act.format(outside=str(outside)) for name, act in KINDS.items()})
    ran = scene.fix()
    assert scene.changed(ran) == {"good.py": "100644"}
    assert {name for name, status in ran.status.items() if status in {"fixed", "partial"}} == {"good.py"}, ran.status
    said = {name: ran.reasons(name) for name in KINDS}
    assert "deletes its file" in said["deleted.py"]
    assert "changes 'moved.py', which is not its file" in said["renamed.py"]
    assert "changes 'copy.py', which is not its file" in said["copied.py"]
    assert "mode of its file from 100644 to 100755" in said["executable.py"]
    assert "mode of its file from 100755 to 100644" in said["plain.py"]
    assert "something that is no regular file" in said["linked.py"]
    assert "does not compile" in said["binary.py"]
    assert "removes all of the code" in said["emptied.py"]
    assert all(said.values())


def test_modes_links_and_contents_that_nobody_is_to_touch_are_on_the_result_as_they_were(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(BROKEN)
    scene = make_scene(
        tmp_path,
        {
            "run.py": "#!/usr/bin/env python\n" + BROKEN,
            "read-only.py": BROKEN,
            "closed/inner.py": BROKEN,
            "binary.bin": bytes(range(256)),
            "empty.py": "",
            "no-newline.py": BROKEN.rstrip("\n"),
            "marked.py": "\ufeff" + BROKEN,
            "huge.py": BROKEN + "x = 1  # a long line of no interest to anybody\n" * 3_000,
            "wide.py": BROKEN + f"x = '{'x' * 200_000}'\n",
        },
    )
    user = scene.user
    (user.root / "run.py").chmod(0o755)
    (user.root / "link.py").symlink_to(outside)
    (user.root / "folder").symlink_to("/")
    (user.root / "dangling.py").symlink_to("nowhere")
    user.commit()
    (user.root / "read-only.py").chmod(0o444)
    (user.root / "closed").chmod(0o555)
    ran = scene.fix()
    assert not ran.status.keys() & {"link.py", "dangling.py"}, ran.told
    fixed = {"read-only.py", "closed/inner.py", "no-newline.py", "marked.py", "huge.py", "wide.py"}
    assert scene.changed(ran) == {"run.py": "100755", **dict.fromkeys(fixed, "100644")}
    assert scene.blob(ran, "no-newline.py") == FIXED.rstrip("\n").encode()
    assert scene.blob(ran, "marked.py") == b"\xef\xbb\xbf" + FIXED.encode()
    assert scene.user.git("diff", "--numstat", "main", f"{ran.branch}", "--", "huge.py") == "0\t1\thuge.py\n"
    assert outside.read_text() == BROKEN
    assert stat.S_IMODE((user.root / "read-only.py").stat().st_mode) == 0o444
    assert stat.S_IMODE((user.root / "closed").stat().st_mode) == 0o555


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("autocrlf", ["true", "input", "false"])
def test_line_ends_are_stored_as_the_user_s_own_git_add_would(tmp_path: Path, autocrlf: str) -> None:
    scene = make_scene(tmp_path, {".gitattributes": "win.py text eol=crlf\nraw.py -text\n"})
    user = scene.user
    user.write({"raw.py": crlf(BROKEN), "stored.py": crlf(BROKEN), "win.py": crlf(BROKEN), "unix.py": BROKEN})
    user.commit()
    user.git("config", "core.autocrlf", autocrlf)
    for name in ("win.py", "unix.py"):
        (user.root / name).unlink()
    user.git("checkout", "-q", "--", ".")
    ran = scene.fix("--apply", touching=applied)
    assert (ran.code, ran.report["applied"]) == (0, True), ran.told
    changed = ("raw.py", "stored.py", "win.py", "unix.py")
    assert set(scene.changed(ran)) == set(changed)
    numbers = user.git("diff", "--numstat", ran.report["base"], f"{ran.branch}").splitlines()
    assert {line.split("\t")[0] + line.split("\t")[1] for line in numbers} == {"01"}, "other lines changed, too"
    assert user.git("status", "--porcelain") == ""
    assert b"\r\n" in (user.root / "win.py").read_bytes()
    assert (b"\r\n" in (user.root / "unix.py").read_bytes()) == (autocrlf == "true")


def applied(name: str) -> bool:
    """What a fast-forward changes."""
    return name.startswith("file ") or name in {
        "git index", "git ORIG_HEAD", "git logs/HEAD", "git logs/refs/heads/main", "git refs/heads/main",
    }  # fmt: skip


def program(where: Path, name: str, text: str) -> str:
    """A program of the user's that git runs."""
    path = where / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_clean_filter_that_masks_a_secret_is_honoured(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, {".gitattributes": "*.py filter=mask\n"})
    user = scene.user
    mask = program(tmp_path, "mask", "sed s/hunter2/PASSWORD/")
    unmask = program(tmp_path, "unmask", "sed s/PASSWORD/hunter2/")
    user.git("config", "filter.mask.clean", mask)
    user.git("config", "filter.mask.smudge", unmask)
    user.git("config", "filter.mask.required", "true")
    user.commit({"a.py": BROKEN + "key = 'hunter2'\n"})
    ran = scene.fix("--apply", touching=applied)
    assert (ran.code, ran.report["applied"]) == (0, True), ran.told
    assert scene.blob(ran, "a.py") == f"{FIXED}key = 'PASSWORD'\n".encode()
    assert (user.root / "a.py").read_text() == f"{FIXED}key = 'hunter2'\n"
    assert "hunter2" not in user.git("cat-file", "--batch-all-objects", "--batch")


def test_filter_that_fails_ends_its_own_file_with_its_own_words(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "b.py": BROKEN, ".gitattributes": "b.py filter=broken\n"})
    picky = 't=$(cat; echo x); case "$t" in *"import os"*) printf %s "${t%x}";; *) echo no key >&2; exit 3;; esac'
    scene.user.git("config", "filter.broken.clean", program(tmp_path, "broken", picky))
    scene.user.git("config", "filter.broken.smudge", "cat")
    scene.user.git("config", "filter.broken.required", "true")
    ran = scene.fix()
    assert (ran.code, scene.changed(ran)) == (1, {"a.py": "100644"}), ran.told
    assert "no key" in ran.reasons("b.py")


def large_files(where: Path, user: TemporaryRepository) -> Path:
    """What `git lfs install` sets up, with a program that keeps contents in a folder and honours git-lfs' variable."""
    store = where / "large"
    store.mkdir()
    clean = (
        f'f=$(mktemp -p {store}); cat > "$f"; if head -c 7 "$f" | grep -q version; then cat "$f"; else '
        f'h=$(sha256sum < "$f" | cut -c1-64); cp "$f" {store}/$h; '
        'printf "version https://git-lfs.github.com/spec/v1\\n"; '
        'printf "oid sha256:%s\\nsize %s\\n" $h $(wc -c < "$f"); fi; rm "$f"'
    )
    smudge = (
        f'[ -n "$GIT_LFS_SKIP_SMUDGE" ] && exec cat; echo >> {where}/fetched; cat {store}/$(sed -n "s/oid sha256://p")'
    )
    user.git("config", "filter.lfs.clean", program(where, "lfs-clean", clean))
    user.git("config", "filter.lfs.smudge", program(where, "lfs-smudge", smudge))
    user.git("config", "filter.lfs.required", "true")
    return store


def test_large_files_stay_pointers_on_the_result_and_contents_in_the_checkout(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, {".gitattributes": "*.bin filter=lfs\nlarge/*.py filter=lfs\n"})
    store = large_files(tmp_path, scene.user)
    content = bytes(range(256)) * 4096
    scene.user.commit({"a.py": BROKEN, "model.bin": content, "large/data.py": BROKEN})
    kept = sorted(store.iterdir())
    ran = scene.fix("a.py", "--apply", touching=applied)
    assert (ran.code, scene.changed(ran)) == (0, {"a.py": "100644"}), ran.told
    assert scene.blob(ran, "model.bin").startswith(b"version https://git-lfs.github.com/spec/v1\n")
    assert scene.blob(ran, "large/data.py").startswith(b"version https://git-lfs.github.com/spec/v1\n")
    assert (scene.user.root / "model.bin").read_bytes() == content
    assert sorted(store.iterdir()) == kept
    assert not (tmp_path / "fetched").exists()


def test_programs_and_habits_of_the_user_s_diffs_change_nothing(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, ".gitattributes": "*.py diff=odd\n"})
    user, ran_it = scene.user, tmp_path / "ran"
    spy = program(tmp_path, "spy", f"touch '{ran_it}'; echo nothing at all")
    settings = {
        "diff.odd.textconv": spy, "diff.odd.command": spy, "diff.external": spy, "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true", "color.ui": "always", "color.diff": "always", "core.pager": spy,
        "diff.renames": "copies", "diff.context": "0", "diff.algorithm": "histogram", "diff.wordRegex": ".",
        "diff.ignoreSubmodules": "all", "diff.orderFile": "/dev/null", "core.quotePath": "false",
        "log.showSignature": "true", "core.abbrev": "4", "merge.renames": "true", "apply.whitespace": "fix",
        "diff.relative": "true", "diff.interHunkContext": "9", "core.whitespace": "cr-at-eol",
    }  # fmt: skip
    for name, value in settings.items():
        user.git("config", name, value)
    ran = scene.fix("--diff")
    (task,) = ran.report["tasks"]
    assert (task["status"], task["diff"].splitlines()[0]) == ("fixed", "diff --git a/a.py b/a.py"), ran.told
    user.git("apply", "--unsafe-paths", "--check", stdin=task["diff"].encode())
    assert not ran_it.exists()
