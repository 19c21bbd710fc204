"""How well an entry answers: by what it says of what is wanted, and how closely."""

from __future__ import annotations

import pytest

from fanfold.troubleshoot.sources.knowledge.entry import Entry
from fanfold.troubleshoot.sources.knowledge.rank import Ranking
from fanfold.troubleshoot.sources.knowledge.terms import stem, wanted
from fanfold.troubleshoot.sources.knowledge.told import Rarity, told_by

RARITY = Rarity(100, {stem("server"): 40, stem("printer"): 2, stem("paper"): 3}, 20.0)


def score(question: str, entry: Entry, *, similarity: float = 0.0, numbered: float = 0.0) -> float:
    ranking = Ranking(wanted(question), RARITY)
    return ranking.score(told_by(entry, RARITY), similarity=similarity, numbered=numbered)


def entry(title: str = "Something", text: str = "", asked: tuple[str, ...] = ()) -> Entry:
    return Entry(name=f"book#{title}", title=title, text=text, asked=asked)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (entry(text="The printer has no paper."), entry(text="The printer is on fire.")),
        (entry(text="The printer hums."), entry(text="The server hums.")),
        (entry(title="Printer paper"), entry(text="Printer paper.")),
        (entry(asked=("printer paper",)), entry(asked=("printer paper and a hundred other things of the office",))),
        (entry(asked=("printer paper",)), entry(asked=("printer", "paper"))),
        (entry(text="A impressora sem papel."), entry(text="O servidor.")),
    ],
    ids=["more of it", "the rarer word", "in the title", "a line that says little else", "in one line", "translated"],
)
def test_the_better_answer_ranks_higher(better: Entry, worse: Entry) -> None:
    question = "is there paper in the printer of the server"
    assert score(question, better) > score(question, worse)


def test_similarity_and_numbers_count_on_top() -> None:
    plain = score("printer 126", entry(text="The printer."))
    assert score("printer 126", entry(text="The printer."), similarity=0.9) > plain
    assert (
        score("printer 126", entry(text="The printer."), numbered=1.0)
        > score("printer 126", entry(text="The printer."), numbered=0.5)
        > plain
    )


@pytest.mark.parametrize("question", ["", "the", "?!", "zebra"])
def test_what_says_nothing_of_a_question_scores_nothing(question: str) -> None:
    assert score(question, entry(text="The printer has no paper.")) == 0


def test_an_entry_without_words_scores_nothing() -> None:
    assert score("printer", entry(title="!")) == 0
