"""How much of a frozen set of findings agents fix, what that costs, and how often they say more than is so.

    python benchmarks/agents.py [--agent NAME ...] [--model NAME [--base-url URL] [--small]] [--only PACKAGE] [--docs]

The set is benchmarks/evaluation/findings.json: findings of ruff and mypy in released packages whose own tests run here.
Without options the stage is `autofix` alone, which needs no model. `--model` adds the agent `llm` behind it: a model of
any provider, or of a server of one's own with --base-url; `--agent` gives the stages by name, as `fanfold fix` does.
Settings come from the environment, as FANFOLD_FIX_AGENTS.

Each package is made a repository and given to `fanfold fix`. What is fixed is counted by the checkers alone, on an
export of the result branch, and the package's tests run there by themselves. A false success is a file that landed
though that count or those tests reject it. Prints Markdown, keeps raw numbers in benchmarks/results/agents.json, puts
the tables into docs/benchmarks.md with --docs. Exits 1 where there is a false success, 2 where it can't be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import packages

HERE = Path(__file__).resolve().parent
FROZEN = HERE / "evaluation" / "findings.json"
DOCS = HERE.parent / "docs" / "benchmarks.md"
MARKS = "<!-- agents: begin -->", "<!-- agents: end -->"

RUFF = """\
target-version = "py39"
[lint]
select = {rules}
"""
MYPY = """\
[mypy]
check_untyped_defs = True
ignore_missing_imports = True
files = {paths}
"""

Kind = tuple[str, str, str]
"""Path, checker, rule."""
Counts = Counter[Kind]


@dataclass(frozen=True)
class Part:
    """What of one package is in the set: all findings of these rules in these files."""

    package: str
    paths: tuple[str, ...]
    rules: tuple[str, ...]
    codes: tuple[str, ...] = ()
    """Of mypy; none = it doesn't run."""


RULES = (
    *("B006", "B007", "B008", "B015", "B018", "B023", "B026", "B904", "C408", "C419", "DTZ001", "DTZ003", "E701"),
    *("E721", "E731", "E741", "F401", "F841", "PERF203", "PERF401", "PERF402", "PIE810", "PLR1714", "PLR5501"),
    *("PLW0603", "PLW1641", "PLW2901", "RET503", "RET504", "RET505", "RUF005", "RUF012", "RUF046", "RUF059", "S110"),
    *("S112", "SIM102", "SIM103", "SIM105", "SIM108", "SIM110", "SIM115", "SIM117", "SIM118", "TRY004", "TRY300"),
)
CODES = (
    *("arg-type", "assignment", "has-type", "misc", "name-defined", "operator", "override", "union-attr"),
    "var-annotated",
)
PARTS = (
    Part(
        "boltons",
        tuple(
            f"boltons/{name}.py"
            for name in ("dictutils", "fileutils", "funcutils", "ioutils", "listutils", "statsutils", "timeutils")
        ),
        RULES,
        CODES,
    ),
    Part("click", tuple(f"src/click/{name}.py" for name in ("_termui_impl", "core", "types", "utils")), RULES),
    Part("jinja2", tuple(f"src/jinja2/{name}.py" for name in ("ext", "loaders", "nodes", "parser", "sandbox")), RULES),
    Part("toolz", ("toolz/functoolz.py", "toolz/itertoolz.py"), RULES, CODES),
)


@dataclass
class Row:
    """What came of one package."""

    package: str
    findings: int
    fixed: int = 0
    files: int = 0
    landed: int = 0
    false: list[str] = field(default_factory=list)
    wall_s: float = 0.0
    tests: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)


class Unmeasurable(Exception):
    """It can't be measured here; the message says why."""


def main(argv: list[str] | None = None) -> int:
    """Measure, tell, keep; 1 where there is a false success, 2 where it can't be measured here."""
    options = _options(argv)
    try:
        if options.freeze:
            return _freeze()
        rows = [_measured(part, options) for part in PARTS if options.only in (None, part.package)]
    except (packages.UnavailableError, Unmeasurable) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    told = _told(rows, _stages(options))
    options.out.mkdir(parents=True, exist_ok=True)
    kept = {"stages": _stages(options), "packages": [vars(row) for row in rows], "machine": platform.platform()}
    (options.out / "agents.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(told)
    if options.docs:
        before, _, rest = DOCS.read_text().partition(MARKS[0])
        DOCS.write_text(f"{before}{MARKS[0]}\n\n{told}\n\n{MARKS[1]}{rest.partition(MARKS[1])[2]}")
    return 1 if any(row.false for row in rows) else 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", action="append", help="a stage; may be repeated (default autofix)")
    parser.add_argument("--model", help="the model of a last stage `llm`")
    parser.add_argument("--base-url", help="of a server that speaks OpenAI's chat completions")
    parser.add_argument("--small", action="store_true", help="ask for one function at a time, in plain text")
    parser.add_argument("--only", choices=[part.package for part in PARTS], help="this package")
    parser.add_argument("--jobs", type=int, default=4, help="files worked on at once")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="where results are kept")
    parser.add_argument("--freeze", action="store_true", help="write the set anew from what the checkers find today")
    return parser.parse_args(argv)


