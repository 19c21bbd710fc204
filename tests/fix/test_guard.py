"""What runs inside the project's own Python processes."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from fanfold.fix.guard import Guarded, GuardReport, guard_environment, read_reports
from fanfold.testing.repositories import TemporaryRepository

SHOP = {"src/shop/__init__.py": "where = 'main'\n", "src/shop/core.py": "where = 'main'\n"}


def interpreters() -> dict[str, str]:
    """Each version of Python that this machine has, the running one at least."""
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    homes = [Path(sys.base_prefix).parent.glob("*/bin"), (Path(one) for one in os.get_exec_path())]
    for folder in (folder for home in homes for folder in home):
        for minor in range(8, 20):
            path = folder / f"python3.{minor}"
            if path.is_file() and f"3.{minor}" not in found and _works(path):
                found[f"3.{minor}"] = str(path)
    return found


def _works(python: Path) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


INTERPRETERS = interpreters()


@dataclass(frozen=True)
class Place:
    """A main checkout and a workspace, and Python processes that are guarded between them."""

    root: Path
    tracked: Collection[str] | None
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def main(self) -> Path:
        return self.root / "main"

    @property
    def workspace(self) -> Path:
        return self.root / "ws"

    def arrange(self, *, redirect: bool = True, copies: tuple[tuple[Path, str], ...] = ()) -> Place:
        guarded = Guarded(self.main, self.workspace, copies=copies, tracked=self.tracked, redirect=redirect)
        self.environ.update(guard_environment(guarded, self.root / "run"))
        return self

    def environment(self, **more: str) -> dict[str, str]:
        path = os.pathsep.join((self.environ["PYTHONPATH"], str(self.main / "src")))
        return {**self.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"], **more}

    def elsewhere(self, folder: Path) -> str:
        """Code that takes the sources out of the import path and puts another folder in."""
        return f"import sys; sys.path[:] = [one for one in sys.path if one[-4:] != '/src'] + [{str(folder)!r}]"

    def python(self, code: str, *options: str, python: str = sys.executable, **more: str) -> str:
        """What Python code prints, run from a third directory as an editable install would be."""
        command = [python, *options, "-c", dedent(code)]
        done = subprocess.run(
            command, env=self.environment(**more), cwd=self.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def report(self) -> GuardReport:
        return read_reports(self.root / "run")

    def offences(self) -> list[str]:
        return [name for name, _ in self.report().offences]


Arrange = Callable[..., Place]


@pytest.fixture
def place(tmp_path: Path) -> Arrange:
    """Arrange a checkout of `main` files, all of them tracked but `generated`, and a workspace of `ws` files."""

    def arrange(
        main: Mapping[str, str] = SHOP,
        ws: Mapping[str, str] | None = None,
        generated: Mapping[str, str] | None = None,
        *,
        known: bool = True,
        redirect: bool = True,
    ) -> Place:
        (tmp_path / "main").mkdir()
        (tmp_path / "ws").mkdir()
        TemporaryRepository(tmp_path / "main").write({**main, **(generated or {})})
        default = {name: text.replace("main", "ws") for name, text in main.items()}
        TemporaryRepository(tmp_path / "ws").write(default if ws is None else ws)
        return Place(tmp_path, sorted(main) if known else None).arrange(redirect=redirect)

    return arrange


IMPORT = "import shop, shop.core; print(shop.where, shop.core.where)"


@pytest.mark.parametrize("version", sorted(INTERPRETERS))
def test_imports_turn_to_the_workspace_on_each_version_of_python(version: str, place: Arrange) -> None:
    it = place()
    assert it.python(IMPORT, python=INTERPRETERS[version]) == "ws ws"
    (process,) = it.report().processes
    assert (process.workspace, process.offences, process.session) == (2, (), False)


@pytest.mark.parametrize("version", sorted(INTERPRETERS))
def test_children_with_environments_of_their_own_are_guarded_on_each_version(version: str, place: Arrange) -> None:
    it = place()
    code = f"""\
        import subprocess, sys
        for close in (True, False):
            child = [sys.executable, "-c", "import sys; sys.path.append({str(it.main / "src")!r}); {IMPORT}"]
            print(subprocess.run(child, env={{}}, close_fds=close, stdout=subprocess.PIPE).stdout.decode().strip())
    """
    assert it.python(code, python=INTERPRETERS[version]).splitlines() == ["ws ws"] * 2
    assert len(it.report().processes) == 3


def test_watching_alone_reports_what_came_from_the_main_checkout(place: Arrange) -> None:
    it = place(redirect=False)
    assert it.python(IMPORT) == "main main"
    assert it.report().offences == (
        ("shop", str(it.main / "src/shop/__init__.py")),
        ("shop.core", str(it.main / "src/shop/core.py")),
    )


def test_main_checkout_under_another_name_is_the_main_checkout(place: Arrange, tmp_path: Path) -> None:
    it = place()
    (tmp_path / "link").symlink_to(it.main)
    assert it.python(f"import sys; sys.path.insert(0, {str(tmp_path / 'link/src')!r}); {IMPORT}") == "ws ws"


def test_paths_that_are_added_later_turn_too(place: Arrange) -> None:
    it = place()
    assert it.python(f"{it.elsewhere(it.main / 'src')}; {IMPORT}") == "ws ws"


def test_module_that_the_workspace_took_away_is_missing(place: Arrange) -> None:
    it = place(ws={"src/shop/__init__.py": ""})
    code = """\
        try: import shop.core
        except ModuleNotFoundError as error: print(error, error.name)
        import sys
        sys.path.append({!r})
        try: import gone
        except ModuleNotFoundError as error: print(error, error.name)
    """
    (it.main / "src/gone.py").write_text("")
    it.arrange()
    tracked = Place(it.root, [*SHOP, "src/gone.py"]).arrange()
    assert tracked.python(code.format(str(it.main / "src"))).splitlines() == [
        "No module named 'shop.core' shop.core",
        "No module named 'gone' gone",
    ]


def test_module_that_became_a_package_is_found(place: Arrange) -> None:
    it = place(main={"src/shop.py": "where = 'main'\n"}, ws={"src/shop/__init__.py": "where = 'ws'\n"})
    code = f"""\
        import sys
        from importlib.machinery import PathFinder
        class Fixed:
            def find_spec(name, path, target=None):
                return PathFinder.find_spec(name, [{str(it.main / "src")!r}])
        sys.path[:] = [one for one in sys.path if not one.endswith("/src")]
        sys.meta_path.append(Fixed)
        import shop
        print(shop.where)
    """
    assert it.python(code) == "ws"


def test_generated_module_may_come_from_the_main_checkout(place: Arrange) -> None:
    it = place(generated={"src/shop/_version.py": "version = '7'\n", "src/built/__init__.py": "by = 'make'\n"})
    assert it.python("import shop._version, built; print(shop._version.version, built.by)") == "7 make"
    assert it.offences() == []


def test_generated_module_of_the_workspace_comes_first(place: Arrange) -> None:
    ws = {"src/shop/__init__.py": "", "src/shop/_version.py": "version = '8'\n"}
    it = place(ws=ws, generated={"src/shop/_version.py": "version = '7'\n"})
    assert it.python("import shop._version; print(shop._version.version)") == "8"


def test_compiled_module_may_come_from_the_main_checkout_even_where_git_can_not_be_asked(place: Arrange) -> None:
    it = place(known=False, generated={"src/shop/other.py": ""})
    (it.root / "fast.py").write_text("speed = 9\n")
    py_compile.compile(str(it.root / "fast.py"), cfile=str(it.main / "src/shop/fast.pyc"))
    assert it.python("import shop.fast; print(shop.fast.speed)") == "9"
    assert it.python("import importlib.util; print(importlib.util.find_spec('shop.other'))") == "None"
    assert it.offences() == []


def test_namespace_packages_turn(place: Arrange) -> None:
    main = {"src/space/one/core.py": "where = 'main'\n"}
    it = place(main=main)
    code = f"""\
        import sys
        sys.path.append({str(it.main / "src")!r})
        import space, space.one.core
        print(space.one.core.where, list(space.__path__))
    """
    assert it.python(code) == f"ws {[str(it.workspace / 'src/space')]}"


@pytest.fixture(scope="session")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment to be copied."""
    root = tmp_path_factory.mktemp("virtual") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True)
    return root


