"""The task in words: findings, what their rules mean, the code around them, the project's conventions.

Everything that comes from the repository is `Quoted`: an instruction in a comment of the code is not one of the user's.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from fanfold.agents.protocol import Material
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.process import run
from fanfold.prompts import Quoted, advice_on, own_templates, render
from fanfold.redact import redact

CONTEXT_LINES = 12
"""Lines shown before and after a finding."""
WHOLE_LINES = 300
"""A file of at most so many lines is shown whole."""
MAX_CODE_CHARS = 60_000
MAX_FINDINGS = 200
MAX_LINE_CHARS = 500
MAX_RULE_CHARS = 1_500
MAX_RULES_CHARS = 20_000
MAX_CONVENTIONS_CHARS = 8_000
MAX_FEEDBACK_CHARS = 8_000
MAX_ADVICE_CHARS = 12_000
MAX_EXAMPLES = 3
"""Of one rule."""
MAX_EXAMPLES_CHARS = 12_000

REFUSED = "An attempt before this one was refused; the file is as it was before it."
KEPT = "The file holds what was verified of attempts before this one; what else they did was refused."

TABLES = re.compile(r"^\[+tool\.(ruff|mypy|black|isort|pyright)\b")
NEWLINE = re.compile(r"\r\n|\n|\r")
MAX_READ_BYTES = 1024 * 1024
TEXTS = frozenset({".md", ".rst"})
GUIDES = ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md", "CONTRIBUTING.rst", "ruff.toml", ".ruff.toml", "mypy.ini")
ABOUT = ("What it does",)
TOLD_SECTIONS = (*ABOUT, "Why is this bad?", "Example")

MYPY = {
    "annotation-unchecked": "The body of a function without annotations is not checked; annotate the function.",
    "arg-type": "An argument's type doesn't fit the parameter's. Fix the value or the annotation that is wrong.",
    "assignment": "The value's type doesn't fit the variable's; a variable keeps the type of its first assignment.",
    "attr-defined": "The type has no such attribute; a union must be narrowed first.",
    "call-arg": "Wrong number or names of arguments in a call.",
    "call-overload": "No overload of the function takes these arguments.",
    "has-type": "The type can't be inferred yet at this place; annotate the variable.",
    "import-not-found": "The module can't be found; fix the name, or leave this finding if it isn't installed.",
    "import-untyped": "The module has no type information; leave this finding if no stubs are installed.",
    "index": "The value can't be indexed, or not with this type; an Optional must be narrowed first.",
    "misc": "See the message.",
    "name-defined": "The name isn't defined in this scope; import or define it.",
    "no-any-return": "A function with a declared type returns Any; give the returned value a type.",
    "no-redef": "A name is defined twice in one scope; rename one or remove the dead one.",
    "no-untyped-call": "An annotated function calls one without annotations; annotate the called one if it is here.",
    "no-untyped-def": "Parameters or the result have no annotation; annotate all, `-> None` where nothing is returned.",
    "operator": "The operator doesn't take these types; an Optional must be narrowed first.",
    "override": "The method's signature doesn't fit the base class's: it must take at least as much.",
    "return": "Some path through the function ends without a return.",
    "return-value": "The returned value's type doesn't fit the declared one.",
    "type-arg": "A generic type needs its parameters: `list[int]`, not `list`.",
    "union-attr": "One member of the union, often None, has no such attribute; narrow it with a check first.",
    "unreachable": "This code can never run.",
    "unused-ignore": "The `type: ignore` comment silences nothing; remove it.",
    "valid-type": "A value is used as a type.",
    "var-annotated": "The type can't be inferred from an empty literal; annotate the variable.",
}

_ruff_rules: dict[str, Mapping[str, str]] = {}


def build_prompt(
    task: Task,
    code: str,
    material: Material,
    feedback: str = "",
    *,
    kept: bool = False,
    leave: Sequence[Finding] = (),
) -> str:
    """The whole task for an agent; at most about 250,000 characters, secrets masked.

    Args:
        task: what to fix.
        code: the file's text as it stands.
        material: what helps with it; of other rules than the task's, nothing is said.
        feedback: what verification said of the attempt before, "" for the first.
        kept: the file holds what was verified of attempts before, and isn't as it was before them.
        leave: findings of the file that are to stay; those are told whose code is shown.
    Raises:
        ConfigError: a template of the project can't be rendered.
    """
    shown = frozenset(_wanted(task.findings, len(NEWLINE.split(code))))
    rules = sorted({finding.rule for finding in task.findings})
    return render(
        "task",
        material.templates,
        path=repr(task.path),
        others=" and ".join(map(repr, task.others)),
        findings=Quoted("findings", _listed(task.findings)),
        leave=Quoted("findings that are to stay", _listed([one for one in leave if one.line in shown])),
        explanations=_by_rule(rules, material.explanations, MAX_RULES_CHARS),
        advice=_by_rule(rules, material.advice, MAX_ADVICE_CHARS),
        own_advice=Quoted(
            "how the project wants such findings fixed",
            redact(_by_rule(rules, material.own_advice, MAX_ADVICE_CHARS)),
        ),
        examples=Quoted("fixes of such findings that were verified in this project", _examples(rules, material)),
        code=Quoted(
            f"code of {task.path!r}, with line numbers that are not part of it",
            _numbered(redact(code), task.findings),
        ),
        conventions=Quoted("the project's conventions", _bounded(redact(material.conventions), MAX_CONVENTIONS_CHARS)),
        before=KEPT if kept else REFUSED,
        feedback=Quoted("verification", _bounded(redact(feedback), MAX_FEEDBACK_CHARS)),
    )


def _listed(findings: Sequence[Finding]) -> str:
    listed = "\n".join(_line(finding) for finding in findings[:MAX_FINDINGS])
    more = len(findings) - MAX_FINDINGS
    return listed + (f"\n(and {more} more in this file)" if more > 0 else "")


def _line(finding: Finding) -> str:
    message = " ".join(redact(finding.message).split())[:MAX_LINE_CHARS]
    return f"- line {finding.line}, column {finding.column}: {finding.checker} {finding.rule}: {message}"


def _numbered(code: str, findings: Iterable[Finding]) -> str:
    """The lines around the findings, each with its number; gaps are marked."""
    # Only where checkers see lines end: a form feed ends none for them.
    lines = NEWLINE.split(code)
    shown: list[str] = []
    size, last = 0, 0
    for number in _wanted(findings, len(lines)):
        if number != last + 1:
            shown.append("      ...")
        shown.append(f"{number:5} | {lines[number - 1][:MAX_LINE_CHARS]}")
        size += len(shown[-1])
        last = number
        if size > MAX_CODE_CHARS:
            break
    if last < len(lines):
        shown.append(f"      ... (the file has {len(lines)} lines)")
    return "\n".join(shown)


def _wanted(findings: Iterable[Finding], count: int) -> Sequence[int]:
    """The numbers of the lines to be shown."""
    return range(1, count + 1) if count <= WHOLE_LINES else _around(findings, count)


def _around(findings: Iterable[Finding], count: int) -> list[int]:
    wanted: set[int] = set()
    for finding in findings:
        last = finding.end_line or finding.line
        wanted.update(range(max(finding.line - CONTEXT_LINES, 1), min(last + CONTEXT_LINES, count) + 1))
    return sorted(wanted)


def _by_rule(rules: Iterable[str], texts: Mapping[str, str], limit: int) -> str:
    return _bounded(_joined((f"{rule}: {texts[rule]}" for rule in rules if texts.get(rule)), limit), limit)


def _examples(rules: Iterable[str], material: Material) -> str:
    """Diffs of the task's rules, a few of each."""
    told = (f"{rule}:\n{diff.rstrip()}" for rule in rules for diff in material.examples.get(rule, ())[:MAX_EXAMPLES])
    return _bounded(redact(_joined(told, MAX_EXAMPLES_CHARS)), MAX_EXAMPLES_CHARS)


