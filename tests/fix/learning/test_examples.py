"""What of a diff is shown to agents the next time."""

from __future__ import annotations

from fanfold.fix.attempts.trail import CUT, Trail
from fanfold.fix.findings.finding import Finding
from fanfold.fix.learning.examples import MOST_CHARS, MOST_OF_A_RULE, examples_of

HEAD = "diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n"


def hunk(start: int, old: str, new: str) -> str:
    return f"@@ -{start},3 +{start},3 @@ def f():\n before\n-{old}\n+{new}\n after\n"


def found(line: int, rule: str = "E1") -> Finding:
    return Finding("a.py", line, 1, "ruff", rule, "words")


def shown(diff: str, *findings: Finding, rules: tuple[str, ...] = ("ruff E1",)) -> list[str]:
    trail = Trail(id="t", path="a.py", number=1, agent="cheap", started_s=1.0, diff=diff)
    return [example.diff for example in examples_of(trail, findings, rules)]


def test_the_part_that_fixed_a_finding_is_shown_without_names_of_files() -> None:
    assert shown(HEAD + hunk(4, "x == None", "x is None"), found(5)) == [" before\n-x == None\n+x is None\n after"]


def test_a_part_where_no_finding_was_is_not_shown() -> None:
    assert shown(HEAD + hunk(4, "a", "b") + hunk(40, "c", "d"), found(41)) == [" before\n-c\n+d\n after"]


def test_a_part_that_fixed_two_rules_at_once_teaches_neither() -> None:
    assert shown(HEAD + hunk(4, "a", "b"), found(5), found(5, "E2"), rules=("ruff E1", "ruff E2")) == []


def test_a_rule_of_which_something_is_left_is_not_shown() -> None:
    assert shown(HEAD + hunk(4, "a", "b"), found(5, "E2")) == []


def test_of_many_parts_the_shortest_are_shown() -> None:
    parts = [hunk(10 * number, "old", "x" * number) for number in range(6, 0, -1)]

    told = shown(HEAD + "".join(parts), *(found(10 * number + 1) for number in range(1, 7)))

    assert [part.split("+")[1].split("\n")[0] for part in told] == [
        "x" * length for length in range(1, MOST_OF_A_RULE + 1)
    ]


def test_what_is_too_long_or_cut_or_not_text_is_not_shown() -> None:
    assert shown(HEAD + hunk(4, "a", "b" * MOST_CHARS), found(5)) == []
    assert shown(HEAD + hunk(4, "a", "b") + CUT.format(9), found(5)) == []
    assert shown(HEAD + hunk(4, "a", "\udcff"), found(5)) == []


def test_a_diff_of_two_files_is_not_shown() -> None:
    assert shown(HEAD + hunk(4, "a", "b") + HEAD.replace("a.py", "b.py") + hunk(4, "c", "d"), found(5)) == []


def test_secrets_are_not_shown() -> None:
    [told] = shown(HEAD + hunk(4, "a", "token = 'ghp_" + "a1" * 18 + "'"), found(5))

    assert "ghp_a1a1" not in told


def test_added_lines_belong_to_the_line_before_them() -> None:
    diff = HEAD + "@@ -4,2 +4,3 @@\n before\n+added\n after\n"

    assert shown(diff, found(4)) == [" before\n+added\n after"]
