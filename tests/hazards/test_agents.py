"""What an agent may do: with git in its workspace, with everything outside of it, with processes, output and disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from .harness import BROKEN, FIXED, Scene, make_scene

SANDBOXES = ("auto", "none")

GIT = {
    "commits.py": "fix(); git('commit', '-qam', 'mine'); git('tag', 'mine')",
    "amends.py": "fix(); git('commit', '-q', '--amend', '-am', 'mine')",
    "resets.py": "git('commit', '-q', '--allow-empty', '-m', 'mine'); git('reset', '-q', '--hard', 'HEAD~1'); fix()",
    "rewrites.py": "git('update-ref', 'refs/heads/main', 'HEAD'); git('update-ref', '-d', 'HEAD'); fix()",
    "switches.py": "git('switch', '-q', '-c', 'other'); fix(); git('commit', '-qam', 'x'); git('branch', '-D', 'main')",
    "empties.py": "git('checkout', '-q', '--orphan', 'void'); git('rm', '-rqf', '--cached', '.'); fix()",
    "stashes.py": "fix(); git('stash'); git('stash', 'pop'); git('stash', 'clear')",
    "deletes.py": "fix(); shutil.rmtree('.git', ignore_errors=True)",
    "replaces.py": (
        "fix(); shutil.rmtree('.git', ignore_errors=True)\n"
        "if not os.path.exists('.git'): pathlib.Path('.git').write_text(f'gitdir: {main}/.git\\n')"
    ),
    "links.py": (
        "fix(); shutil.rmtree('.git', ignore_errors=True)\n"
        "if not os.path.exists('.git'): os.symlink(main / '.git', '.git')"
    ),
    "configures.py": (
        "fix(); [git('config', name, spy) for name in ('core.fsmonitor', 'filter.x.clean', 'filter.x.smudge', "
        "'diff.external', 'core.sshCommand', 'core.pager', 'core.editor', 'gpg.program', 'alias.status')]; "
        "git('config', 'core.hooksPath', str(pathlib.Path(spy).parent)); git('config', 'core.worktree', str(main)); "
        "pathlib.Path('.git/info/attributes').write_text('* filter=x\\n')"
    ),
    "worktrees.py": "fix(); git('worktree', 'add', '-q', '../planted'); git('worktree', 'prune')",
    "collects.py": "fix(); git('reflog', 'expire', '--expire=now', '--all'); git('gc', '-q', '--prune=now')",
    "locks.py": "fix(); pathlib.Path('.git/index.lock').touch(); pathlib.Path('.git/HEAD.lock').touch()",
    "ignores.py": "fix(); open('.git/info/exclude', 'w').write('*'); git('update-index', '--skip-worktree', path)",
    "garbles.py": "fix(); pathlib.Path('.git/index').write_text('junk'); pathlib.Path('.git/HEAD').write_text('junk')",
}


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_whatever_an_agent_does_with_git_its_work_lands_and_reaches_nothing_of_the_user_s(
    tmp_path: Path, sandbox: str
) -> None:
    scene = make_scene(tmp_path, dict.fromkeys(GIT, BROKEN))
    user, ran_it = scene.user, tmp_path / "ran"
    user.write({"stashed.txt": "precious\n"})
    user.git("add", "-A")
    user.git("stash")
    hooks = tmp_path / "planted"
    hooks.mkdir()
    for name in ("spy", "post-checkout", "post-commit", "reference-transaction", "pre-commit", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\necho $0 >> '{ran_it}'\nexec cat\n")
        (hooks / name).chmod(0o755)
    scene.acts = {name: f"import shutil\nspy = {str(hooks / 'spy')!r}\n{act}" for name, act in GIT.items()}
    ran = scene.fix("--sandbox", sandbox)
    assert (ran.code, set(scene.changed(ran))) == (0, set(GIT)), ran.told
    assert {scene.blob(ran, name) for name in GIT} == {FIXED.encode()}
    assert user.git("stash", "show", "-p", "--include-untracked", "stash@{0}").endswith("+precious\n")
    assert not ran_it.exists(), ran_it.read_text()


OUTSIDE = {
    "tracked.py": "fix(); (main / 'victim.py').write_text('gone\\n')",
    "untracked.py": "fix(); (main / 'planted.py').write_text('x = 1\\n')",
    "removed.py": "fix(); (main / 'victim.py').unlink()",
    "config.py": "fix(); open(main / '.git/config', 'a').write('[core]\\n\\tfsmonitor = /bin/false\\n')",
    "hook.py": "fix(); (main / '.git/hooks/post-commit').write_text('#!/bin/sh\\n')",
    "commit.py": "fix(); git('-C', main, 'commit', '-q', '--allow-empty', '-m', 'mine')",
    "stash.py": "fix(); git('-C', main, 'stash', 'clear')",
    "index.py": "fix(); git('-C', main, 'rm', '-q', '--cached', 'victim.py')",
}


def outside(tmp_path: Path, *names: str) -> Scene:
    scene = make_scene(tmp_path, {**dict.fromkeys(("good.py", *names), BROKEN), "victim.py": "precious = 1\n"})
    scene.user.write({"stashed.txt": "precious\n"})
    scene.user.git("add", "-A")
    scene.user.git("stash")
    scene.acts = {name: f"try:\n    {OUTSIDE[name]}\nexcept OSError: pass" for name in names}
    return scene


def test_nothing_outside_of_its_workspace_is_there_for_an_agent_in_the_sandbox(tmp_path: Path) -> None:
    scene = outside(tmp_path, *OUTSIDE)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text("[user]\n\tname = Ada\n")
    (tmp_path / "home/secret").write_text("hunter2\n")
    scene.acts["good.py"] = (
        "fix(); git('config', '--global', 'core.fsmonitor', '/bin/false')\n"
        f"secret = pathlib.Path({str(tmp_path / 'home/secret')!r})\n"
        "path.write_bytes(path.read_bytes() + (b'leaked = 1\\n' if secret.exists() else b''))"
    )
    ran = scene.fix("--sandbox", "bwrap")
    assert ran.status["good.py"] == "fixed", ran.told
    assert scene.blob(ran, "good.py") == FIXED.encode()
    assert set(scene.changed(ran)) <= {"good.py", *OUTSIDE}
    assert (tmp_path / "home/.gitconfig").read_text() == "[user]\n\tname = Ada\n"


def test_each_attempt_that_wrote_into_the_checkout_is_refused_and_shown_where_there_is_no_sandbox(
    tmp_path: Path,
) -> None:
    scene = outside(tmp_path, *OUTSIDE)
    ran = scene.fix("--sandbox", "none", "--jobs", "1", touching=lambda _: True)
    assert (ran.code, set(scene.changed(ran))) == (1, {"good.py"}), ran.told
    shown = {"tracked.py": "victim.py", "untracked.py": "planted.py", "removed.py": "victim.py", "config.py": "config",
             "hook.py": "post-commit", "commit.py": "HEAD", "stash.py": "stash", "index.py": "index"}  # fmt: skip
    assert {name: word in ran.reasons(name) for name, word in shown.items()} == dict.fromkeys(OUTSIDE, True), ran.told


DAEMON = """
fix()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(600):
            with open(path, "a") as file:
                file.write("late = 1\\n")
            try:
                (main / "late.py").write_text("x = 1\\n")
            except OSError:
                pass
            time.sleep(0.1)
    os._exit(0)
