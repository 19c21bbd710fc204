"""Nothing is silenced that was not silenced before."""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fanfold.fix.gates.edit import Edit, Source, is_python, tokens

SUPPRESSIONS = re.compile(
    r"""
    (?P<kind>
        (?:ruff|flake8)\s*:\s*noqa | noqa | type\s*:\s*ignore | mypy\s*:\s* | pyright\s*:\s*
        | pyre-(?:ignore|fixme|unsafe)
        | ty\s*:\s*ignore | pyrefly\s*:\s*ignore | pylint\s*:\s*(?:disable|skip-file)[\w-]* | nosec | nosonar
        | nosemgrep | skipcq | pytype\s*:\s*(?:disable|skip-file)
        | pragma\s*:\s*no\s*(?:cover|branch|mutate) | isort\s*:\s*(?:skip_file|skip|off) | fmt\s*:\s*(?:off|skip)
        | ruff\s*:\s*(?:disable|ignore|file-ignore|isort)[\w-]* | yapf\s*:\s*disable
        | autopep8\s*:\s*off | codespell\s*:\s*ignore | no_type_check
        | eslint-disable[\w-]* | @ts-(?:ignore|nocheck|expect-error) | nolint | noinspection | NOLINT\w*
        | sourcery\s+skip | refurb\s*:\s*ignore | lgtm\b | doctest\s*:\s*\+\s*skip
        | biome-ignore[\w-]* | prettier-ignore | rubocop\s*:\s*disable | shellcheck\s+disable
    )
    (?P<codes> \s*[:=\[(]?\s* [\w,\s.\-/]* [\])]? )
    """,
    re.IGNORECASE | re.VERBOSE,
)
CODE = re.compile(r"[A-Za-z][\w-]*")
WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Suppression:
    """A comment that tells a tool to look away: `kind` of comment and the rules it names, none = all of them.

    `words` are those of the code before it on its line.
    """

    kind: str
    codes: frozenset[str]
    words: frozenset[str]

    def covers(self, other: Suppression) -> bool:
        """Whether this one silences all that the other one does, on what may be the same line."""
        narrower = not self.codes or (bool(other.codes) and other.codes <= self.codes)
        return self.kind == other.kind and narrower and self._may_stand_before(other)

    def _may_stand_before(self, other: Suppression) -> bool:
        """One that nothing needs must not wander to a line with a finding; a line that is edited keeps some names."""
        names = self.words - _KEYWORDS
        return bool(names & other.words) if names else bool(self.words & other.words) or self.words == other.words


_KEYWORDS = frozenset(keyword.kwlist)


SILENCING = frozenset(
    {
        "typing.no_type_check", "typing_extensions.no_type_check", "typing.no_type_check_decorator",
        "warnings.filterwarnings", "warnings.simplefilter", "logging.disable", "pytest.mark.filterwarnings",
        "warnings.resetwarnings", "sys.warnoptions", "warnings.showwarning", "sys.excepthook", "sys.unraisablehook",
    }
)  # fmt: skip


def check(edit: Edit) -> Iterator[str]:
    """What tells a tool, or Python, to look away: comments, decorators, calls, another encoding of the file."""
    yield from no_suppression(edit.path, edit.before, edit.after)
    if not edit.readable:
        return
    for name, count in (_silencers(edit.new) - _silencers(edit.old)).items():
        yield f"silences a checker instead of fixing: {name}" + (f", {count} times" if count > 1 else "")
    if edit.before and (encoding := _encoding(edit.after)) not in {_encoding(edit.before), "utf-8"}:
        yield f"changes the encoding of the file to {encoding}"


def _silencers(source: Source) -> Counter[str]:
    names = (source.dotted(node) for node in source.nodes if isinstance(node, ast.Name | ast.Attribute))
    return Counter(name for name in names if name in SILENCING)


def _encoding(text: bytes) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(text).readline)[0].removesuffix("-sig")
    except (SyntaxError, ValueError):
        return "unknown"


def no_suppression(path: str, before: bytes, after: bytes) -> tuple[str, ...]:
    """Nothing is silenced that was not silenced before; narrowing an old comment is allowed, and moving its line."""
    old, new = Counter(suppressions(path, before)), Counter(suppressions(path, after))
    spare = list((old - new).elements())
    reasons = []
    for suppression in (new - old).elements():
        wider = next((candidate for candidate in spare if candidate.covers(suppression)), None)
        if wider is None:
            named = " ".join(sorted(suppression.codes))
            reasons.append(f"silences a checker instead of fixing: {suppression.kind} {named}".rstrip())
        else:
            spare.remove(wider)
    return tuple(dict.fromkeys(reasons))


def suppressions(path: str, source: bytes) -> list[Suppression]:
    """Every comment in a file that tells a tool to look away."""
    return [
        Suppression(
            re.sub(r"\s+", "", match["kind"]).lower(),
            frozenset(CODE.findall(match["codes"])),
            frozenset(WORD.findall(code)),
        )
        for code, comment in _comments(path, source)
        for match in SUPPRESSIONS.finditer(comment)
    ]


def _comments(path: str, source: bytes) -> list[tuple[str, str]]:
    """A Python file's comments, and the decorator that is one by its effect; each after the code before it on its line.

    All lines of what can't be read as Python, so that nothing hides there.
    """
    if is_python(path) and (read := tokens(source)):
        return [
            (token.line[: token.start[1]], token.string)
            for token in read
            if token.type == tokenize.COMMENT
            or (token.string == "no_type_check" and token.line.lstrip().startswith("@"))
        ]
    return [(_before_comment(line), line) for line in source.decode("utf-8", "replace").splitlines()]


def _before_comment(line: str) -> str:
    return re.split(r"#|//|/\*|<!--", line, maxsplit=1)[0]
