from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import Verdict, annotate
from fanfold.agents.autofix import Autofix
from fanfold.fix.findings.finding import Finding
from fanfold.process import run

MakeBench = Callable[..., Any]

LONG = "    def __init__(self, a_name_that_is_long, another_name_that_is_long, and_a_third_long_name):\n"
TOO_LONG_WITH_ANNOTATION = f"""\
import os


class Short:
    def __init__(self):
        self.x = 1


class Long:
{LONG}        self.y = [a_name_that_is_long, another_name_that_is_long, and_a_third_long_name]
"""


async def test_what_ruff_can_fix_is_fixed_as_ruff_fixes_it(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench("import os\nfrom typing import List\nx: List[int] = []\nif x == None:\n    pass\n")
    report = await Autofix().work(bench.assignment())
    assert bench.file.read_bytes() == bench.fixed_by_ruff(tmp_path)
    assert not bench.findings()
    assert report.refused == ()
    assert "safe fixes: all" in report.summary


async def test_a_fix_that_adds_a_finding_is_refused_and_listed(make_bench: MakeBench) -> None:
    lint = "[lint.pycodestyle]\nmax-line-length = 95"
    bench = make_bench(TOO_LONG_WITH_ANNOTATION, select=("F", "E501", "ANN204"), lint=lint)
    report = await Autofix().work(bench.assignment())
    assert bench.rules() == {"ANN204": 1}
    assert "def __init__(self) -> None:" in bench.text
    assert LONG in bench.text
    assert "import os" not in bench.text
    assert report.refused == ("module.py:10 ANN204: would add E501",)


async def test_a_rung_is_kept_that_fixes_nothing_of_the_task_by_itself(make_bench: MakeBench) -> None:
    bench = make_bench("import os\n")
    bench.judge = lambda: Verdict(ok=False, fixed=0)
    await Autofix().work(bench.assignment())
    assert bench.text == ""


async def test_a_safe_fix_stays_whose_harm_an_unsafe_one_mends(make_bench: MakeBench) -> None:
    bench = make_bench("import os\nif os == None:\n    import re\n", select=("F", "E711"))

    def judge() -> Verdict:
        harmed = "import re" not in bench.text and "== None" in bench.text
        return Verdict(ok=False, reasons=("mixed",)) if harmed else Verdict(ok=True, fixed=1)

    bench.judge = judge
    report = await Autofix().work(bench.assignment())
    assert not bench.findings()
    assert report.refused == ()


async def test_with_reasons_alone_the_guilty_fix_is_found_with_few_verifications(make_bench: MakeBench) -> None:
    bench = make_bench("".join(f"import module_{number}\n" for number in range(40)))
    bench.judge = lambda: (
        Verdict(ok=True, fixed=1) if "module_7\n" in bench.text else Verdict(ok=False, reasons=("a test would go",))
    )
    report = await Autofix().work(bench.assignment())
    assert bench.text == "import module_7\n"
    assert report.refused == ("module.py:8 F401: a test would go",)
    assert len(bench.judged) <= 16


async def test_a_finding_in_another_file_is_laid_at_the_fix_that_took_its_name_away(make_bench: MakeBench) -> None:
    bench = make_bench("".join(f"from os import name_{number}\n" for number in range(40)))
    elsewhere = Finding("other.py", 3, 1, "mypy", "attr-defined", 'Module "module" has no attribute "name_31"')
    bench.judge = lambda: (
        Verdict(ok=True, fixed=1) if "name_31" in bench.text else Verdict(ok=False, added=(elsewhere,))
    )
    report = await Autofix().work(bench.assignment())
    assert bench.text == "from os import name_31\n"
    assert report.refused == ("module.py:32 F401: would add attr-defined",)
    assert len(bench.judged) <= 3


async def test_a_finding_of_a_definition_is_laid_at_the_fixes_in_its_body(make_bench: MakeBench) -> None:
    bodies = "".join(f"def f{number}(x):\n    return x == None\n" for number in range(20))
    bench = make_bench(bodies)

    def judge() -> Verdict:
        rows = [row for row, line in enumerate(bench.text.splitlines(), start=1) if "f13(" in line]
        guilty = "is" in bench.text.splitlines()[rows[0]]
        added = (Finding("module.py", rows[0], 1, "other", "too-complex", "f13 is too complex"),) if guilty else ()
        return Verdict(ok=not guilty, added=added, fixed=1)

    bench.judge = judge
    report = await Autofix().work(bench.assignment())
    assert report.refused == ("module.py:28 E711: would add too-complex",)
    assert bench.text.count("is None") == 19
    assert len(bench.judged) <= 3


async def test_two_fixes_of_one_line_of_which_both_are_too_much(make_bench: MakeBench) -> None:
    line = "def f(self, a: Optional[int], b: Optional[int]): return (a == None, b == None)\n"
    bench = make_bench("from typing import Optional\n" + line, select=("E711",))
    bench.judge = lambda: (
        Verdict(ok=False, added=(Finding("module.py", 2, 1, "other", "X1", "both"),))
        if bench.text.count("is None") == 2
        else Verdict(ok=True, fixed=1)
    )
    report = await Autofix().work(bench.assignment())
    assert bench.text.count("is None") == 1
    assert len(report.refused) == 1


async def test_the_file_is_as_it_was_where_nothing_may_be_fixed(make_bench: MakeBench) -> None:
    bench = make_bench("import os\nimport re\n\nx = dict(a=1)\n", select=("F", "C4"))
    bench.judge = lambda: Verdict(ok=False, reasons=("no",))
    report = await Autofix().work(bench.assignment())
    assert bench.file.read_bytes() == bench.base
    assert len(report.refused) == 3


async def test_nothing_is_verified_where_ruff_offers_nothing(make_bench: MakeBench) -> None:
    bench = make_bench("x = undefined\n")
    report = await Autofix().work(bench.assignment())
    assert bench.judged == []
    assert report.summary == "nothing to fix"


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"select": ("F401",)}, {"F841": 1, "E711": 1}),
        ({"select": ("F",)}, {"E711": 1}),
        ({"ignore": ("F4",)}, {"F401": 1}),
        ({"select": ("F",), "ignore": ("F841",)}, {"F841": 1, "E711": 1}),
        ({"select": ("mypy",)}, {"F401": 1, "F841": 1, "E711": 1}),
    ],
)
async def test_only_selected_rules_are_fixed(
    make_bench: MakeBench, changes: dict[str, Any], left: dict[str, int]
) -> None:
    bench = make_bench("import os\n\n\ndef f(x):\n    y = 1\n    return x == None\n")
    await Autofix().work(bench.assignment(**changes))
    assert bench.rules() == left