def _joined(texts: Iterable[str], limit: int) -> str:
    """Whole texts, the last of them the one that goes beyond the limit: what comes after it would be cut off anyway."""
    taken: list[str] = []
    room = limit
    for text in texts:
        taken.append(text)
        room -= len(text) + 2
        if room < -2:
            break
    return "\n\n".join(taken)


def _bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit].rstrip() + "\n(cut here)"


async def material_on(
    rules: Iterable[tuple[str, str]], commands: Mapping[str, tuple[str, ...]], root: Path
) -> Material:
    """What helps with findings of some rules, of checkers, of Fanfold and of the project.

    Args:
        rules: checkers' names with their rules.
        commands: how each checker is called.
        root: the project's checkout.
    Raises:
        ConfigError: a template of the project is broken.
    """
    wanted = set(rules)
    advice = await asyncio.to_thread(advice_on, wanted, root)
    return Material(
        explanations=await explain(wanted, commands, briefly=frozenset({*advice.ours, *advice.own})),
        advice=advice.ours,
        own_advice=advice.own,
        conventions=await asyncio.to_thread(conventions, root),
        templates=await asyncio.to_thread(own_templates, root),
    )


async def explain(
    rules: Iterable[tuple[str, str]], commands: Mapping[str, tuple[str, ...]], *, briefly: Collection[str] = ()
) -> dict[str, str]:
    """What rules mean, in their checker's own words, by rule.

    Args:
        rules: checkers' names with their rules.
        commands: how each checker is called.
        briefly: rules that there is advice on: of these only what they are about.
    Returns:
        Explanations of those rules that have one; ruff is asked once in a process.
    """
    wanted = set(rules)
    told = {rule: MYPY[rule] for checker, rule in wanted if checker == "mypy" and rule in MYPY}
    if "ruff" in commands:
        known = await told_by_ruff(commands["ruff"][0])
        found = {rule for checker, rule in wanted if checker == "ruff" and rule in known}
        told |= {rule: _essence(known[rule], ABOUT if rule in briefly else TOLD_SECTIONS) for rule in found}
    return told


