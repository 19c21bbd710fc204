"""An answer in words becomes the same edits as one in data."""

from __future__ import annotations

import pytest

from fanfold.agents.llm.answer import Definition, Edits, Replacement, in_words
from fanfold.llm import Refused

BLOCKS = """\
Here are my edits.

<<<<<<< SEARCH
    except:
        return None
=======
    except ValueError:
        return None
>>>>>>> REPLACE

<<<<<<< DEFINITION Account.close
=======
def close(self) -> None:
    self.open = False
>>>>>>> REPLACE
"""


def test_marked_blocks_are_edits() -> None:
    assert in_words(BLOCKS) == Edits(
        replacements=[
            Replacement(
                search="    except:\n        return None\n", replace="    except ValueError:\n        return None\n"
            )
        ],
        definitions=[Definition(name="Account.close", code="def close(self) -> None:\n    self.open = False\n")],
    )


def test_line_ends_of_another_system_change_nothing() -> None:
    assert in_words(BLOCKS.replace("\n", "\r\n")) == in_words(BLOCKS)


def test_a_code_fence_within_a_block_isnt_code() -> None:
    fenced = "<<<<<<< SEARCH\n```python\nx = 1\n```\n=======\n```python\nx = 2\n```\n>>>>>>> REPLACE\n"
    assert in_words(fenced).replacements == [Replacement(search="x = 1\n", replace="x = 2\n")]


def test_an_empty_replacement_takes_text_away() -> None:
    assert in_words("<<<<<<< SEARCH\nx = 1\n=======\n>>>>>>> REPLACE").replacements[0].replace == ""


def test_a_code_block_that_is_one_function_is_that_function() -> None:
    text = "Sure!\n```python\ndef f() -> int:\n    return 1\n```\nand\n```\n    def g(self): ...\n```\n"
    assert [one.name for one in in_words(text).definitions] == ["f", "g"]


@pytest.mark.parametrize(
    "text",
    [
        BLOCKS.removesuffix(">>>>>>> REPLACE\n"),
        "<<<<<<< SEARCH\nx = 1\n",
        "I would remove the import.",
        "```python\nx = 1\n```",
        "```python\ndef f(): ...\ndef g(): ...\n```",
        "",
    ],
)
def test_what_holds_no_whole_edit_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        in_words(text)


def test_a_model_may_say_that_it_knows_nothing() -> None:
    assert in_words("NONE").note
    assert in_words("**NONE**\n") == in_words("NONE")


def test_a_block_may_name_its_file() -> None:
    one = in_words("<<<<<<< SEARCH `shop/words.py`:\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n").replacements[0]
    two = in_words("<<<<<<< DEFINITION A.f  shop/words.py\n=======\ndef f(): ...\n>>>>>>> REPLACE\n").definitions[0]
    assert (one.path, two.path, two.name) == ("shop/words.py", "shop/words.py", "A.f")


@pytest.mark.parametrize("rest", ["", " (line 3)", " block 1.", " ---"])
def test_other_words_in_the_first_line_of_a_block_name_no_file(rest: str) -> None:
    assert in_words(f"<<<<<<< SEARCH{rest}\nx\n=======\ny\n>>>>>>> REPLACE\n").replacements[0].path == ""


def test_a_code_block_may_begin_with_an_empty_line() -> None:
    assert in_words("```python\n\ndef f() -> int:\n    return 1\n```\n").definitions[0].name == "f"
