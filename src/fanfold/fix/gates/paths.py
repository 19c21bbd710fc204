"""Files that steer checkers, tests or installations are nobody's to fix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from fanfold.fix.gates.edit import Edit

CONFIGURATION = frozenset(
    {
        "pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", "mypy.ini", ".mypy.ini", "ruff.toml", ".ruff.toml",
        ".flake8", ".pylintrc", "pylintrc", "pyrightconfig.json", "pyrefly.toml", "ty.toml", ".coveragerc", ".bandit",
        ".pre-commit-config.yaml", "fanfold.toml", ".gitattributes", ".gitignore", ".editorconfig", "noxfile.py",
        "Makefile", "makefile", "GNUmakefile", "justfile", "Justfile", "Taskfile.yml", ".gitlab-ci.yml", ".travis.yml",
        "pytest.toml", ".pytest.toml", ".pytest.ini", ".isort.cfg", ".yamllint", ".shellcheckrc", ".semgrepignore",
    }
)  # fmt: skip
LOCKS = frozenset(
    {
        "uv.lock", "poetry.lock", "pdm.lock", "Pipfile", "Pipfile.lock", "pylock.toml", "requirements.txt",
        "constraints.txt", "package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "Cargo.lock",
        "Cargo.toml", "go.mod", "go.sum", "Gemfile", "Gemfile.lock", "composer.json", "composer.lock",
    }
)  # fmt: skip
LOADED = frozenset({"conftest.py", "sitecustomize.py", "usercustomize.py", "py.typed", ".semgrep.yml", "biome.json"})
LOADED_AS = (".pth", ".egg-link", ".pyi", "ignore", "rc", "rc.json", "rc.yml", "rc.yaml", "rc.js", "rc.toml")


def is_configuration(path: str) -> bool:
    """Whether a file of this name steers checkers or tests."""
    return PurePosixPath(path).name in CONFIGURATION


def steers(path: str) -> bool:
    """Whether a file of this name, were it new, might change what checkers, tests or an installation do."""
    pure = PurePosixPath(path)
    named = pure.name in LOADED | LOCKS or pure.name.startswith((".eslintrc", "eslint.config", "tsconfig"))
    dotted = pure.name.startswith(".") and pure.name.endswith(LOADED_AS)
    return is_configuration(path) or named or dotted or pure.suffix in LOADED_AS or ".github" in pure.parts


def check(edit: Edit) -> Iterator[str]:
    """Configuration and lock files stay as they are, and none is made."""
    pure = PurePosixPath(edit.path)
    if is_configuration(edit.path) or pure.name in LOCKS:
        yield f"changes {edit.path!r}, which steers checkers, tests or the installation"
    elif not edit.before and steers(edit.path):
        yield f"adds {edit.path!r}, which steers checkers, tests or the installation"
