"""What a model is shown: the code around the findings, what it uses, and what is known of the rules, within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents import Assignment, Material, Verdict
from fanfold.agents.llm.prompt import Prompt, prompt_for
from fanfold.agents.llm.text import Text
from fanfold.fix.findings.finding import Finding
from fanfold.llm.size import likely_tokens

SHOP = {
    "shop/__init__.py": "from shop.core import Cart\n",
    "shop/core.py": 'class Cart:\n    """A cart."""\n\n    items: list[int]\n\n    def total(self) -> int: ...\n',
    "shop/prices.py": "RATE = 19\n\n\ndef taxed(price: int) -> int:\n    return price * RATE\n",
    "src/lib/deep.py": "def deep(value):\n    return value\n",
}
USER = """\
from __future__ import annotations

import lib.deep
from shop import Cart
from shop.prices import RATE, taxed
from . import sibling


def helper(value: int) -> int:
    return value + 1


class Till:
    def charge(self, cart: Cart) -> str:
        return taxed(helper(cart.total())) + self.rounded(RATE) + lib.deep.deep(1)

    def rounded(self, value: int) -> int:
        return value
"""


def finding(line: int, message: str = "Incompatible return value type", rule: str = "return-value") -> Finding:
    return Finding("shop/till.py", line, 9, "mypy", rule, message)


async def never() -> Verdict:
    raise AssertionError


def asked(root: Path, files: Mapping[str, str], found: tuple[Finding, ...], tokens: int = 8_000, **more: Any) -> Prompt:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    assignment = Assignment(root, "shop/till.py", found, "", root, never, **more)
    return prompt_for(assignment, [Text.open(root, path) for path in ("shop/till.py", *assignment.others)], tokens)


def test_definitions_of_what_is_used_are_shown_from_wherever_in_the_project_they_are(tmp_path: Path) -> None:
    prompt = asked(tmp_path, {**SHOP, "shop/till.py": USER}, (finding(15),)).text
    assert "definition of taxed in 'shop/prices.py', line 4" in prompt
    assert "definition of Cart in 'shop/core.py', line 1" in prompt
    assert "definition of RATE in 'shop/prices.py', line 1" in prompt
    assert "definition of helper" not in prompt  # the file itself is shown whole


def test_of_a_long_file_the_functions_around_the_findings_are_shown_and_what_they_use(tmp_path: Path) -> None:
    filler = "".join(f"\n\ndef filler_{n}(value: int) -> int:\n    return value * {n}\n" for n in range(800))
    text = USER + filler
    made = asked(tmp_path, {**SHOP, "shop/till.py": text}, (finding(15),), tokens=3_000)
    assert "   15 |         return taxed(" in made.text
    assert "    5 | from shop.prices import RATE, taxed" in made.text
    assert "   13 | class Till:" in made.text
    assert "definition of helper in 'shop/till.py', line 9" in made.text
    assert "definition of self.rounded in 'shop/till.py'" in made.text
    assert "filler_400" not in made.text
    assert likely_tokens(made.text) < 3_600


def test_findings_for_which_there_is_no_room_wait_for_the_next_attempt(tmp_path: Path) -> None:
    text = "".join(f"def f{n}(value):\n" + f"    print(value, 'line of {n}')\n" * 40 for n in range(50))
    found = tuple(finding(41 * n + 5) for n in range(50))
    made = asked(tmp_path, {"shop/till.py": text}, found, tokens=4_000)
    assert 1 <= made.text.count("- line ") < 10
    assert made.text.count("def f") == made.text.count("- line ")
    assert likely_tokens(made.text) < 4_600


def test_names_in_messages_are_looked_up_too(tmp_path: Path) -> None:
    found = (finding(10, 'Argument 1 to "taxed" has incompatible type "str"'),)
    assert "definition of taxed" in asked(tmp_path, {**SHOP, "shop/till.py": USER}, found).text


def test_files_outside_of_the_workspace_are_not_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (tmp_path / "outside.py").write_text("def taxed(secret_of_the_user): ...\n")
    (root / "shop").mkdir(parents=True)
    (root / "shop/prices.py").symlink_to(tmp_path / "outside.py")
    assert "secret_of_the_user" not in asked(root, {"shop/till.py": USER}, (finding(15),)).text


@pytest.mark.parametrize("tokens", [1_500, 3_000, 12_000])
def test_all_that_helps_stays_within_the_context_and_failures_come_first(tmp_path: Path, tokens: int) -> None:
    words = "so many words of which nobody reads a half\n" * 2_000
    material = Material(
        explanations={"return-value": f"EXPLAINED {words}"},
        advice={"return-value": f"ADVISED {words}"},
        own_advice={"return-value": f"OWN {words}"},
        conventions=f"CONVENTIONS {words}",
        examples={"return-value": (f"EXAMPLE {words}",)},
    )
    made = asked(
        tmp_path, {**SHOP, "shop/till.py": USER}, (finding(15),), tokens, material=material, feedback=f"FAILED {words}"
    )
    assert likely_tokens(made.text) + likely_tokens(made.instructions) < tokens * 1.2
    assert "FAILED" in made.text
    assert ("EXAMPLE" in made.text) == (tokens > 1_500)


def test_of_another_file_that_may_be_changed_the_code_that_findings_point_to_is_shown(tmp_path: Path) -> None:
    filler = "".join(f"\n\ndef filler_{n}(value: int) -> int:\n    return value * {n}\n" for n in range(500))
    files = {**SHOP, "shop/till.py": USER, "shop/prices.py": f"{filler}\n\n{SHOP['shop/prices.py']}{filler}"}
    for message in ("Incompatible return value type", 'Too many arguments for "taxed"'):
        text = asked(tmp_path, files, (finding(15, message),), others=("shop/prices.py",)).text
        assert "Where the cause of one lies in 'shop/prices.py', change that, too" in text
        shown = text.partition("begin code of 'shop/prices.py', which may be changed, too")[2].partition("----- end")[0]
        assert " | def taxed(price: int) -> int:" in shown
        assert "filler_100" not in shown
        assert "definition of taxed" not in text
        assert likely_tokens(text) < 8_000


def test_nothing_is_said_of_other_files_where_none_may_be_changed(tmp_path: Path) -> None:
    text = asked(tmp_path, {"shop/till.py": "x: int = y\n"}, (finding(1),)).text
    assert "cause of one lies" not in text
    assert "may be changed" not in text


def test_findings_that_are_to_stay_are_told_where_their_code_is_shown(tmp_path: Path) -> None:
    stays = (finding(18, "old and known"), finding(900, "far away"))
    text = asked(tmp_path, {**SHOP, "shop/till.py": USER}, (finding(15),), leave=stays).text
    assert "- line 18, column 9: mypy return-value: old and known" in text.partition("Don't fix them along")[2]
    assert "far away" not in text


def test_a_finding_past_the_end_of_the_file_is_asked_about(tmp_path: Path) -> None:
    assert "- line 99" in asked(tmp_path, {"shop/till.py": "x = 1\n"}, (finding(99),)).text


def test_a_function_that_fills_the_context_leaves_no_room_for_more(tmp_path: Path) -> None:
    long = "def f(value):\n" + "    print(value, 'and so on')\n" * 140
    told = Material(conventions="CONVENTIONS\n" * 400)
    text = asked(
        tmp_path, {"shop/till.py": f"{long}\n\nx = 1\n"}, (finding(5),), 500, material=told, feedback="F\n" * 400
    ).text
    assert "  140 | " in text
    assert "CONVENTIONS" not in text
    assert "F\nF" not in text


def test_what_cant_be_parsed_is_shown_all_the_same(tmp_path: Path) -> None:
    prompt = asked(tmp_path, {"shop/till.py": "def f(:\n"}, (finding(1, rule="syntax"),)).text
    assert "    1 | def f(:" in prompt
