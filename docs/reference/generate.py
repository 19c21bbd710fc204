"""Write the reference: every public name of a package, with its signature and what its docstring says.

    python docs/reference/generate.py            # write the pages
    python docs/reference/generate.py --check    # say whether they are what would be written

Public is what a package names in `__all__`. Sources are read and not imported, so that the pages are the same on every
machine and for every Python, and no extra must be installed.

Griffe reads the sources. It leaves docstrings alone here: in its Google style, sections need blank lines between them,
and what is no `name: text` in a section is dropped.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from textwrap import dedent

import griffe

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "src"
PACKAGES = (
    "fanfold.engine",
    "fanfold.runtimes",
    "fanfold.runtimes.cluster",
    "fanfold.runtimes.langgraph",
    "fanfold.nodes",
)
INDEX = "README.md"
MOST_COLUMNS = 100
NOTE = "<!-- Written by docs/reference/generate.py from the docstrings: change those. -->"
INTRODUCTION = (
    "Every public name, from its docstring. To learn them in an order that makes sense, start with "
    "[the engine](../engine.md), [flows](../flows.md) or [nodes](../nodes.md)."
)

SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Source|Yields):\n((?:(?: {4}.*)?(?:\n|$))+)", re.MULTILINE)
PROSE = ("Returns", "Source", "Yields")
NAMED = re.compile(r"(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*): (.+)", re.DOTALL)
CODE = re.compile(r"(`[^`]+`)")
MARKUP = re.compile(r"\*(?=\S)|(?<=\S)\*|<(?=[\w/!])")
DECORATORS = ("asynccontextmanager", "classmethod", "contextmanager", "dataclass", "staticmethod")


class Unwritable(Exception):
    """A package has no public names, or one of them leads nowhere."""


@dataclass(frozen=True, slots=True)
class Public:
    """One public name: what it is, and the module below its package where it is at home."""

    name: str
    is_a: griffe.Object
    module: griffe.Module

    @property
    def text(self) -> str:
        """Its docstring."""
        return _docstring(self.is_a)

    @property
    def members(self) -> list[Public]:
        """The methods and properties that its class defines itself, in the order of the source."""
        if not isinstance(self.is_a, griffe.Class):
            return []
        members = [member for member in self.is_a.members.values() if isinstance(member, griffe.Object)]
        return [Public(f"{self.name}.{each.name}", each, self.module) for each in members if _is_described(each)]

    @property
    def place(self) -> tuple[str, bool, str, int]:
        """Names are sorted by this: by module, errors last, then as in the source."""
        is_error = isinstance(self.is_a, griffe.Class) and _is_error(self.is_a)
        return self.module.path, is_error, str(self.is_a.relative_package_filepath), self.is_a.lineno or 0


@dataclass(frozen=True, slots=True)
class Page:
    """All public names of one package, sorted, and the anchor of each heading on its page."""

    package: griffe.Module
    names: tuple[Public, ...]
    anchors: Mapping[str, str]

    @property
    def file(self) -> str:
        """The page's file in the reference's folder."""
        return f"{self.package.name}.md"

    @property
    def modules(self) -> Iterator[tuple[griffe.Module, list[Public]]]:
        """The names by the module in which they are at home."""
        for _, names in groupby(self.names, key=lambda public: public.module.path):
            listed = list(names)
            yield listed[0].module, listed


def read(source: Path, packages: Iterable[str]) -> list[Page]:
    """The public names of these packages, as their sources say.

    Raises:
        Unwritable: there is no such package, or it has no `__all__` of plain names that all lead somewhere.
    """
    pages = []
    loader = griffe.GriffeLoader(search_paths=[source])
    for path in packages:
        root = path.partition(".")[0]
        try:
            if root not in loader.modules_collection:
                loader.load(root)
            package = loader.modules_collection[path]
        except (ImportError, KeyError) as error:
            raise Unwritable(f"there is no package {path} in {source}") from error
        names = sorted((_public(package, name) for name in _exports(package)), key=lambda public: public.place)
        pages.append(Page(package, tuple(names), _anchors(names)))
    return pages


def _exports(package: griffe.Module) -> list[str]:
    names = [name for name in package.exports or () if isinstance(name, str)]
    if not names or len(names) != len(package.exports or ()):
        raise Unwritable(f"{package.path} has no `__all__` of plain names")
    return names


def _public(package: griffe.Module, name: str) -> Public:
    """Where a name is defined: its import says so, for a module of the same name would hide it."""
    try:
        found = package.modules_collection[_imported(package, name)]
        while isinstance(found, griffe.Alias):
            found = found.final_target
    except (KeyError, griffe.GriffeError) as error:
        raise Unwritable(f"{package.path}.{name} is in `__all__`, and leads nowhere") from error
    module = found.module
    while module.parent is not None and module.parent.path.startswith(f"{package.path}."):
        module = module.parent.module
    return Public(name, found, module)


def _imported(module: griffe.Module, name: str) -> str:
    """The path that a name is imported from, through the packages that pass it on."""
    path = module.imports.get(name)
    if path is None:
        return f"{module.path}.{name}"
    home = module.modules_collection[path.rpartition(".")[0]]
    return _imported(home, path.rpartition(".")[2]) if isinstance(home, griffe.Module) else path


def _is_described(member: griffe.Object) -> bool:
    return (isinstance(member, griffe.Function) or "property" in member.labels) and not member.name.startswith("_")


def _is_error(found: griffe.Class) -> bool:
    return any(str(base).endswith(("Error", "Exception")) for each in (found, *found.mro()) for base in each.bases)


def _docstring(found: griffe.Object) -> str:
    return found.docstring.value if found.docstring else ""


def _anchors(names: Sequence[Public]) -> dict[str, str]:
    """Each heading with the anchor that GitHub makes of it."""
    headings: dict[str, None] = {}
    for public in names:
        headings |= dict.fromkeys([public.module.path, public.name, *(member.name for member in public.members)])
    anchors: dict[str, str] = {}
    for heading in headings:
        plain = re.sub(r"[^\w-]", "", heading.lower())
        times = sum(re.sub(r"-\d+$", "", anchor) == plain for anchor in anchors.values())
        anchors[heading] = f"{plain}-{times}" if times else plain
    return anchors


def index(pages: Iterable[Page]) -> str:
    """The page that says what there is."""
    written = [f"# Reference\n\n{NOTE}\n\n{INTRODUCTION}\n"]
    for page in pages:
        written.append(f"\n## `{page.package.path}`\n")
        for module, names in page.modules:
            written.append(f"\n**[`{module.path}`]({page.file}#{page.anchors[module.path]})**\n\n")
            written += [
                f"- [`{each.name}`]({page.file}#{page.anchors[each.name]}): {_escaped(_first(each.text))}\n"
                for each in names
            ]
    return "".join(written)


class Writer:
    """Writes a page, whose names lead to where they are explained.

    Args:
        pages: all that there are; a name is looked up on its own page first.
    """

    def __init__(self, page: Page, pages: Iterable[Page]) -> None:
        self._page = page
        self._pages = (page, *pages)

    def text(self) -> str:
        """The whole page."""
        package = self._page.package
        written = [f"# `{package.path}`\n\n{NOTE}\n\n{self._prose(_docstring(package))}"]
        for module, names in self._page.modules:
            is_within = module.path.startswith(f"{package.path}.")
            about = self._prose(_docstring(module)) if is_within else ""
            written += [f"## `{module.path}`\n\n{about}", *(self._name("###", public) for public in names)]
        return "".join(written).rstrip("\n") + "\n"

    def _name(self, level: str, public: Public) -> str:
        heading = f"{level} `{public.name}`\n\n```python\n{declaration(public)}\n```\n\n"
        members = [self._name("####", member) for member in public.members]
        return "".join([heading, self._prose(public.text), self._values(public.is_a), *members])

    def _values(self, found: griffe.Object) -> str:
        """The values of a class that have docstrings, such as an enum's members."""
        values = [
            f"- `{_quoted(f'{name} = {value.value}')}`: {self._linked(_docstring(value))}\n"
            for name, value in found.members.items()
            if isinstance(found, griffe.Class) and isinstance(value, griffe.Attribute)
            if value.docstring and "property" not in value.labels
        ]
        return "".join([*values, "\n"]) if values else ""

    def _prose(self, docstring: str) -> str:
        """A docstring as Markdown."""
        text, *sections = SECTION.split(docstring)
        written = self._blocks(text)
        for title, body, after in zip(sections[::3], sections[1::3], sections[2::3], strict=True):
            items = [("", dedent(body).strip())] if title in PROSE else _items(dedent(body).strip())
            written += [f"**{title}**", self._list(items, is_linked=title == "Raises"), *self._blocks(after)]
        return "".join(f"{block}\n\n" for block in written)

    def _blocks(self, text: str) -> list[str]:
        """Paragraphs, and code where it is indented."""
        blocks = [block for block in re.split(r"\n\s*\n", text.strip("\n")) if block.strip()]
        return [f"```python\n{dedent(each)}\n```" if each.startswith("    ") else self._linked(each) for each in blocks]

    def _list(self, items: Sequence[tuple[str, str]], *, is_linked: bool) -> str:
        if [names for names, _ in items] == [""]:
            return self._linked(items[0][1])
        lines = []
        for names, text in items:
            named = ", ".join(f"`{name}`" for name in names.split(", ")) + ": " if names else ""
            lines.append(f"- {self._linked(named) if is_linked else named}{self._linked(text)}")
        return "\n".join(lines)

    def _linked(self, text: str) -> str:
        return "".join(self._link(part) if part.startswith("`") else _escaped(part) for part in CODE.split(text))

    def _link(self, code: str) -> str:
        """A code span, which leads to the name that it holds, if that is one."""
        name = code.strip("`").partition("(")[0]
        for page in self._pages:
            if name in page.anchors:
                return f"[{code}]({'' if page is self._page else page.file}#{page.anchors[name]})"
        return code


