"""What an environment says of the project, read from its files; nothing is run."""

from __future__ import annotations

import ast
import csv
import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from fanfold.syntax import parse

SOURCE_FOLDERS = ("src", "", "lib", "python")


def site_directories(python: Path, environment: Path | None) -> tuple[Path, ...]:
    """Where an interpreter finds installed packages: its environment's directory first, then what that includes."""
    prefixes = [environment] if environment is not None else [Path(os.path.realpath(python)).parent.parent]
    if environment is not None and (base := _included_base(environment)) is not None:
        prefixes.append(base)
    found = [site for prefix in prefixes for site in _sites(prefix)]
    return tuple(dict.fromkeys(found))


def _sites(prefix: Path) -> Iterator[Path]:
    for pattern in ("lib/python3*/site-packages", "lib/python3*/dist-packages", "local/lib/python3*/dist-packages"):
        yield from sorted(prefix.glob(pattern))


def _included_base(environment: Path) -> Path | None:
    """The prefix of the interpreter behind a virtual environment that includes its packages."""
    settings = {}
    try:
        for line in (environment / "pyvenv.cfg").read_text().splitlines():
            key, _, value = line.partition("=")
            settings[key.strip().lower()] = value.strip()
    except (OSError, UnicodeDecodeError):
        return None
    includes = settings.get("include-system-site-packages", "").lower() == "true"
    return Path(settings["home"]).parent if includes and settings.get("home") else None


def has_module(name: str, sites: tuple[Path, ...]) -> bool:
    """Whether a module or package of this name is installed in one of the directories, or linked from there."""
    places = [*sites, *(Path(line) for site in sites for line in _path_lines(site))]
    return any((place / name / "__init__.py").is_file() or (place / f"{name}.py").is_file() for place in places)


def installed_version(name: str, sites: tuple[Path, ...]) -> str | None:
    """The version of a distribution that is installed in one of the directories, None = it isn't."""
    found = distributions(name=name, path=[str(site) for site in sites])
    return next((distribution.version for distribution in found), None)


def _path_lines(site: Path) -> Iterator[str]:
    for file in sorted(site.glob("*.pth")):
        try:
            lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError:
            continue
        yield from (line for line in lines if line.startswith("/"))


def linked_folders(sites: tuple[Path, ...]) -> tuple[Path, ...]:
    """Folders anywhere that an environment's path files and editable installs put on the import path."""
    found = [Path(line) for site in sites for line in _path_lines(site)]
    for site in sites:
        for finder in (*site.glob("__editable__*.py"), *site.glob("_editable_impl_*.py")):
            found += _mapped(finder)
    return tuple(dict.fromkeys(found))


def source_roots(main: Path, sites: tuple[Path, ...]) -> tuple[str, ...]:
    """Folders of the main checkout that editable installs put on the import path, relative to its root.

    Found in path files, and in the mappings of import finders as setuptools and `editables` write them; a package
    whose folder has another name than the package is left out: no import path leads to it.
    """
    roots: list[str | None] = []
    for site in sites:
        roots += [_relative(Path(line), main) for line in _path_lines(site)]
        for finder in sorted((*site.glob("__editable__*.py"), *site.glob("_editable_impl_*.py"))):
            roots += [_relative(folder, main) for folder in _mapped(finder)]
    return tuple(dict.fromkeys(root for root in roots if root is not None))


def _mapped(finder: Path) -> Iterator[Path]:
    """Folders to import from, for each pair of module name and path that a finder of an editable install holds."""
    try:
        tree = parse(finder.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        pairs: list[tuple[ast.expr | None, ast.expr]] = []
        if isinstance(node, ast.Dict):
            pairs = list(zip(node.keys, node.values, strict=True))
        elif isinstance(node, ast.Call) and len(node.args) == 2:
            pairs = [(node.args[0], node.args[1])]
        for key, value in pairs:
            name, path = _text(key), _text(value)
            if name and path and path.startswith("/"):
                yield from _import_folder(name, Path(path))


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _import_folder(name: str, path: Path) -> Iterator[Path]:
    if path.name in ("__init__.py", "__init__.pyi"):
        path = path.parent
    parts = name.split(".")
    if list(path.with_suffix("").parts[-len(parts) :]) == parts:
        yield path.parents[len(parts) - 1]


def _relative(path: Path, main: Path) -> str | None:
    try:
        return Path(os.path.realpath(path)).relative_to(os.path.realpath(main)).as_posix()
    except ValueError:
        return None


def installed_copies(main: Path, sites: tuple[Path, ...]) -> tuple[tuple[Path, str], ...]:
    """Modules that were installed from the main checkout as copies, and their sources relative to its root.

    A test that imports such a copy tests neither checkout.
    """
    found: dict[Path, str] = {}
    for site in sites:
        for metadata in sorted(site.glob("*.dist-info")):
            if _is_copy_of(metadata, main):
                found.update((site / top, source) for top, source in _sources(metadata, main))
    return tuple(found.items())


def _is_copy_of(metadata: Path, main: Path) -> bool:
    try:
        told = json.loads((metadata / "direct_url.json").read_bytes())
        url, editable = urlsplit(told["url"]), told.get("dir_info", {}).get("editable", False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return url.scheme == "file" and not editable and os.path.realpath(unquote(url.path)) == os.path.realpath(main)


def _sources(metadata: Path, main: Path) -> Iterator[tuple[str, str]]:
    try:
        with (metadata / "RECORD").open(newline="", encoding="utf-8") as record:
            names = [PurePosixPath(row[0]) for row in csv.reader(record) if row]
    except (OSError, UnicodeDecodeError, csv.Error):
        return
    tops = dict.fromkeys(name.parts[0] for name in names if name.suffix == ".py" and ".." not in name.parts)
    for top in tops:
        for folder in SOURCE_FOLDERS:
            if (main / folder / top).exists():
                yield top, (PurePosixPath(folder) / top).as_posix()
                break


def own_environment(python: Path) -> Path | None:
    """The virtual environment that an interpreter belongs to, None for one that belongs to none."""
    home = python.parent.parent
    return home if (home / "pyvenv.cfg").is_file() or (home / "conda-meta").is_dir() else None


def running_interpreter() -> Path:
    """The interpreter that Fanfold itself runs on."""
    return Path(sys.executable)