def _stages(options: argparse.Namespace) -> list[str]:
    return [*(options.agent or ["autofix"]), *(["llm"] if options.model else [])]


def _measured(part: Part, options: argparse.Namespace) -> Row:
    frozen = _frozen(part.package)
    python = packages.environment(part.package) / "bin" / "python"
    with tempfile.TemporaryDirectory(prefix="bench-agents-") as name:
        folder = Path(name)
        root = _repository(part, folder)
        base = _recount(part, root)
        if unknown := frozen - base:
            print(f"{part.package}: {unknown.total()} of the set aren't found by today's checkers", file=sys.stderr)
        frozen &= base
        row = Row(part.package, frozen.total(), files=len({path for path, _, _ in frozen}))
        before = packages.passing(python, packages.export(root, "HEAD", folder / "before"))
        row.tests = len(before)
        began_s = time.monotonic()
        report = _fanfold(root, part, frozen, options, folder)
        row.wall_s = time.monotonic() - began_s
        result = packages.export(root, report["branch"] or "HEAD", folder / "after")
        after = _recount(part, result)
        row.fixed = (frozen - after).total()
        row.statuses = dict(Counter(task["status"] for task in report["tasks"]))
        row.stages = report.get("stages") or []
        landed = [task["path"] for task in report["tasks"] if task["commit"] is not None]
        row.landed = len(landed)
        row.false = [path for path in landed if not _less(path, base, after)]
        row.false += [f"test {case}" for case in sorted(before - packages.passing(python, result))]
    return row


def _less(path: str, base: Counts, after: Counts) -> bool:
    """Whether a file has fewer findings than before, and of no rule more."""
    kinds = [kind for kind in base | after if kind[0] == path]
    grown = any(after[kind] > base[kind] for kind in kinds)
    return not grown and sum(after[kind] for kind in kinds) < sum(base[kind] for kind in kinds)


def _repository(part: Part, folder: Path) -> Path:
    (folder / "ruff.toml").write_text("")  # tools that look for configuration upwards find nothing of anybody's
    root = packages.fetch(part.package, folder / part.package)
    (root / "ruff.toml").write_text(RUFF.format(rules=json.dumps(list(part.rules))))
    if part.codes:
        (root / "mypy.ini").write_text(MYPY.format(paths=", ".join(part.paths)))
    packages.make_repository(root)
    return root


