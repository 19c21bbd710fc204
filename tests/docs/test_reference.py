from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(REFERENCE.glob("*.md"))
PACKAGES = ("fanfold.engine", "fanfold.nodes")


def generate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, REFERENCE / "generate.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with one public name in a module that is called the same, in a folder of its own."""
    folder = tmp_path / "source" / "shop"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""A shop."""\nfrom shop.sell import sell\n__all__ = ["sell"]\n')
    (folder / "sell.py").write_text('"""Sales."""\ndef sell(what: str) -> int:\n    """Sell one."""\n    return 1\n')
    return folder


def written(package: Path) -> str:
    """The page that is written for the package."""
    done = generate("--source", package.parent, "--pages", package.parent, package.name)
    assert done.returncode == 0, done.stderr
    return (package.parent / f"{package.name}.md").read_text()


def test_the_reference_is_as_the_docstrings_say() -> None:
    done = generate("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_that_differs_is_named(package: Path) -> None:
    page, pages = written(package), package.parent
    (pages / "shop.md").write_text(page.replace("Sell one", "Sell two"))
    (pages / "README.md").unlink()
    (pages / "gone.md").write_text("# A package that is no more\n")
    done = generate("--check", "--source", pages, "--pages", pages, "shop")
    assert done.returncode == 1
    assert re.findall(r"(\w+\.md) is out of date", done.stderr) == ["README.md", "gone.md", "shop.md"]
    assert "hint: run: make reference" in done.stderr
    assert "Sell two" in (pages / "shop.md").read_text()


def test_writing_again_mends_what_differs_and_removes_what_is_left_over(package: Path) -> None:
    page = written(package)
    (package.parent / "shop.md").write_text("")
    (package.parent / "gone.md").write_text("")
    assert written(package) == page
    assert sorted(path.name for path in package.parent.glob("*.md")) == ["README.md", "shop.md"]


def test_names_lead_to_what_their_import_says_and_not_to_a_module_of_that_name(package: Path) -> None:
    page = written(package)
    assert "## `shop.sell`\n\nSales.\n\n### `sell`\n\n```python\ndef sell(what: str) -> int\n```\n\nSell one.\n" in page


def test_a_public_name_without_docstring_is_an_error(package: Path) -> None:
    (package / "sell.py").write_text(
        "class sell:\n    def to(self) -> None: ...\n    def _quietly(self) -> None: ...\n"
    )
    done = generate("--source", package.parent, "--pages", package.parent, "shop")
    assert done.returncode == 1
    assert re.findall(r"(shop\S*) has no docstring", done.stderr) == ["shop.sell", "shop.sell.to"]


def test_a_public_name_that_leads_nowhere_is_an_error(package: Path) -> None:
    (package / "__init__.py").write_text('__all__ = ["buy"]\n')
    done = generate("--source", package.parent, "--pages", package.parent, "shop")
    assert (done.returncode, done.stderr) == (1, "error: shop.buy is in `__all__`, and leads nowhere\n")
    assert not list(package.parent.glob("*.md"))


def test_sections_become_lists_in_which_nothing_is_lost(package: Path) -> None:
    (package / "sell.py").write_text(
        dedent(
            '''
            def sell(what: str, *more: str, price: float = 1.5, **options: int) -> int:
                """Sell things, 2*3 of them.

                    sell("a fan")

                See `sell`.

                Args:
                    what, more: names
                        of things.
                    price: as in the
                        shop: in euros.
                Returns:
                    How many
                    there are.
                Raises:
                    ValueError, LookupError: before anything starts.
                    As the shop does
                    otherwise.
                Source:
                    A book,
                    chapters: all.
                When it rains, nothing is sold.
                """
            '''
        )
    )
    assert written(package).partition("### `sell`\n\n")[2] == dedent(
        """\
        ```python
        def sell(what: str, *more: str, price: float = 1.5, **options: int) -> int
        ```

        Sell things, 2\\*3 of them.

        ```python
        sell("a fan")
        ```

        See [`sell`](#sell).

        **Args**

        - `what`, `more`: names of things.
        - `price`: as in the shop: in euros.

        **Returns**

        How many
        there are.

        **Raises**

        - `ValueError`, `LookupError`: before anything starts.
        - As the shop does otherwise.

        **Source**

        A book,
        chapters: all.

        When it rains, nothing is sold.
        """
    )


def test_a_value_shows_its_declaration_without_private_names(package: Path) -> None:
    (package / "sell.py").write_text(
        'from x import Seller, _one\nsell: Seller = Seller(_one, all=_one, cheap=True, of=["fans"])\n"""Sells."""\n'
    )
    assert 'sell: Seller = Seller(..., cheap=True, of=["fans"])\n' in written(package)


def test_a_class_shows_how_it_is_made_only_where_that_is_for_everybody(package: Path) -> None:
    source = 'class sell:\n    """Sales.{}"""\n    def __init__(self, price: int, *, tax: float = 0.2) -> None: ...\n'
    (package / "sell.py").write_text(source.format(""))
    assert "```python\nclass sell\n```" in written(package)
    (package / "sell.py").write_text(source.format("\n\n    Args:\n        price: of one.\n    "))
    assert "```python\nclass sell\n\nsell(price: int, *, tax: float = 0.2)\n```" in written(package)


def plain(text: str) -> str:
    """Words alone, without markup."""
    words = re.sub(r"\]\([^)]*\)|[`*\\[\]]|^ *- ", " ", text, flags=re.MULTILINE).split()
    return re.sub(r" (?=[:,])", "", " ".join(words))


def docstrings(package: str) -> Iterator[tuple[str, str]]:
    module = importlib.import_module(package)
    for name in module.__all__:
        public = getattr(module, name)
        if inspect.isclass(public) or inspect.isfunction(public):
            yield name, inspect.getdoc(public) or ""


@pytest.mark.parametrize("package", PACKAGES)
def test_each_line_of_each_docstring_is_on_the_page(package: str) -> None:
    page = plain((REFERENCE / f"{package.rpartition('.')[2]}.md").read_text())
    section = re.compile(r"(Args|Attributes|Raises|Returns|Source|Yields):")
    lost = [
        (name, line)
        for name, docstring in docstrings(package)
        for line in docstring.splitlines()
        if not section.fullmatch(line) and plain(line) not in page
    ]
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_of_the_reference_lead_to_headings(page: Path) -> None:
    broken = [
        f"{file}#{anchor}"
        for file, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text())
        if not (page.parent / file).exists() or (anchor and anchor not in anchors(page.parent / file if file else page))
    ]
    assert not broken


@cache
def anchors(page: Path) -> frozenset[str]:
    """What GitHub makes of the page's headings."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE):
        plain_heading = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{plain_heading}-{seen[plain_heading]}" if plain_heading in seen else plain_heading)
        seen[plain_heading] += 1
    return frozenset(found)