def site_of(environment: Path) -> Path:
    return next(environment.glob("lib/python3*/site-packages"))


@pytest.mark.parametrize("redirect", [True, False])
def test_package_linked_into_the_environment_turns(
    redirect: bool, place: Arrange, virtual: Path, tmp_path: Path
) -> None:
    it = place(redirect=redirect)
    environment = shutil.copytree(virtual, tmp_path / "env", symlinks=True)
    (site_of(environment) / "shop").symlink_to(it.main / "src/shop")
    python = str(environment / "bin/python")
    code = f"{it.elsewhere(Path('/none'))}; {IMPORT}"
    assert it.python(code, python=python) == ("ws ws" if redirect else "main main")
    assert it.offences() == ([] if redirect else ["shop", "shop.core"])


@pytest.mark.parametrize("redirect", [True, False])
def test_files_linked_one_by_one_turn(redirect: bool, place: Arrange, tmp_path: Path) -> None:
    it = place(redirect=redirect)
    for name in SHOP:
        link = tmp_path / "links" / Path(name).relative_to("src")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(it.main / name)
    code = f"{it.elsewhere(tmp_path / 'links')}; {IMPORT}"
    assert it.python(code) == ("ws ws" if redirect else "main main")
    assert it.offences() == ([] if redirect else ["shop", "shop.core"])