async def told_by_ruff(program: str) -> Mapping[str, str]:
    """What ruff says of each rule that it has; nothing where it can't be asked."""
    if program not in _ruff_rules:
        done = await run([program, "rule", "--all", "--output-format", "json"], deadline_s=60)
        try:
            _ruff_rules[program] = {str(one["code"]): str(one["explanation"]) for one in json.loads(done.stdout)}
        except (ValueError, KeyError, TypeError):
            _ruff_rules[program] = {}
    return _ruff_rules[program]


def _essence(explanation: str, titles: Collection[str]) -> str:
    """The sections of ruff's text that help to fix a finding; links, options and release notes don't."""
    sections = re.split(r"^## +(.*?) *$", explanation, flags=re.MULTILINE)
    told = [text.strip() for title, text in zip(sections[1::2], sections[2::2], strict=True) if title in titles]
    return _bounded("\n\n".join(told), MAX_RULE_CHARS)


def conventions(root: Path) -> str:
    """How the project wants its code: its tools' settings and what it tells contributors, bounded.

    Of symbolic links those are followed that lead to words within the repository.
    """
    told = [("pyproject.toml", _tables(_read(root, "pyproject.toml"))), *((name, _read(root, name)) for name in GUIDES)]
    parts = [_bounded(f"{name}:\n{text.strip()}", MAX_CONVENTIONS_CHARS // 2) for name, text in told if text.strip()]
    return _bounded(redact("\n\n".join(parts)), MAX_CONVENTIONS_CHARS)


def _tables(pyproject: str) -> str:
    """The tables of checkers and formatters, as they are written."""
    kept: list[str] = []
    inside = False
    for line in pyproject.splitlines():
        if line.startswith("["):
            inside = bool(TABLES.match(line))
        if inside:
            kept.append(line)
    return "\n".join(kept)


def _read(root: Path, name: str) -> str:
    path = root / name
    try:
        if not (path.is_file() and _is_for_readers(path, root)):
            return ""
        with path.open("rb") as file:
            return file.read(MAX_READ_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _is_for_readers(path: Path, root: Path) -> bool:
    """Whether a file is one of the repository's words.

    AGENTS.md is often a link to CLAUDE.md. One to .env or .git/config would show models what is in the checkout alone.
    """
    real, top = path.resolve(), root.resolve()
    if real == top / path.name:
        return True
    return real.is_relative_to(top) and real.suffix in TEXTS and ".git" not in real.relative_to(top).parts