"""
"""It begins to write a moment after its parent's end."""


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_daemon_that_an_agent_leaves_is_ended_and_writes_nothing_more(tmp_path: Path, sandbox: str) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "b.py": BROKEN})
    scene.acts["a.py"] = DAEMON.replace("for number", "time.sleep(1)\n        for number")
    ran = scene.fix("--sandbox", sandbox)
    assert (ran.code, scene.blob(ran, "a.py")) == (0, FIXED.encode()), ran.told


FLOOD = """
fix()
block = b"x" * (1 << 20)
for number in range({megabytes}):
    os.write(1 + number % 2, block)
"""


@pytest.mark.parametrize("megabytes", [512, pytest.param(10_240, marks=pytest.mark.soak)])
def test_flood_of_output_is_cut_and_takes_no_memory(tmp_path: Path, megabytes: int) -> None:
    scene = make_scene(tmp_path)
    scene.acts["a.py"] = FLOOD.format(megabytes=megabytes)
    ran = scene.fix()
    assert (ran.code, scene.blob(ran, "a.py")) == (0, FIXED.encode()), ran.told
    assert 0 < ran.peak_bytes < 256 << 20


def test_agent_that_writes_without_end_is_stopped_and_the_others_land(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, dict.fromkeys(("a.py", "b.py", "c.py"), BROKEN))
    scene.acts["a.py"] = "fix()\nwith open('full', 'wb') as file:\n    while True: file.write(bytes(1 << 20))"
    scene.acts["b.py"] = (
        "fix()\nfor number in range(200): pathlib.Path(f'full-{number}').write_bytes(bytes(1 << 20)); time.sleep(0.05)"
    )
    scene.environment["FANFOLD_FIX_WORKSPACE_MAX_BYTES"] = str(10 << 20)
    ran = scene.fix("--sandbox", "none")
    assert (ran.code, scene.changed(ran)) == (1, {"c.py": "100644"}), ran.told
    assert all("bytes" in ran.reasons(name) for name in ("a.py", "b.py")), ran.told