@pytest.mark.parametrize("lint", ['unfixable = ["F401"]', 'fixable = ["E"]'])
@pytest.mark.parametrize("select", [(), ("F", "E")])
async def test_rules_that_the_project_wants_unfixed_stay(
    make_bench: MakeBench, lint: str, select: tuple[str, ...]
) -> None:
    bench = make_bench("import os\n\n\ndef f(x):\n    return x == None\n", lint=lint)
    await Autofix().work(bench.assignment(select=select))
    assert bench.rules() == {"F401": 1}


async def test_a_needed_noqa_comment_stays_while_rules_are_tried_apart(make_bench: MakeBench) -> None:
    bench = make_bench("import os  # noqa: F401\nimport re\nimport sys  # noqa: E501\n", select=("F", "E", "RUF100"))
    bench.judge = lambda: (
        Verdict(ok=True, fixed=1) if "import re" in bench.text else Verdict(ok=False, reasons=("re is needed",))
    )
    await Autofix().work(bench.assignment())
    assert bench.text == "import os  # noqa: F401\nimport re\n"


async def test_line_endings_byte_order_mark_and_mode_stay(make_bench: MakeBench) -> None:
    bench = make_bench(b"\xef\xbb\xbfimport os\r\nimport re\r\nx = 1\r\n")
    bench.file.chmod(0o755)
    bench.judge = lambda: (
        Verdict(ok=True, fixed=1) if "import re" in bench.text else Verdict(ok=False, reasons=("re is needed",))
    )
    await Autofix().work(bench.assignment())
    assert bench.file.read_bytes() == b"\xef\xbb\xbfimport re\r\nx = 1\r\n"
    assert stat.S_IMODE(bench.file.stat().st_mode) == 0o755


@pytest.mark.parametrize("content", [b"import os\nx = '\xe9'\n", b"# -*- coding: latin-1 -*-\nimport os\nx = '\xe9'\n"])
async def test_a_file_that_is_not_utf8_is_left_alone(make_bench: MakeBench, content: bytes) -> None:
    bench = make_bench(content)
    report = await Autofix().work(bench.assignment())
    assert bench.file.read_bytes() == content
    assert report.refused == ("left alone: not UTF-8",)