def _fanfold(root: Path, part: Part, frozen: Counts, options: argparse.Namespace, folder: Path) -> Mapping[str, Any]:
    argv = [sys.executable, "-m", "fanfold", "fix", "--quiet", "--output-format", "json", "--jobs", str(options.jobs)]
    for stage in _stages(options):
        argv += ["--agent", stage]
    argv += ["--select", ",".join(sorted({rule for _, _, rule in frozen})), "--check", "ruff"]
    argv += ["--check", "mypy"] if part.codes else []
    argv += sorted({path for path, _, _ in frozen})
    environment = _environment(part, options) | {"FANFOLD_FIX_STATE": str(folder / "state")}
    done = subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise Unmeasurable(f"{part.package}: fanfold fix ended with {done.returncode}: {done.stderr.strip()}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _environment(part: Part, options: argparse.Namespace) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"VIRTUAL_ENV": str(packages.environment(part.package)), "PATH": path}
    if options.model:
        mine = {"model": options.model, "base_url": options.base_url, "small": options.small or None}
        agents = json.loads(os.environ.get("FANFOLD_FIX_AGENTS", "{}"))
        agents["llm"] = agents.get("llm", {}) | {name: value for name, value in mine.items() if value is not None}
        environment["FANFOLD_FIX_AGENTS"] = json.dumps(agents)
    return environment


def _recount(part: Part, root: Path) -> Counts:
    """The findings of the set's rules in the set's files, by the checkers alone."""
    found = Counter(_ruffs(part, root))
    return found + Counter(_mypys(part, root)) if part.codes else found


def _ruffs(part: Part, root: Path) -> Iterable[Kind]:
    argv = [_program("ruff"), "check", "--no-cache", "--output-format", "json", *part.paths]
    found = json.loads(subprocess.run(argv, cwd=root, capture_output=True, check=False).stdout)
    for one in found:
        if one["code"] is None or one["code"] in part.rules:
            yield os.path.relpath(one["filename"], root.resolve()), "ruff", one["code"] or "invalid-syntax"


def _mypys(part: Part, root: Path) -> Iterable[Kind]:
    argv = [_program("mypy"), "--output", "json", "--no-incremental", "--cache-dir", os.devnull]
    # Called without paths, so that it checks what its configuration names, as it does for `fanfold fix`.
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise Unmeasurable(f"mypy ended with {done.returncode} on {part.package}: {done.stderr.strip()}")
    for line in done.stdout.splitlines():
        one = json.loads(line)
        if one["severity"] == "error" and one["code"] in part.codes and one["file"] in part.paths:
            yield one["file"], "mypy", one["code"]


def _frozen(package: str) -> Counts:
    kept = json.loads(FROZEN.read_text())["findings"][package]
    return Counter({(path, checker, rule): count for path, checker, rule, count in kept})


def _freeze() -> int:
    findings: dict[str, list[list[Any]]] = {}
    for part in PARTS:
        with tempfile.TemporaryDirectory(prefix="bench-agents-") as name:
            counts = _recount(part, _repository(part, Path(name)))
        findings[part.package] = [[*kind, count] for kind, count in sorted(counts.items())]
    found_by = {name: version(name) for name in ("ruff", "mypy")}
    FROZEN.parent.mkdir(exist_ok=True)
    lines = ",\n".join(
        f' "{package}": [\n' + ",\n".join(f"  {json.dumps(kind)}" for kind in kinds) + "\n ]"
        for package, kinds in findings.items()
    )
    FROZEN.write_text(f'{{"found_by": {json.dumps(found_by)}, "findings": {{\n{lines}\n}}}}\n')
    kinds = [kind for package in findings.values() for kind in package]
    print(f"{sum(kind[3] for kind in kinds)} findings of {len({kind[2] for kind in kinds})} rules")
    return 0


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _told(rows: list[Row], stages: list[str]) -> str:
    lines = [
        (
            f"Stages: {', '.join(stages)}. Python {platform.python_version()}, ruff {version('ruff')}, "
            f"mypy {version('mypy')}."
        ),
        "",
        "| package | findings | fixed | rate | files | landed | false success | tests | s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_line(row) for row in [*rows, _sum(rows)]),
    ]
    staged = _by_stage(rows)
    if staged:
        lines += ["", "| stage | findings fixed | attempts | requests | tokens | cost, USD | s |"]
        lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |", *staged]
    wrong = [f"- {row.package}: {each}" for row in rows for each in row.false]
    return "\n".join([*lines, *(["", "False successes:", "", *wrong] if wrong else [])])


def _line(row: Row) -> str:
    rate = f"{row.fixed / row.findings:.0%}" if row.findings else "-"
    return (
        f"| {row.package} | {row.findings} | {row.fixed} | {rate} | {row.files} | {row.landed} | {len(row.false)} "
        f"| {row.tests:,} | {row.wall_s:.0f} |"
    )


def _sum(rows: list[Row]) -> Row:
    total = Row("all", sum(row.findings for row in rows))
    for row in rows:
        total.fixed, total.files, total.landed = (
            total.fixed + row.fixed,
            total.files + row.files,
            total.landed + row.landed,
        )
        total.false, total.wall_s, total.tests = (
            total.false + row.false,
            total.wall_s + row.wall_s,
            total.tests + row.tests,
        )
    return total


def _by_stage(rows: list[Row]) -> list[str]:
    """What each agent came to, over all packages, as `fanfold fix` tells it."""
    names = dict.fromkeys(str(stage["agent"]) for row in rows for stage in row.stages)
    return [_stage(name, [one for row in rows for one in row.stages if one["agent"] == name]) for name in names]


def _stage(name: str, lines: list[dict[str, Any]]) -> str:
    fixed, attempts, took_s = (sum(line[key] for line in lines) for key in ("fixed", "attempts", "agent_s"))
    used = [line["usage"] for line in lines if line["usage"] is not None]
    requests = sum(one["requests"] for one in used)
    tokens = sum(one["input_tokens"] + one["output_tokens"] for one in used)
    costs = [one["cost_usd"] for one in used]
    cost = f"{sum(costs):.4f}" if costs and None not in costs else "unknown" if used else "-"
    return f"| {name} | {fixed} | {attempts} | {requests} | {tokens:,} | {cost} | {took_s:.0f} |"


if __name__ == "__main__":
    sys.exit(main())
