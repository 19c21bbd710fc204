from __future__ import annotations

from fanfold.fix.attempts.standing import NO_MORE, Standing
from fanfold.fix.attempts.verify import Judgement, Verified
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.git import Change

FINDING = Finding("a.py", 1, 1, "ruff", "E722", "bare except")
TASK = Task("a.py", "a.py", (FINDING,))
IDLE = Judgement(ok=False, fixed=0, left=1, kept=(FINDING,))
NOTHING = Change(base="b", tree="t", paths=())
UNUSABLE = "gave no answer that can be used"


def tried(*tries: tuple[str, tuple[str, ...]], start: Standing | None = None) -> Standing:
    """After tries that changed nothing, each with who made it and what that said."""
    standing = start or Standing(TASK)
    for by, said in tries:
        standing = standing.judged(by, standing.best, NOTHING, IDLE, said).knowing(by, said or (NO_MORE,))
    return standing


def test_agent_that_gave_no_answer_is_the_reason_alone_as_among_others() -> None:
    assert tried(("cheap", (UNUSABLE,))).why_left() == (UNUSABLE,)
    both = tried(("cheap", (UNUSABLE,)), ("strong", (UNUSABLE,)))
    assert both.why_left() == (f"cheap: {UNUSABLE}", f"strong: {UNUSABLE}")


def test_words_that_begin_with_the_agents_name_are_not_told_with_it_twice() -> None:
    standing = tried(("cheap", (f"cheap {UNUSABLE}",)), ("strong", (f"stronger {UNUSABLE}",)))
    assert standing.why_left() == (f"cheap {UNUSABLE}", f"strong: stronger {UNUSABLE}")


def test_fixes_that_were_taken_back_are_no_reasons() -> None:
    assert tried(("cheap", ("a.py:1 E722: would add F821", UNUSABLE))).why_left() == (UNUSABLE,)


def test_what_the_maker_of_a_change_did_not_do_stands_aside() -> None:
    partly = Judgement(ok=True, fixed=1, left=1, kept=(FINDING,))
    made = Standing(TASK).judged("cheap", Verified(partly, {}), NOTHING, partly, (UNUSABLE,))
    assert made.knowing("cheap", (UNUSABLE,)).why_left() == ()