def test_environment_within_the_checkout_is_not_the_checkout(place: Arrange, virtual: Path) -> None:
    it = place(known=False)
    environment = shutil.copytree(virtual, it.main / ".tox/py", symlinks=True)
    (site_of(environment) / "third.py").write_text("")
    assert it.python("import third; print(third.__file__)", python=str(environment / "bin/python")) == str(
        site_of(environment) / "third.py"
    )
    assert it.offences() == []


def test_installed_copy_turns_and_is_an_offence_where_it_can_not(place: Arrange, tmp_path: Path) -> None:
    it = place()
    shutil.copytree(it.main / "src/shop", tmp_path / "site/shop")
    code = f"{it.elsewhere(tmp_path / 'site')}; {IMPORT}"
    copies = ((tmp_path / "site/shop", "src/shop"),)
    assert it.arrange(copies=copies).python(code) == "ws ws"
    assert it.offences() == []
    assert it.arrange(copies=copies, redirect=False).python(code) == "main main"
    assert it.offences() == ["shop", "shop.core"]


def test_generated_module_of_an_installed_copy_may_come_from_there(place: Arrange, tmp_path: Path) -> None:
    it = place()
    shutil.copytree(it.main / "src/shop", tmp_path / "site/shop")
    (tmp_path / "site/shop/_version.py").write_text("version = '7'\n")
    it.arrange(copies=((tmp_path / "site/shop", "src/shop"),))
    code = f"{it.elsewhere(tmp_path / 'site')}; {IMPORT}; import shop._version; print(shop._version.version)"
    assert it.python(code) == "ws ws\n7"
    assert it.offences() == []


def test_finders_before_the_guard_are_asked_once(place: Arrange) -> None:
    it = place()
    code = """\
        import sys
        class First:
            asked = []
            def find_spec(name, path, target=None): First.asked.append(name)
        sys.meta_path.insert(0, First)
        import shop
        print(First.asked)
    """
    assert it.python(code) == "['shop']"


def test_no_process_leaves_bytecode_in_the_workspace(place: Arrange) -> None:
    it = place()
    code = f"""\
        import subprocess, sys
        child = "import sys; sys.path.append({str(it.main / "src")!r}); import shop"
        subprocess.run([sys.executable, "-c", child], env={{}}, check=True)
    """
    it.python(code)
    assert it.report().workspace == 1
    assert list(it.workspace.rglob("__pycache__")) == []


def test_metadata_beside_the_sources_stays_visible(place: Arrange) -> None:
    it = place(generated={"src/shop.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: shop\nVersion: 3.1\n"})
    assert it.python(f"from importlib.metadata import version; print(version('shop')); {IMPORT}") == "3.1\nws ws"


def test_data_files_and_listings_are_the_workspace_s(place: Arrange) -> None:
    it = place(main={**SHOP, "src/shop/note.txt": "from main"})
    code = """\
        import importlib.resources, pkgutil, shop
        print((importlib.resources.files("shop") / "note.txt").read_text(), shop.__spec__.origin)
        print([one.module_finder.path for one in pkgutil.iter_modules(shop.__path__)])
    """
    assert it.python(code).splitlines() == [
        f"from ws {it.workspace / 'src/shop/__init__.py'}",
        str([str(it.workspace / "src/shop")]),
    ]


def test_loaders_of_other_kinds_stay_what_they_are(place: Arrange) -> None:
    it = place()
    code = f"""\
        import importlib.machinery, importlib.util, sys
        class Loud(importlib.machinery.SourceFileLoader):
            def get_data(self, path):
                return super().get_data(path) + b"loud = True\\n"
        class Finder:
            @staticmethod
            def find_spec(name, path, target=None):
                file = {str(it.main / "src/shop/core.py")!r}
                if name == "loud":
                    return importlib.util.spec_from_file_location(name, file, loader=Loud(name, file))
        sys.meta_path.append(Finder)
        import loud
        print(loud.where, loud.loud, type(loud.__loader__).__name__)
    """
    assert it.python(code) == "ws True Loud"


