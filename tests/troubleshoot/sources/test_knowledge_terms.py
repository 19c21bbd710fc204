"""Words as the index knows them: folded, cut to stems, with their translation."""

from __future__ import annotations

import pytest

from fanfold.troubleshoot.sources.knowledge.terms import asked, folded, indexed, stem, translated


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("failed", "failing"),
        ("fails", "failed"),
        ("arquivo", "arquivos"),
        ("bloqueado", "bloqueada"),
        ("files", "file"),
        ("stopped", "stopping"),
        ("restrição", "restrições"),
        ("waits", "waiting"),
    ],
)
def test_forms_of_a_word_have_one_stem(one: str, other: str) -> None:
    assert stem(folded(one)) == stem(folded(other))


@pytest.mark.parametrize("word", ["s0c7", "rc", "127", "bill010", "dns"])
def test_codes_and_short_words_stay_as_they_are(word: str) -> None:
    assert stem(word) == word


def test_accents_and_case_do_not_matter() -> None:
    assert folded("Não FOI possível: Conexão") == "nao foi possivel: conexao"
    assert indexed("Conexão") == indexed("conexao")


def test_a_portuguese_question_also_asks_in_english() -> None:
    terms = asked("o disco está cheio no servidor")
    assert {stem("disk"), stem("full"), stem("server"), stem("disco")} <= set(terms)
    assert not {"o", "no", "esta"} & set(terms)


def test_the_longest_phrase_is_translated() -> None:
    assert translated("arquivo não encontrado").startswith("file not found")


def test_english_stays_as_it_is_but_for_empty_words() -> None:
    assert translated("the record length of a file") == "record length file"


def test_a_question_has_a_bounded_number_of_terms() -> None:
    assert len(asked(" ".join(f"word{number}" for number in range(10_000)))) < 100
