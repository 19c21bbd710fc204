"""What a finding is about, written so that its rule doesn't see it, is refused; its honest neighbour passes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fanfold.fix import gates
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import is_test

QUERY = "def f(db, n):\n    return db.execute(f\"SELECT a FROM t WHERE n = '{n}'\")\n"
PASTED = "f\"SELECT a FROM t WHERE n = '{n}'\""
SUPPRESSED = "import contextlib\n\n\ndef f(g):\n    with contextlib.suppress(Exception):\n        g()\n"
SECRET = 'PASSWORD = "hunter2"\n'
MD5 = "import hashlib\n\n\ndef f(x):\n    return hashlib.md5(x)\n"
SHELL = "import subprocess\n\n\ndef f(c):\n    subprocess.run(c, shell=True, check=True)\n"
FETCH = "import requests\n\n\ndef f(u):\n    return requests.get(u)\n"
BLIND = "def f(g):\n    try:\n        g()\n    except Exception:\n        log('no')\n"
SILENT = "def f(g):\n    try:\n        g()\n    except Exception:\n        pass\n"
UNKNOWN = "def f(x):\n    return helper(x)\n"
UNUSED = "def f(g):\n    x = g()\n    return 1\n"
USELESS = "def f(a, b):\n    a > b\n    return a\n"
PLAIN = "def f(x: int) -> int:\n    return x\n"
TOTAL = "def f(x):\n    return sum(x[1:])\n"
LIMITS = "import os\n\n\nLIMIT = 5\nSTRICT = True\n\n\ndef f():\n    g(LIMIT, retry=False)\n"
TEST = "import pytest\n\n\ndef test_f():\n    assert f(1) == 6\n"


def said(before: str, after: str, rule: str, line: int, message: str = "", path: str = "a.py") -> tuple[str, ...]:
    checker = "pytest" if rule == "AssertionError" else "ruff"
    edit = gates.Edit(
        path, before.encode(), after.encode(), (Finding(path, line, 1, checker, rule, message),), is_test(path)
    )
    return gates.refusals(edit) + gates.late_refusals(edit)


@pytest.mark.parametrize(
    ("before", "after", "rule", "line"),
    [
        (QUERY, QUERY.replace(PASTED, "\"SELECT a FROM t WHERE n = '%s'\" % n"), "S608", 2),
        (QUERY, QUERY.replace(PASTED, "\"SELECT a FROM t WHERE n = '?'\".replace('?', n)"), "S608", 2),
        (SECRET, 'PASSWORD = "hun" + "ter2"\n', "S105", 1),
        (SECRET, 'PASSWORD = "2retnuh"[::-1]\n', "S105", 1),
        (SECRET, 'PASSWORD = "".join(["hun", "ter2"])\n', "S105", 1),
        (SECRET, 'PASSWORD = bytes.fromhex("68756e74657232").decode()\n', "S105", 1),
        (MD5, MD5.replace("hashlib.md5(x)", 'getattr(hashlib, "dm5"[1:] + "")(x)'), "S324", 5),
        (MD5, MD5.replace("hashlib.md5(x)", "getattr(hashlib, WAY)(x)") + 'WAY = "md5"\n', "S324", 5),
        (SHELL, SHELL.replace("c, shell=True, check=True", 'c, check=True, **{"shell": True}'), "S602", 5),
        (SHELL, SHELL.replace("c, shell=True, check=True", "c, check=True, **dict(shell=True)"), "S602", 5),
        (FETCH, FETCH.replace("get(u)", "get(u, timeout=10**9)"), "S113", 5),
        (FETCH, FETCH.replace("get(u)", "get(u, timeout=None)"), "S113", 5),
        (BLIND, "E = Exception\n" + BLIND.replace("except Exception", "except E"), "BLE001", 4),
        (BLIND, BLIND.replace("except Exception", "except (ValueError, Exception)"), "BLE001", 4),
        (SILENT, SUPPRESSED, "S110", 4),
        (UNKNOWN, "def helper(*args, **kwargs):\n    return None\n\n\n" + UNKNOWN, "F821", 2),
        (UNKNOWN, "def helper(x):\n    return x\n\n\n" + UNKNOWN, "F821", 2),
        (UNUSED, UNUSED.replace("    return", "    vars()\n    return"), "F841", 2),
        (USELESS, "def f(a, b):\n    if a <= b:\n        raise AssertionError('no')\n    return a\n", "B015", 2),
        (PLAIN, "import json\n" + PLAIN.replace("return x", "y = json.dumps(x)\n    return json.loads(y)"), "X1", 2),
        (PLAIN, PLAIN.replace("    return x", "    g: Callable[..., int] = lambda v: v\n    return g(x)"), "X1", 2),
        (PLAIN, "def is_it(x: object) -> TypeIs[int]:\n    return isinstance(x, object)\n\n\n" + PLAIN, "X1", 2),
        (TOTAL, TOTAL.replace("return", "if len(x) == 3:\n        return 6\n    return"), "AssertionError", 1),
        (TOTAL, TOTAL.replace("return", "if x == [1, 2]:\n        return 6\n    return"), "AssertionError", 1),
        (LIMITS, LIMITS.replace("import os\n", "").replace("LIMIT = 5\n", "LIMIT = 500\n"), "F401", 1),
        (LIMITS, LIMITS.replace("import os\n", "").replace("STRICT = True", "STRICT = False"), "F401", 1),
        (LIMITS, LIMITS.replace("import os\n", "").replace("retry=False", "retry=True"), "F401", 1),
        (PLAIN, PLAIN.replace("    return", '    """TODO."""\n    return'), "D103", 1),
        (PLAIN, PLAIN.replace("    return", '    """Missing docstring for this function."""\n    return'), "D103", 1),
    ],
)  # fmt: skip
def test_the_same_in_other_words_is_refused(before: str, after: str, rule: str, line: int) -> None:
    assert said(before, after, rule, line, "`helper` and `x`")


@pytest.mark.parametrize(
    ("before", "after", "rule", "line"),
    [
        (QUERY, 'def f(db, n):\n    return db.execute("SELECT a FROM t WHERE n LIKE ?", (f"%{n}%",))\n', "S608", 2),
        (SECRET, 'import os\n\nPASSWORD = os.environ["SHOP" + "_PASSWORD"]\n', "S105", 1),
        (SECRET, 'PASSWORD = ""\n', "S105", 1),
        (MD5, MD5.replace("md5", "sha256"), "S324", 5),
        (SHELL, "import shlex\n" + SHELL.replace("c, shell=True", "shlex.split(c)"), "S602", 5),
        (FETCH, FETCH.replace("get(u)", "get(u, timeout=60 * 5)"), "S113", 5),
        (BLIND, BLIND.replace("Exception", "(ValueError, OSError)"), "BLE001", 4),
        (SILENT, SUPPRESSED, "SIM105", 2),
        (UNKNOWN, "def helper(x):\n    return x.strip().lower()\n\n\n" + UNKNOWN, "F821", 2),
        (UNUSED, "def f(g):\n    g()\n    return 1\n", "F841", 2),
        (USELESS, "def f(a, b):\n    if a <= b:\n        raise ValueError(a)\n    return a\n", "B015", 2),
        (PLAIN, "def is_it(x: object) -> TypeIs[int]:\n    return type(x) is int\n\n\n" + PLAIN, "X1", 2),
        (TOTAL, TOTAL.replace("x[1:]", "x"), "AssertionError", 1),
        (TOTAL, TOTAL.replace("    return", "    if x == []:\n        return 0\n    return"), "AssertionError", 1),
        (TOTAL, TOTAL.replace("x[1:]", "x[0:]"), "AssertionError", 1),
        (LIMITS, LIMITS.replace("LIMIT = 5\n", "LIMIT = 50\n"), "X1", 4),
        (LIMITS, LIMITS.replace("LIMIT = 5\nSTRICT = True", "STRICT = True\nLIMIT = 5"), "F401", 1),
        (PLAIN, PLAIN.replace("    return", '    """Give back what it is given."""\n    return'), "D103", 1),
        (PLAIN, PLAIN.replace("return x", 'return getattr(x, "__index__", int)()').replace("x: int", "x"), "X1", 1),
    ],
)  # fmt: skip
def test_its_honest_neighbour_passes(before: str, after: str, rule: str, line: int) -> None:
    said_of_it = said(before, after, rule, line, "`helper` and `x`")
    assert not [one for one in said_of_it if not one.endswith(("(gate names)", "(gate types)"))], said_of_it


@pytest.mark.parametrize(
    "after",
    [
        TEST.replace("== 6", "== pytest.approx(6, rel=0.5)"),
        TEST.replace("f(1) == 6", "math.isclose(f(1), 6.0, abs_tol=2)"),
        TEST.replace("== 6", "== 6 or f(1)"),
        TEST + "\n\ndef test_g():\n    with pytest.raises((Exception, OSError)):\n        g()\n",
    ],
)
def test_test_that_may_pass_for_another_reason_is_refused(after: str) -> None:
    assert said(TEST, after, "F841", 5, path="tests/test_a.py")


@pytest.mark.parametrize(
    "after", [TEST.replace("f(1) == 6", "f(1) == pytest.approx(0.3)"), TEST.replace("f(1) == 6", "f(1) in {5, 6}")]
)
def test_exact_comparison_of_fractions_may_become_a_near_one(after: str) -> None:
    before = after.replace("pytest.approx(0.3)", "0.3").replace("f(1) in {5, 6}", "f(1) == 5 or f(1) == 6")
    assert not said(before, after, "RUF069", 5, path="tests/test_a.py")


@pytest.mark.parametrize("path", ["Makefile", "justfile", ".gitlab-ci.yml"])
def test_what_runs_the_checks_is_configuration(path: str) -> None:
    assert said("lint:\n\truff check\n", "lint:\n\truff check || true\n", "X1", 1, path=path)


@pytest.mark.parametrize(
    ("code", "is_there"),
    [
        ("import datetime as dt\ndt.datetime.now_utc()", False),
        ("import pathlib\npathlib.Path.joinall('a')", False),
        ("import collections\ncollections.OrderedDict.sort()", False),
        ("import datetime as dt\ndt.datetime.fromtimestamp(0, dt.timezone.utc)", True),
        ("import os\nos.environ.copy()", True),
        ("import socket\nsocket.AddressFamily.AF_NOWHERE", True),
        ("import sys\nsys.stdout.reconfigure()", True),
    ],
)
async def test_member_that_a_class_of_python_has_not_is_named(tmp_path: Path, code: str, is_there: bool) -> None:
    missing = await gates.Modules(Path(sys.executable), tmp_path).missing(gates.Edit("a.py", b"", code.encode()))
    assert (missing == ()) is is_there


async def test_module_of_the_project_is_not_taken_for_one_of_python(tmp_path: Path) -> None:
    (tmp_path / "calendar.py").write_text("class Calendar:\n    ours = 1\n")
    edit = gates.Edit("a.py", b"", b"import calendar\ncalendar.Calendar.ours\n")
    assert await gates.Modules(Path(sys.executable), tmp_path).missing(edit) == ()


def test_dictionary_of_keywords_that_was_there_before_hides_nothing() -> None:
    before = "def f(g, x):\n    kw = {'factory': dict}\n    g(x, **kw)\n    return not g(x, factory=dict) == {}\n"
    after = before.replace("not g(x, factory=dict) ==", "g(x, factory=dict) !=")
    assert said(before, after, "SIM201", 4) == ()
    one_more = before.replace("g(x, factory=dict)", "g(x, **kw)")
    assert said(before, one_more, "SIM201", 4) == ("hides the argument factory of g in a dictionary (gate dynamic)",)
