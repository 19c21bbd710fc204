"""Nothing is silenced that was not silenced before."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fanfold.fix.gates.comments import Comment, comments, tokens
from fanfold.fix.gates.edit import Edit, is_python
from fanfold.fix.gates.source import Source, encoding_of

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
NO_TYPE_CHECK = "no_type_check"


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
    for name, count in (_silencers(edit.added) - _silencers(edit.removed)).items():
        yield f"silences a checker instead of fixing: {name}" + (f", {count} times" if count > 1 else "")
    if edit.before and (encoding := encoding_of(edit.after)) not in {encoding_of(edit.before), "utf-8"}:
        yield f"changes the encoding of the file to {encoding}"


def _silencers(source: Source) -> Counter[str]:
    return Counter(name for name, _ in source.named if name in SILENCING)


def no_suppression(path: str, before: bytes, after: bytes) -> tuple[str, ...]:
    """Nothing is silenced that was not silenced before; narrowing an old comment is allowed, and moving its line."""
    there, here = Counter(_comments(path, before)), Counter(_comments(path, after))
    old, new = Counter(_suppressions(there - here)), Counter(_suppressions(here - there))
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


def _suppressions(found: Counter[Comment]) -> Iterator[Suppression]:
    for comment in found.elements():
        for match in SUPPRESSIONS.finditer(comment.text):
            kind = re.sub(r"\s+", "", match["kind"]).lower()
            yield Suppression(kind, frozenset(CODE.findall(match["codes"])), frozenset(WORD.findall(comment.code)))


def _comments(path: str, text: bytes) -> Iterator[Comment]:
    """A Python file's comments, and the decorator that is one by its effect.

    All lines of what can't be read as Python, so that nothing hides there.
    """
    found = comments(text) if is_python(path) else None
    if found is None:
        for line in text.decode("utf-8", "replace").splitlines():
            yield Comment(_before_comment(line), line)
        return
    yield from found
    if NO_TYPE_CHECK.encode() in text:
        for token in tokens(text):
            if token.string == NO_TYPE_CHECK and token.line.lstrip().startswith("@"):
                yield Comment(token.line[: token.start[1]], token.string)


def _before_comment(line: str) -> str:
    return re.split(r"#|//|/\*|<!--", line, maxsplit=1)[0]