def _items(body: str) -> list[tuple[str, str]]:
    """A section's entries, names and text; prose among them has no names."""
    items: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        named = NAMED.fullmatch(line)
        if named:
            items.append((named[1], [named[2]]))
        elif items and (line.startswith(" ") or not items[-1][0]):
            items[-1][1].append(line.strip())
        else:
            items.append(("", [line]))
    return [(names, " ".join(lines)) for names, lines in items]


def declaration(public: Public) -> str:
    """How a name is declared, without what is inside."""
    return _quoted(_declaration(public))


def _declaration(public: Public) -> str:
    found, name = public.is_a, public.name.rpartition(".")[2]
    if isinstance(found, griffe.Class):
        return _class(found, name, public.text)
    if isinstance(found, griffe.Function):
        forms = found.overloads or [found]
        return "\n\n".join(_function(form, name, is_method=isinstance(found.parent, griffe.Class)) for form in forms)
    if isinstance(found, griffe.Attribute):
        declared = f"{name}: {found.annotation}" if found.annotation else name
        return declared if "property" in found.labels else f"{declared}{_value(declared, found.value)}"
    return name


def _value(declared: str, value: object) -> str:
    """What stands behind the declaration of a value, as far as it says anything: nothing of private names."""
    if isinstance(value, griffe.ExprCall):
        arguments = [str(each) for each in value.arguments]
        public = [each for each in arguments if not re.match(r"(\w+=)?_", each)]
        shown = ["..."] * (len(public) < len(arguments)) + public
        return _bracketed(f"{declared} = {value.function}", shown).removeprefix(declared)
    return f" = {value}" if value is not None and len(f"{declared} = {value}") <= MOST_COLUMNS else ""


