"""What every test stands on: a home of its own, no skips where none are allowed, Hypothesis profiles."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fanfold.config.settings import default_state

NO_SKIPS = os.environ.get("FANFOLD_NO_SKIPS") == "1"

# A deadline for each example would assert absolute times.
settings.register_profile("default", deadline=None, max_examples=25)
settings.register_profile("soak", deadline=None, max_examples=2_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def pytest_collection() -> None:
    """All that is imported and collected stays to the end: a search of it for garbage takes seconds in all."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Each search for garbage in a test is of what came since, which takes a hundredth of half a second."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the developer's git configuration, caches and settings out of the tests, and the tests out of theirs."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("GIT_", "FANFOLD_FIX_", "FANFOLD_TROUBLESHOOT_", "XDG_")):
                patch.delenv(name)
        for name in ("FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "COLUMNS"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        # As if activated, for any project that tests make has its suite run with the Python of this run.
        patch.setenv("VIRTUAL_ENV", sys.prefix)
        # Loading all plugins that this environment has takes ten times what most of those suites take.
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        # LangGraph takes longer to import than most of the runs that tests begin; those that are about it ask for it.
        patch.setenv("FANFOLD_FIX_RUNTIME", "native")
        yield


@pytest.fixture(autouse=True)
def _nothing_learned(_own_home: None) -> None:
    """No test's agents are chosen by what those of another one did."""
    for file in default_state().glob("learning.sqlite*"):
        file.unlink()


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Fanfold's own checkout, which these tests belong to."""
    return Path(__file__).parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With FANFOLD_NO_SKIPS=1, a test that is skipped fails: the machine was to have all that tests need."""
    report = yield
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and FANFOLD_NO_SKIPS is set: {report.longreprtext}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that is skipped whole."""
    report = yield
    if NO_SKIPS and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, and FANFOLD_NO_SKIPS is set: {report.longreprtext}"
    return report