def test_file_that_is_loaded_by_its_path_is_an_offence(place: Arrange) -> None:
    it = place()
    code = f"""\
        import importlib.util
        spec = importlib.util.spec_from_file_location("direct", {str(it.main / "src/shop/core.py")!r})
        module = importlib.util.module_from_spec(spec)
        import sys; sys.modules["direct"] = module
        spec.loader.exec_module(module)
    """
    it.python(code)
    assert it.offences() == ["direct"]


def test_script_of_the_main_checkout_is_an_offence(place: Arrange) -> None:
    it = place(main={**SHOP, "run.py": "import shop; print(shop.where)\n"})
    done = subprocess.run([sys.executable, it.main / "run.py"], env=it.environment(), capture_output=True, check=True)
    assert done.stdout == b"ws\n"
    assert it.offences() == ["__main__"]


def test_module_that_was_loaded_before_the_guard_is_an_offence(place: Arrange, virtual: Path, tmp_path: Path) -> None:
    it = place()
    environment = shutil.copytree(virtual, tmp_path / "env", symlinks=True)
    (site_of(environment) / "early.pth").write_text(f"{it.main / 'src'}\nimport shop\n")
    it.python("pass", python=str(environment / "bin/python"))
    assert it.offences() == ["shop"]


LEAVING = {
    "os._exit": "import os, shop; os._exit(0)",
    "os.execv": "import os, sys, shop; os.execv(sys.executable, [sys.executable, '-c', ''])",
    "os.execvpe": (
        "import os, sys\n"
        "os.execvpe(sys.executable, [sys.executable, '-c', f'import sys; sys.path={sys.path}; import shop'], {})"
    ),
    "a fork": "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse:\n import shop\n os._exit(0)",
    "multiprocessing": (
        "import multiprocessing as m\n"
        "p = m.get_context('fork').Process(target=__import__, args=('shop',)); p.start(); p.join()"
    ),
    "a spawned process": (
        "import multiprocessing as m\n"
        "p = m.get_context('spawn').Process(target=__import__, args=('shop',)); p.start(); p.join()"
    ),
    "posix_spawn": (
        "import os, sys\n"
        "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, '-c', 'import shop'], os.environ), 0)"
    ),
    "an exit": "import shop, sys; sys.exit(0)",
}


@pytest.mark.parametrize("way", LEAVING)
def test_process_that_leaves_in_another_way_reports_too(way: str, place: Arrange) -> None:
    it = place(redirect=False)
    it.python(LEAVING[way])
    assert "shop" in it.offences()


def test_child_sees_the_environment_that_it_was_given(place: Arrange) -> None:
    it = place()
    code = """\
        import os, subprocess, sys
        show = "import os; os.environ.pop('LC_CTYPE', None); print(dict(os.environ))"
        for given in ({}, {"PYTHONPATH": "/a:/b", "X": "1"}):
            sys.stdout.flush()
            subprocess.run([sys.executable, "-c", show], env=given)
        subprocess.run(["env"], env={"X": "1"})
    """
    assert it.python(code).splitlines() == ["{}", "{'PYTHONPATH': '/a:/b', 'X': '1'}", "X=1"]


def test_child_of_a_child_and_of_a_shell_is_guarded(place: Arrange) -> None:
    it = place()
    inner = f"import sys; sys.path.append({str(it.main / 'src')!r}); {IMPORT}"
    code = f"""\
        import os, shlex, subprocess, sys
        inner = {inner!r}
        outer = "import subprocess, sys; subprocess.run([sys.executable, '-c', " + repr(inner) + "], env={{}})"
        sys.stdout.flush()
        subprocess.run([sys.executable, "-c", outer], env={{}})
        subprocess.run(["sh", "-c", shlex.join([sys.executable, "-c", inner])], env={{}})
        os.environ.clear()
        subprocess.run([sys.executable, "-c", inner])
    """
    assert it.python(code).splitlines() == ["ws ws"] * 3


def test_script_with_a_python_line_is_guarded_in_an_environment_of_its_own(place: Arrange, tmp_path: Path) -> None:
    it = place()
    script = tmp_path / "shop-tool"
    script.write_text(f"#!{sys.executable}\nimport sys\nsys.path.append({str(it.main / 'src')!r})\n{IMPORT}\n")
    script.chmod(0o755)
    code = f"import subprocess; subprocess.run([{str(script)!r}], env={{}})"
    assert it.python(code) == "ws ws"