def _class(found: griffe.Class, name: str, text: str) -> str:
    bases = [str(base) for base in found.bases if not str(base).startswith("Generic[")]
    first = f"class {name}({', '.join(bases)})" if bases else f"class {name}"
    if "TypedDict" in bases:
        return "\n".join([f"{first}:", *(f"    {key}: {field.annotation}" for key, field in found.attributes.items())])
    is_made = "Protocol" not in str(bases) and ("dataclass" in found.labels or "\nArgs:\n" in text)
    if not is_made or _is_error(found):
        return first
    call = _call(name, [each for each in found.parameters if each.name != "self"])
    return f"{first}\n\n{call}"


def _function(found: griffe.Function, name: str, *, is_method: bool) -> str:
    decorators = [str(each.value).rpartition(".")[2] for each in found.decorators]
    lines = [f"@{each}" for each in decorators if each in DECORATORS]
    parameters = [each for each in found.parameters if not is_method or each.name not in ("self", "cls")]
    start = "async def" if "async" in found.labels else "def"
    result = f" -> {found.returns}" if found.returns else ""
    return "\n".join([*lines, f"{start} {_call(name, parameters, result)}"])


def _call(name: str, parameters: Sequence[griffe.Parameter], result: str = "") -> str:
    return _bracketed(name, list(_parameters(parameters)), result)


