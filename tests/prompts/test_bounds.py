"""A project's templates can't run without end, nor grow: Fanfold runs them itself."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanfold.config import ConfigError
from fanfold.prompts import own_templates, render
from fanfold.prompts.render import FOLDER

GIB = 1024**3


@pytest.fixture
def memory() -> Iterator[None]:
    """No more of it than a test of words needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4 * GIB, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def own(root: Path, **templates: str) -> dict[str, str]:
    folder = root / FOLDER
    folder.mkdir(parents=True)
    for name, text in templates.items():
        (folder / f"{name}.md.j2").write_text(text)
    return own_templates(root)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    "template",
    [
        '{{ "x" * 10**10 }}',
        "{{ 10**10**10 }}",
        '{{ "%10000000000d" % 1 }}',
        '{{ "{:10000000000}".format(1) }}',
        '{{ "x".ljust(10000000000) }}',
        '{{ "x"|center(10000000000) }}',
        '{{ "x"|indent(10000000000) }}',
        '{{ code|replace("", code)|replace("", code)|replace("", code) }}',
        "{{ code|join(code)|join(code) }}",
        "{{ lipsum(n=1000000000) }}",
        '{% set x = "xx" %}' + "{% set x = x ~ x %}" * 40,
        "{% set x %}{{ code }}{{ code }}{% endset %}{{ x }}",
        "{{ [code, code]|join }}",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in code %}{% endfor %}",
        "{% for a in path %}{% for b in path %}{% endfor %}{% endfor %}",
        "{% for a in symbols %}{% for b in symbols %}{% endfor %}{% endfor %}",
        "{% for a in symbols recursive %}{{ loop(symbols) }}{% endfor %}",
        '{% for a in symbols %}{% include "rules" %}{% endfor %}',
        "{% macro m(x) %}{{ m(x) }}{{ m(x) }}{% endmacro %}{{ m(1) }}",
        '{% include "llm" %}',
        '{% extends "llm" %}',
        '{% extends "task" %}',
        "{% include path %}",
        '{% import "fanfold/task" as x %}',
        "{% block a %}{% endblock %}{{ self.a() }}",
        "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
        "{% if 1 %}" * 200 + "{% endif %}" * 200,
        "{% block x %}" * 2 + "{% endblock %}" * 2,
    ],
)
def test_what_could_run_or_grow_without_end_is_refused_with_its_line(tmp_path: Path, template: str) -> None:
    with pytest.raises(ConfigError) as raised:
        own(tmp_path, llm=f"\n{template}")
    assert f"{FOLDER}/llm.md.j2" in raised.value.message


@pytest.mark.parametrize("template", ['{% include "rules" %}', '{% include "fanfold/task" %}'])
def test_templates_that_take_in_each_other_are_refused(tmp_path: Path, template: str) -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        own(tmp_path, rules=template)


def test_a_text_that_is_too_long_is_refused(tmp_path: Path) -> None:
    templates = own(tmp_path, retry="{{ reasons }}" * 4_000)
    with pytest.raises(ConfigError, match=r"retry.md.j2.*more than 2,000,000 characters"):
        render("retry", templates, reasons="x" * 60_000)


def test_what_words_need_is_there(tmp_path: Path) -> None:
    template = (
        '{% extends "fanfold/llm" %}{% block code %}{% if advice and path != "a.py" or not feedback %}!{% endif %}\n'
        "{{ super() }}{% endblock %}{% block symbols %}{% for one in symbols %}{{ one|trim }}{% else %}none{% endfor %}"
        '{{ symbols|length }}{{ symbols|join }}{% include "rules" %}{{ "one" if code is defined else "two" }}'
        '{{ advice|default("nothing") }}{% endblock %}'
    )
    assert set(own(tmp_path, llm=template)) == {"llm"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("task", '{% extends "typo" %}', "there is no template 'typo' to be extended: there are fanfold/task, "),
        ("task", '{% extends "task" %}', "did you mean 'fanfold/task'?"),
        ("llm", 'a\n{% extends "fanfold/lm" %}', "did you mean 'fanfold/llm'?"),
        ("llm_system", '{% include "rule" %}', "'rule' to be included: did you mean 'rules'?"),
        ("llm_system", '{% include "fanfold/nope" %}', "there are fanfold/task, "),
        ("task", "{% extends path %}", "what is extended is named by a text in quotes"),
    ],
)
def test_a_template_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / f"{name}.md.j2").write_text(text)
    with pytest.raises(ConfigError) as caught:
        own_templates(tmp_path)
    assert caught.value.message.startswith(f"{FOLDER}/{name}.md.j2, line {text.count(chr(10)) + 1}: ")
    assert words in caught.value.message


def test_what_one_of_ours_lacks_is_laid_at_the_door_of_who_extends_it(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "retry.md.j2").write_text('{% extends "fanfold/task" %}')
    with pytest.raises(ConfigError, match=r"^\.fanfold/prompts/retry\.md\.j2, line 1: 'path' is undefined"):
        own_templates(tmp_path)
