"""Which runtime a name stands for, and what is said of one that can't be had."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fanfold.runtimes import Cluster, LangGraph, Native, choice
from fanfold.runtimes.choice import RuntimeUnavailable, chosen, installed, runtime_for


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda _: None)


def test_each_name_stands_for_its_runtime() -> None:
    assert isinstance(runtime_for("native"), Native)
    assert isinstance(runtime_for("langgraph"), LangGraph)
    assert isinstance(runtime_for("cluster", workers=2), Cluster)
    assert isinstance(runtime_for("cluster", cluster="tcp://127.0.0.1:8786"), Cluster)


def test_auto_is_langgraph_where_it_is_installed() -> None:
    assert chosen("auto") == runtime_for().name == "langgraph"


@pytest.mark.usefixtures("nothing_installed")
def test_auto_is_native_where_langgraph_is_not_installed() -> None:
    assert chosen("auto") == runtime_for("auto").name == "native"


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("name", ["langgraph", "cluster"])
def test_runtime_that_is_not_installed_says_what_to_install(name: str) -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        runtime_for(name, workers=2)
    assert name in caught.value.message
    assert f"pip install 'fanfold[{name}]'" in str(caught.value.hint)


@pytest.mark.parametrize("given", [{}, {"workers": 2, "cluster": "tcp://127.0.0.1:8786"}])
def test_cluster_is_either_an_address_or_a_number_of_workers(given: dict[str, object]) -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        runtime_for("cluster", **given)  # type: ignore[arg-type]
    assert "--workers" in str(caught.value.hint)


def test_certificates_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"ca\.pem"):
        runtime_for("cluster", cluster="tls://example.org:8786", certificates=tmp_path)


def test_name_that_is_none_says_which_there_are() -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        runtime_for("ray")
    assert "native, langgraph, cluster" in str(caught.value.hint)


def test_asking_what_is_installed_imports_nothing() -> None:
    program = (
        "import sys; from fanfold.runtimes.choice import chosen, runtime_for; chosen('auto'); runtime_for('native'); "
        "sys.exit(bool({'langgraph', 'distributed', 'dask'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert installed("native")