def _bracketed(before: str, parts: Sequence[str], after: str = "") -> str:
    """Parts in brackets, each on a line of its own where one line is too short for all."""
    line = f"{before}({', '.join(parts)}){after}"
    if len(line) <= MOST_COLUMNS:
        return line
    return "\n".join([f"{before}(", *(f"    {each}," for each in parts), f"){after}"])


def _parameters(parameters: Iterable[griffe.Parameter]) -> Iterator[str]:
    kinds = griffe.ParameterKind
    before: griffe.ParameterKind | None = None
    for each in parameters:
        if before is kinds.positional_only and each.kind is not before:
            yield "/"
        if each.kind is kinds.keyword_only and before not in (kinds.keyword_only, kinds.var_positional):
            yield "*"
        stars = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(each.kind or kinds.keyword_only, "")
        annotated = f"{stars}{each.name}: {each.annotation}" if each.annotation else f"{stars}{each.name}"
        default = None if stars else each.default
        yield annotated if default is None else f"{annotated}{' = ' if each.annotation else '='}{default}"
        before = each.kind
    if before is kinds.positional_only:
        yield "/"


def undocumented(pages: Iterable[Page]) -> list[str]:
    """Public names without a docstring, methods and properties of classes included."""
    return [
        f"{page.package.path}.{each.name}"
        for page in pages
        for public in page.names
        for each in (public, *public.members)
        if not each.text
    ]


def _first(text: str) -> str:
    """The first sentence."""
    return " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def _escaped(text: str) -> str:
    """What would be markup outside of code, as plain text."""
    return "".join(part if part.startswith("`") else MARKUP.sub(r"\\\g<0>", part) for part in CODE.split(text))


def _quoted(code: str) -> str:
    """Code with strings in double quotes, as it is written here."""
    return re.sub(r"'([^'\"\\]*)'", r'"\1"', code)


def _outdated(folder: Path, texts: Mapping[str, str]) -> list[str]:
    there = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in {*there, *texts} if there.get(name) != texts.get(name))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the reference, or check it; 1 where it isn't as it should be."""
    parser = argparse.ArgumentParser(description="Write the reference from the docstrings")
    parser.add_argument("packages", nargs="*", default=PACKAGES, help="packages to describe (default: the public ones)")
    parser.add_argument("--check", action="store_true", help="change nothing, and fail where a page is out of date")
    parser.add_argument("--source", type=Path, default=SOURCE, help="folder that the packages are in")
    parser.add_argument("--pages", type=Path, default=HERE, help="folder that the pages are in")
    options = parser.parse_args(arguments)
    try:
        pages = read(options.source, options.packages)
    except Unwritable as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    texts = {page.file: Writer(page, pages).text() for page in pages} | {INDEX: index(pages)}
    outdated, bare = _outdated(options.pages, texts), undocumented(pages)
    for name in outdated:
        path = options.pages / name
        if options.check:
            sys.stderr.write(f"error: {path} is out of date\nhint: run: make reference\n")
        elif name in texts:
            path.write_text(texts[name], "utf-8")
        else:
            path.unlink()
    for name in bare:
        sys.stderr.write(f"error: {name} has no docstring\n")
    return 1 if bare or (options.check and outdated) else 0


if __name__ == "__main__":
    sys.exit(main())
