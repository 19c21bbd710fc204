"""What a change may not do, whatever the checkers say of it.

Each gate takes a file's text before and after and returns the reasons for refusal, none where it may pass.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
import warnings
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

CONFIGURATION = frozenset(
    {
        "pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", "mypy.ini", ".mypy.ini", "ruff.toml", ".ruff.toml",
        ".flake8", ".pylintrc", "pylintrc", "pyrightconfig.json", "pyrefly.toml", "ty.toml", ".coveragerc", ".bandit",
        ".pre-commit-config.yaml", "fanfold.toml", ".gitattributes", ".gitignore", ".editorconfig", "noxfile.py",
        "pytest.toml", ".pytest.toml", ".pytest.ini", ".isort.cfg", ".yamllint", ".shellcheckrc", ".semgrepignore",
    }
)  # fmt: skip

SUPPRESSIONS = re.compile(
    r"""
    (?P<kind>
        (?:ruff|flake8)\s*:\s*noqa | noqa | type\s*:\s*ignore | mypy\s*:\s* | pyright\s*:\s* | pyre-(?:ignore|fixme)
        | ty\s*:\s*ignore | pyrefly\s*:\s*ignore | pylint\s*:\s*(?:disable|skip-file)[\w-]* | nosec | nosonar
        | nosemgrep | skipcq | pytype\s*:\s*(?:disable|skip-file)
        | pragma\s*:\s*no\s*(?:cover|branch) | isort\s*:\s*(?:skip_file|skip|off) | fmt\s*:\s*(?:off|skip)
        | ruff\s*:\s*(?:disable|ignore|file-ignore|isort)[\w-]* | yapf\s*:\s*disable
        | autopep8\s*:\s*off | codespell\s*:\s*ignore | no_type_check
        | eslint-disable[\w-]* | @ts-(?:ignore|nocheck|expect-error) | nolint | noinspection | NOLINT\w*
        | biome-ignore[\w-]* | prettier-ignore | rubocop\s*:\s*disable | shellcheck\s+disable
    )
    (?P<codes> \s*[:=\[(]?\s* [\w,\s.\-/]* [\])]? )
    """,
    re.IGNORECASE | re.VERBOSE,
)
CODE = re.compile(r"[A-Za-z][\w-]*")
WORD = re.compile(r"[^\W\d]\w*")


def is_configuration(path: str) -> bool:
    """Whether a file of this name steers checkers or tests."""
    return PurePosixPath(path).name in CONFIGURATION


def syntax_problem(source: bytes) -> str | None:
    """Why Python source does not compile on this interpreter; None when it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<change>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        return str(error) or type(error).__name__
    return None


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
    if is_python(path):
        try:
            return [
                (token.line[: token.start[1]], token.string)
                for token in tokenize.tokenize(io.BytesIO(source).readline)
                if token.type == tokenize.COMMENT
                or (token.string == "no_type_check" and token.line.lstrip().startswith("@"))
            ]
        except (tokenize.TokenError, SyntaxError, ValueError):
            pass
    return [(_before_comment(line), line) for line in source.decode("utf-8", "replace").splitlines()]


def _before_comment(line: str) -> str:
    return re.split(r"#|//|/\*|<!--", line, maxsplit=1)[0]


def keeps_definitions(before: bytes, after: bytes, lines: Collection[int]) -> tuple[str, ...]:
    """No function or class is fixed by taking it away, nor is all the code, except where that was the finding.

    Args:
        lines: of the text before that findings speak of.
    """
    old, new = _parsed(before), _parsed(after)
    if old is None or new is None:
        return ()
    if not new.body and any(not isinstance(node, ast.Import | ast.ImportFrom) for node in old.body):
        return ("removes all of the code",)
    kept = _definitions(new, "").keys()
    return tuple(
        f"removes {name}, which no finding is about"
        for name, headers in _definitions(old, "").items()
        if name not in kept and not any(line in header for header in headers for line in lines)
    )


def _definitions(node: ast.AST, prefix: str) -> dict[str, list[range]]:
    """The functions and classes of a module and their methods by name, with the lines from decorators to body."""
    found: dict[str, list[range]] = {}
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}{child.name}"
            first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
            found.setdefault(name, []).append(range(first, max(child.body[0].lineno, child.lineno + 1)))
            inner = _definitions(child, f"{name}.") if isinstance(child, ast.ClassDef) else {}
        else:
            inner = _definitions(child, prefix)
        for name, headers in inner.items():
            found.setdefault(name, []).extend(headers)
    return found


def keeps_tests(before: bytes, after: bytes) -> tuple[str, ...]:
    """A test file has no fewer tests and no fewer assertions than before."""
    old, new = _tests(before), _tests(after)
    if old is None or new is None:
        return () if before == after else ("a test file that can't be parsed was changed",)
    reasons = [f"removes the test {name}" for name in sorted(old.cases.keys() - new.cases.keys())]
    common = sorted(old.cases.keys() & new.cases.keys())
    reasons += [f"has fewer cases of the test {name}" for name in common if new.cases[name] < old.cases[name]]
    if new.assertions < old.assertions:
        reasons.append(f"has {new.assertions} assertions where there were {old.assertions}")
    if new.skips > old.skips:
        reasons.append(f"skips tests in {new.skips} places where there were {old.skips}")
    return tuple(reasons)


@dataclass
class _Tests:
    cases: dict[str, int]
    assertions: int = 0
    skips: int = 0


ASSERTING = re.compile(r"^(assert\w*|fail|fail(If|Unless)\w*|raises|warns|deprecated_call|AssertionError)$")
SKIPPING = re.compile(r"^(skip|skipif|skipIf|skipUnless|xfail|expectedFailure|SkipTest|importorskip)$")


def _tests(source: bytes) -> _Tests | None:
    tree = _parsed(source)
    if tree is None:
        return None
    found = _Tests({})
    _collect(tree, "", found)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            found.assertions += _conjuncts(node.test)
        name = _name_of(node)
        found.assertions += bool(ASSERTING.match(name))
        found.skips += bool(SKIPPING.match(name))
    return found


def _parsed(source: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _conjuncts(test: ast.expr) -> int:
    return len(test.values) if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else 1


def _name_of(node: ast.AST) -> str:
    """The last part of a name that is read: `fail` of `self.fail`, `raises` of `pytest.raises`."""
    if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
        return node.attr if isinstance(node, ast.Attribute) else node.id
    return ""


def _collect(node: ast.AST, prefix: str, found: _Tests) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            _collect(child, f"{prefix}{child.name}.", found)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if child.name.startswith("test"):
                found.cases[f"{prefix}{child.name}"] = _cases(child)
        else:
            _collect(child, prefix, found)


def _cases(test: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many cases the decorators of a test spell out."""
    count = 1
    for call in test.decorator_list:
        if isinstance(call, ast.Call) and _name_of(call.func) == "parametrize":
            values = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "argvalues")]
            count *= sum(len(value.elts) for value in values if isinstance(value, ast.List | ast.Tuple | ast.Set)) or 1
    return count


def is_python(path: str) -> bool:
    """Whether a file of this name is Python source."""
    return path.endswith((".py", ".pyi"))