async def test_a_symbolic_link_is_left_alone(make_bench: MakeBench, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("import os\n")
    bench = make_bench("")
    (bench.root / "link.py").symlink_to(outside)
    report = await Autofix().work(bench.assignment(path="link.py"))
    assert outside.read_text() == "import os\n"
    assert "not a regular file" in report.summary


async def test_a_file_that_is_gone_is_left_alone(make_bench: MakeBench) -> None:
    bench = make_bench("")
    report = await Autofix().work(bench.assignment(path="gone.py"))
    assert "not a regular file" in report.summary
    assert not (bench.root / "gone.py").exists()


async def test_text_that_does_not_parse_is_left_as_it_is(make_bench: MakeBench) -> None:
    bench = make_bench("import os\ndef f(:\n    x == None\n")
    await Autofix().work(bench.assignment())
    assert bench.file.read_bytes() == bench.base


async def test_a_file_that_the_project_excludes_is_left_alone(make_bench: MakeBench) -> None:
    bench = make_bench("import os\n", path="excluded.py", lint='exclude = ["excluded.py"]')
    await Autofix().work(bench.assignment())
    assert bench.text == "import os\n"


async def test_a_notebook_is_fixed_rule_by_rule(make_bench: MakeBench) -> None:
    cell: dict[str, Any] = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
    source = ["import os\n", "x = dict(a=1)\n", "y = x == None\n"]
    book = {"cells": [{**cell, "source": source}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    bench = make_bench(json.dumps(book), select=("F", "C4", "E711"), path="book.ipynb")
    bench.judge = lambda: (
        Verdict(ok=True, fixed=1) if "dict(" in bench.text else Verdict(ok=False, reasons=("dict is needed",))
    )
    report = await Autofix().work(bench.assignment())
    assert bench.rules() == {"C408": 1}
    assert report.refused == ("book.ipynb C408: dict is needed",)


async def test_what_is_fixed_stays_formatted_where_the_project_formats(make_bench: MakeBench, ruff: str) -> None:
    text = 'def f(x):\n    return [x == None, x == None, "a long text to fill the line with, a long text it is"]\n'
    bench = make_bench("import os\n\n\n" + text, select=("F", "E711", "E501"))
    await Autofix().work(bench.assignment(formats=True))
    done = await run([ruff, "format", "--check", "--no-cache", bench.path], cwd=bench.root)
    assert done.returncode == 0
    assert bench.text.startswith("def f")


async def test_a_long_line_is_no_reason_to_refuse_where_the_formatter_breaks_it(make_bench: MakeBench) -> None:
    text = TOO_LONG_WITH_ANNOTATION.replace("import os\n\n\n", "").replace("and_a_third_long_name", "and_a_third")
    bench = make_bench(text, select=("F", "E501", "ANN204"))
    report = await Autofix().work(bench.assignment(formats=True))
    assert not bench.findings()
    assert report.refused == ()


async def test_nothing_is_formatted_where_the_project_does_not(make_bench: MakeBench) -> None:
    bench = make_bench("import os\nx = {  'a':1 }\n")
    await Autofix().work(bench.assignment())
    assert bench.text == "x = {  'a':1 }\n"


async def test_annotations_are_added_where_they_are_asked_for(make_bench: MakeBench) -> None:
    bench = make_bench("def f(x, y=1):\n    print(x, y)\n", select=("F",))
    await Autofix().work(bench.assignment(annotate=True))
    assert bench.text == "def f(x, y=1) -> None:\n    print(x, y)\n"


async def test_an_annotation_that_adds_a_finding_is_refused_alone(make_bench: MakeBench) -> None:
    lint = "[lint.pycodestyle]\nmax-line-length = 95"
    bench = make_bench(TOO_LONG_WITH_ANNOTATION, select=("E501",), lint=lint)
    report = await Autofix().work(bench.assignment(annotate=True))
    assert bench.text.count("-> None") == 1
    assert report.refused == ("module.py:10 annotation: would add E501",)


async def test_a_missing_autotyping_is_said(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotate, "available", lambda: False)
    bench = make_bench("def f(x):\n    print(x)\n")
    report = await Autofix().work(bench.assignment(annotate=True))
    assert "autotyping is not installed" in report.summary


async def test_source_that_autotyping_can_not_read_is_said_and_left(make_bench: MakeBench) -> None:
    bench = make_bench("print 'x'\n", select=("F",))
    report = await Autofix().work(bench.assignment(annotate=True))
    assert bench.text == "print 'x'\n"
    assert "autotyping: " in report.summary


async def test_a_project_without_ruff_is_said(make_bench: MakeBench) -> None:
    bench = make_bench("import os\n")
    report = await Autofix().work(bench.assignment(commands={"mypy": ("mypy",)}))
    assert bench.text == "import os\n"
    assert "ruff is not among the checkers" in report.summary


async def test_the_same_file_gets_the_same_result(make_bench: MakeBench) -> None:
    bench = make_bench(TOO_LONG_WITH_ANNOTATION, select=("ALL",))
    first = await Autofix().work(bench.assignment())
    made = bench.file.read_bytes()
    bench.file.write_bytes(bench.base)
    assert await Autofix().work(bench.assignment()) == first
    assert bench.file.read_bytes() == made