REFUSING = ("-I -c pass", "-sE -c pass", "-W error -I -c pass", "-Xdev -E -c pass", "-bI -")
TAKING = ("-", "-s -c pass", "-Wignore -c pass", "-W E -c pass", "-c pass -I", "-m this -I", "--version -I")


def test_child_that_refuses_the_environment_is_named(place: Arrange) -> None:
    it = place()
    code = f"""\
        import subprocess, sys
        for options in {REFUSING + TAKING}:
            subprocess.run([sys.executable, *options.split()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    """
    it.python(code)
    assert it.report().unguarded == tuple(sorted(f"{sys.executable} {options}" for options in REFUSING))


def test_calls_that_make_no_sense_fail_as_ever(place: Arrange) -> None:
    it = place()
    code = """\
        import os, subprocess
        for call in (
            lambda: subprocess.run([]),
            lambda: subprocess.run([1]),
            lambda: subprocess.run(["no-such-program"]),
            lambda: subprocess.run(["a\\0b"], env={}),
            lambda: subprocess.run(["true"], env={1: 2}),
            lambda: os.execve("/no/such", ["x"], {}),
            lambda: os.execve("/no/such", ["x"], None),
            lambda: os.execv("/no/such", []),
            lambda: os.execve(99, ["x"], {}),
            lambda: os.posix_spawn("/no/such", ["x"], {}),
        ):
            try: call()
            except Exception as error: print(type(error).__name__, error)
    """
    bare = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True).stdout
    assert it.python(code) == bare.strip()


def test_child_that_refuses_is_no_matter_where_nothing_leads_to_the_main_checkout(place: Arrange) -> None:
    it = place()
    code = "import subprocess, sys; subprocess.run([sys.executable, '-I', '-c', 'pass'])"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **it.environ}, check=True)
    assert it.report().unguarded == ()


def test_user_s_own_sitecustomize_is_loaded(place: Arrange) -> None:
    it = place(main={"src/sitecustomize.py": "import sys\nsys.where = 'main'\n"})
    code = "import sys, sitecustomize; print(sys.where, sitecustomize.__file__)"
    assert it.python(code) == f"ws {it.workspace / 'src/sitecustomize.py'}"


def test_process_starts_as_ever_when_the_run_is_over(place: Arrange) -> None:
    it = place()
    (it.root / "run/config").unlink()
    assert it.python(IMPORT) == "main main"
    assert it.report().processes == ()


def test_reports_that_can_not_be_written_do_not_disturb(place: Arrange) -> None:
    it = place()
    shutil.rmtree(it.root / "run/reports")
    assert it.python(IMPORT) == "ws ws"


def test_start_loads_next_to_nothing(place: Arrange) -> None:
    it = place()
    code = "import sys; print(*sorted(sys.modules))"
    bare = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True).stdout
    extra = set(it.python(code).split()) - set(bare.split())
    ours = {"fanfold_guard", "fanfold_guard_children", "sitecustomize"}
    assert extra - ours <= {"__future__", "atexit", "_posixsubprocess"}


def test_lazy_modules_stay_asleep(place: Arrange) -> None:
    it = place(main={"src/sleeper.py": "print('awake')\n"})
    code = """\
        import importlib.util, sys
        spec = importlib.util.find_spec("sleeper")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules["sleeper"] = module
        spec.loader.exec_module(module)
    """
    assert it.python(code) == ""
    assert it.report().workspace == 1


def test_odd_entries_among_the_modules_are_passed_over(place: Arrange) -> None:
    it = place()
    code = """\
        import sys, types
        class Slotted: __slots__ = ()
        class Hostile:
            def __getattr__(self, name): raise RuntimeError(name)
        sys.modules.update(none=None, slotted=Slotted(), hostile=Hostile(), text="text", empty=types.ModuleType("e"))
        sys.modules["odd"] = module = types.ModuleType("odd")
        module.__file__ = 5
    """
    it.python(code)
    assert it.offences() == []


def test_file_names_that_are_not_text_are_reported(place: Arrange) -> None:
    it = place(redirect=False)
    (it.main / os.fsdecode(b"src/caf\xe9.py")).write_text("")
    code = "import os; __import__(os.fsdecode(b'caf\\xe9'))"
    tracked = Place(it.root, [os.fsdecode(b"src/caf\xe9.py")]).arrange(redirect=False)
    tracked.python(code, PYTHONUTF8="1")
    assert [os.fsencode(file) for _, file in it.report().offences] == [os.fsencode(it.main / "src") + b"/caf\xe9.py"]
