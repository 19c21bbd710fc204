"""Words as the index knows them: folded, cut to stems, with their translation."""

from __future__ import annotations

import pytest

from fanfold.troubleshoot.sources.knowledge.terms import asked, folded, indexed, stem, translated, wanted


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


@pytest.mark.parametrize(
    ("one", "other"), [("copy", "copies"), ("run", "running"), ("begin", "began"), ("try", "tried")]
)
def test_irregular_forms_have_the_stem_of_their_word(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_a_portuguese_verb_is_known_in_its_forms() -> None:
    assert all(stem("delay") in asked(form) for form in ("adiar", "adiou", "adiado", "adiando"))
    assert all(stem("receive") in asked(form) for form in ("receber", "recebe", "recebeu", "recebido"))


def test_what_is_wanted_is_wanted_once_in_whatever_way() -> None:
    (disk,) = wanted("o disco")
    assert {way for _, ways in disk.ways for way in ways} >= {stem("disco"), stem("disk")}
    assert wanted("the disk, the disks") == wanted("disk")


def test_a_phrase_is_wanted_besides_its_words() -> None:
    phrase, *inside = wanted("arquivo não encontrado")
    assert (1.0, (stem("file"), stem("found"))) in phrase.ways
    (word,) = (one for one in inside if one.ways[0] == (1.0, (stem("arquivo"),)))
    assert word.weight < phrase.weight


def test_a_name_in_capitals_counts_more_amid_ordinary_words() -> None:
    weights = {ways[0]: one.weight for one in wanted("why is SUPPR shown") for _, ways in one.ways[:1]}
    assert weights[stem("suppr")] > weights[stem("shown")]
    assert {one.weight for one in wanted("SUPPR SHOWN")} == {1.0}