ON_A_SMALL_DISK = """
mount -t tmpfs -o size=1500k none "$0" && cp -a "$1" "$0/" && cd "$0/project" || exit 99
where=$1; shift
"$@"; code=$?
find "$where" -mindepth 1 -delete; cp -a . "$where"; exit $code
"""


@pytest.mark.parametrize("full", ["before it lands", "when it is applied"])
def test_full_disk_of_the_repository_costs_no_byte_of_the_checkout(tmp_path: Path, full: str) -> None:
    scene = make_scene(tmp_path, {"a.py": BROKEN, "b.py": BROKEN, "c.py": BROKEN})
    scene.acts["a.py"] = "fix(); path.write_text(path.read_text() + ('# ' + 'much ' * 20 + '\\n') * 16_000)"
    scene.environment["FANFOLD_FIX_ALLOW"] = "size,unrelated"
    disk = tmp_path / "disk"
    disk.mkdir()
    if full == "before it lands":
        scene.acts["a.py"] = f"fix(); os.system('cat /dev/zero > {disk}/filler')"
    scene.wrapper = ("unshare", "-rm", "sh", "-c", ON_A_SMALL_DISK, str(disk), str(scene.user.root))
    ran = scene.fix("--apply", "--sandbox", "none", settled=False)
    assert ran.code == 1, ran.told
    assert ran.report["applied"] is False
    # Where there was room for a change but none for its commit, the run can be resumed.
    resumable = scene.user.git("for-each-ref", "refs/fanfold") != ""
    assert resumable is (ran.report["stopped"] is not None), ran.told
    assert ("No space left on device" if full == "before it lands" else "can't write the checkout") in ran.told
    if full == "when it is applied":
        assert set(scene.changed(ran)) == {"a.py", "b.py", "c.py"}, ran.told


SPOILING = """
fix()
for other in pathlib.Path({cache!r}).rglob("*.py"):
    if pathlib.Path.cwd() not in other.parents and other.name in ("b.py", "c.py", "clean.py"):
        try:
            as_it_was = other.stat()
            other.write_text(other.read_text() + "planted = 1\\n")
            os.utime(other, ns=(as_it_was.st_atime_ns, as_it_was.st_mtime_ns))
        except OSError:
            pass
"""


def test_what_an_agent_plants_where_workspaces_are_made_from_is_on_no_result(tmp_path: Path) -> None:
    names = ("a.py", "b.py", "c.py")
    scene = make_scene(tmp_path, {**dict.fromkeys(names, BROKEN), "clean.py": "x = 1\n"})
    scene.acts["a.py"] = SPOILING.format(cache=str(tmp_path / "home/.cache"))
    for _ in range(2):
        ran = scene.fix("--sandbox", "none", "--jobs", "1")
        assert set(scene.changed(ran)) == set(names), ran.told
        assert {scene.blob(ran, name) for name in names} == {FIXED.encode()}
