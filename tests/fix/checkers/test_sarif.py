"""Commands that write SARIF, ruff and bandit among them."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanfold.fix.checkers.protocol import Checked, Scope
from fanfold.fix.checkers.ruff import Ruff
from fanfold.fix.checkers.sarif import SarifCommand
from fanfold.fix.errors import FixError

UNUSED = "import os\n"
RUFF = ("ruff", "check", "--no-cache", "--output-format", "sarif")
BANDIT = ("{python}", "-m", "bandit", "-q", "-r", ".", "-f", "sarif")

Tree = Callable[..., Scope]


def location(uri: str | None = None, region: dict[str, int] | None = None, **artifact: object) -> dict[str, object]:
    place = {**({} if uri is None else {"uri": uri}), **artifact}
    return {"physicalLocation": {"artifactLocation": place, **({"region": region} if region else {})}}


def result(uri: str | None = "a.py", **more: object) -> dict[str, object]:
    return {"ruleId": "R1", "message": {"text": "wrong"}, "locations": [location(uri, {"startLine": 1})], **more}


def log(*results: object, **run: object) -> dict[str, object]:
    return {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": list(results), **run}]}


def driver(**more: object) -> dict[str, object]:
    return {"driver": {"name": "t", **more}}


async def said(scope: Scope, value: object, code: int = 0) -> Checked:
    """What becomes of the SARIF log `value`, printed by a command."""
    (scope.root / "log.sarif").write_text(value if isinstance(value, str) else json.dumps(value))
    script = f"print(open('log.sarif').read()); raise SystemExit({code})"
    return await SarifCommand("tool", (sys.executable, "-c", script)).check(scope)


def paths(answer: Checked) -> list[str]:
    return [finding.path for finding in answer.findings]


async def test_ruffs_sarif_says_what_ruffs_json_says(tree: Tree) -> None:
    names = ["a.py", "a b/c.py", "ünï.py", "-x.py", "%41.py", "a#b.py", "q?.py"]
    scope = tree({**dict.fromkeys(names, "import os\nx = 1\nx == None\n"), "bad.py": "def f(:\n"})
    answer = await SarifCommand("mine", (*RUFF, "{files}")).check(scope)
    direct = await Ruff().check(scope)

    def key(checked: Checked) -> list[tuple[object, ...]]:
        return sorted(
            (one.path, one.line, one.column, one.end_line, one.end_column, one.rule, one.message)
            for one in checked.findings
        )

    assert answer.error is None
    assert key(answer) == key(direct)
    assert {finding.checker for finding in answer.findings} == {"mine"}
    assert answer.version == direct.version


async def test_bandits_sarif(tree: Tree) -> None:
    source = 'import subprocess\n\nsubprocess.call("ls " + x, shell=True)\nassert x  # nosec\nassert x\n'
    answer = await SarifCommand("bandit", BANDIT).check(tree({"a b.py": source}))
    assert answer.error is None
    shown = [(finding.path, finding.line, finding.rule, finding.severity) for finding in answer.findings]
    assert shown == [("a b.py", 1, "B404", "note"), ("a b.py", 3, "B602", "error"), ("a b.py", 5, "B101", "note")]
    assert (answer.findings[0].url or "").startswith("https://bandit.readthedocs.io/")


async def test_file_that_bandit_cannot_parse_is_a_finding(tree: Tree) -> None:
    answer = await SarifCommand("bandit", BANDIT).check(tree({"bad.py": "def f(:\n", "a.py": "assert 1\n"}))
    assert answer.error is None
    assert [(finding.path, finding.rule) for finding in answer.findings] == [
        ("a.py", "B101"),
        ("bad.py", "could-not-check"),
    ]


async def test_exit_code_says_nothing(tree: Tree) -> None:
    answer = await said(tree({"a.py": ""}), log(result()), code=3)
    assert (paths(answer), answer.error) == (["a.py"], None)


async def test_empty_results_are_clean(tree: Tree) -> None:
    answer = await said(tree({}), log())
    assert (answer.findings, answer.error) == ((), None)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nothing found",
        '{"version": "2.1.0", "runs": [',
        "[]",
        "{}",
        '{"version": "1.0.0", "runs": []}',
        '{"version": 2, "runs": []}',
        '{"version": "2.1.0"}',
        '{"version": "2.1.0", "runs": []}',
        '{"version": "2.1.0", "runs": [1]}',
        '{"version": "2.1.0", "runs": {}}',
        '{"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}',
        '{"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": null}]}',
        '{"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": [[]]}]}',
        '{"version": "2.1.0", "runs": [{"tool": 1, "results": []}]}',
        "[" * 100_000,
    ],
)
async def test_anything_else_is_could_not_check(tree: Tree, value: str) -> None:
    answer = await said(tree({}), value)
    assert answer.findings == ()
    assert answer.error


async def test_tools_own_words_are_kept(tree: Tree) -> None:
    script = "import sys; print('no such planet', file=sys.stderr); sys.exit(4)"
    answer = await SarifCommand("tool", (sys.executable, "-c", script)).check(tree({}))
    assert "no such planet" in (answer.error or "")
    assert "exit code 4" in (answer.error or "")


async def test_missing_command_is_could_not_check(tree: Tree) -> None:
    answer = await SarifCommand("tool", ("no-such-program-anywhere", "{files}")).check(tree({"a.py": ""}))
    assert "no-such-program-anywhere isn't installed" in (answer.error or "")


async def test_signal_after_a_valid_log_is_could_not_check(tree: Tree) -> None:
    scope = tree({"log.sarif": json.dumps(log())})
    script = "import os, sys; print(open('log.sarif').read()); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    answer = await SarifCommand("tool", (sys.executable, "-c", script)).check(scope)
    assert "was ended by SIGKILL" in (answer.error or "")


async def test_time_runs_out(tree: Tree) -> None:
    command = SarifCommand("tool", (sys.executable, "-c", "import time; time.sleep(60)"), deadline_s=0.2)
    assert "didn't end within 0.2 s" in ((await command.check(tree({}))).error or "")


async def test_failure_by_the_tools_own_account_is_could_not_check(tree: Tree) -> None:
    notice = {"level": "warning", "message": {"text": "out of ideas"}}
    invocation = {
        "executionSuccessful": False,
        "exitCodeDescription": "bad day",
        "toolExecutionNotifications": [notice],
    }
    answer = await said(tree({"a.py": ""}), log(result(), invocations=[invocation]))
    assert answer.error == "its SARIF says that it failed: bad day; out of ideas"
    assert paths(answer) == ["a.py"]


async def test_serious_notice_without_a_file_is_could_not_check(tree: Tree) -> None:
    notice = {"level": "error", "message": {"text": "no rules loaded"}}
    invocation = {"executionSuccessful": True, "toolConfigurationNotifications": [notice]}
    answer = await said(tree({}), log(invocations=[invocation]))
    assert answer.error == "its SARIF says that it is not complete: no rules loaded"


async def test_all_runs_count(tree: Tree) -> None:
    value: dict[str, Any] = log(result("a.py"))
    value["runs"] += log(result("b.py"))["runs"]
    answer = await said(tree({"a.py": "", "b.py": ""}), value)
    assert paths(answer) == ["a.py", "b.py"]


URIS = {
    "a.py": "a.py",
    "./sub/../a.py": "a.py",
    "a%20b.py": "a b.py",
    "%C3%BCn%C3%AF.py": "ünï.py",
    "ünï.py": "ünï.py",
    "raw%FF.py": os.fsdecode(b"raw\xff.py"),
    "%2541.py": "%41.py",
    "new%0Aline.py": "new\nline.py",
    "100%.py": "100%.py",
    "hash#1.py": "hash#1.py",
    "./c:d.py": "c:d.py",
    "c:d.py": "c:d.py",
}


@pytest.mark.parametrize("prefix", ["", "file://{root}/", "file:{root}/", "file://localhost{root}/", "{root}/"])
@pytest.mark.parametrize("uri", URIS)
async def test_uri_becomes_the_path(tree: Tree, prefix: str, uri: str) -> None:
    scope = tree(dict.fromkeys([*URIS.values(), "sub/x"], ""))
    answer = await said(scope, log(result(prefix.format(root=scope.root) + uri)))
    assert answer.error is None
    assert paths(answer) == [URIS[uri]]


async def test_unescaped_percent_means_the_file_that_exists(tree: Tree) -> None:
    answer = await said(tree({"%41.py": ""}), log(result("%41.py")))
    assert paths(answer) == ["%41.py"]


@pytest.mark.parametrize(
    "bases",
    [
        {"SRC": {"uri": "file://{root}/src/"}},
        {"SRC": {"uri": "file://{root}/src"}},
        {"SRC": {"uri": "src/", "uriBaseId": "ROOT"}, "ROOT": {"uri": "file://{root}/"}},
        {"SRC": {"uri": "src/", "uriBaseId": "ROOT"}, "ROOT": {"description": {"text": "the checkout"}}},
        {"SRC": {"uri": "src/", "uriBaseId": "SRC"}},
    ],
)
async def test_base_of_a_uri_is_followed(tree: Tree, bases: dict[str, object]) -> None:
    scope = tree({"src/a.py": ""})
    told = json.loads(json.dumps(bases).replace("{root}", str(scope.root)))
    value = log(result(None, locations=[location("a.py", uriBaseId="SRC")]), originalUriBaseIds=told)
    assert paths(await said(scope, value)) == ["src/a.py"]


async def test_base_that_is_not_told_is_the_root(tree: Tree) -> None:
    value = log(result(None, locations=[location("src/a.py", uriBaseId="%SRCROOT%")]))
    assert paths(await said(tree({"src/a.py": ""}), value)) == ["src/a.py"]


async def test_location_may_be_an_artifacts_index(tree: Tree) -> None:
    value = log(result(None, locations=[location(None, index=1)]), artifacts=[{}, {"location": {"uri": "b.py"}}])
    assert paths(await said(tree({"b.py": ""}), value)) == ["b.py"]


async def test_result_without_a_file_is_about_the_whole_project(tree: Tree) -> None:
    answer = await said(tree({}), log({"message": {"text": "no licence"}}))
    (finding,) = answer.findings
    assert (finding.path, finding.line, finding.rule) == (".", 0, "unknown")


@pytest.mark.parametrize(
    ("region", "place"),
    [
        (None, (0, 0, None, None)),
        ({}, (0, 0, None, None)),
        ({"charOffset": 10}, (0, 0, None, None)),
        ({"startLine": 3}, (3, 1, 3, None)),
        ({"startLine": 3, "startColumn": 5, "endColumn": 9}, (3, 5, 3, 9)),
        ({"startLine": 3, "startColumn": 5, "endLine": 4, "endColumn": 1}, (3, 5, 4, 1)),
    ],
)
async def test_region_may_be_told_in_part(
    tree: Tree, region: dict[str, int] | None, place: tuple[int | None, ...]
) -> None:
    (finding,) = (await said(tree({"a.py": ""}), log(result(locations=[location("a.py", region)])))).findings
    assert (finding.line, finding.column, finding.end_line, finding.end_column) == place


@pytest.mark.parametrize(
    ("level", "default", "severity"),
    [
        ("error", None, "error"),
        ("none", "error", "note"),
        (None, "note", "note"),
        (None, "error", "error"),
        (None, None, "warning"),
    ],
)
async def test_level_is_the_results_else_its_rules(
    tree: Tree, level: str | None, default: str | None, severity: str
) -> None:
    rule = {"id": "R1", "helpUri": "https://example.com/R1"}
    rule |= {"defaultConfiguration": {"level": default}} if default else {}  # type: ignore[dict-item]
    value = log(result(**({"level": level} if level else {})), tool=driver(rules=[rule]))
    (finding,) = (await said(tree({"a.py": ""}), value)).findings
    assert (finding.severity, finding.url) == (severity, "https://example.com/R1")


@pytest.mark.parametrize(
    "reference",
    [
        {"ruleId": "R1"},
        {"ruleIndex": 1},
        {"ruleId": "R1", "ruleIndex": 1},
        {"ruleId": "R1/case/2"},
        {"rule": {"id": "R1"}},
        {"rule": {"index": 1}},
        {"rule": {"index": 0, "toolComponent": {"index": 0}}},
        {"rule": {"id": "R1", "toolComponent": {"index": 0}}},
    ],
)
async def test_rule_is_found_by_any_reference(tree: Tree, reference: dict[str, object]) -> None:
    rule = {"id": "R1", "messageStrings": {"m": {"text": "{{{0}}} is not {1}"}}}
    tool = {**driver(rules=[{"id": "R0"}, rule]), "extensions": [{"name": "more", "rules": [rule]}]}
    given = {**result(message={"id": "m", "arguments": ["this", "that"]}), **reference}
    if "ruleId" not in reference:
        del given["ruleId"]
    (finding,) = (await said(tree({"a.py": ""}), log(given, tool=tool))).findings
    assert finding.message == "{this} is not that"
    assert finding.rule == reference.get("ruleId", "R1")


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({"suppressions": []}, True),
        ({"suppressions": [{"kind": "inSource"}]}, False),
        ({"suppressions": [{"kind": "external", "status": "accepted"}]}, False),
        ({"suppressions": [{"kind": "external", "status": "rejected"}]}, True),
        ({"suppressions": [{"kind": "inSource"}, {"kind": "external", "status": "underReview"}]}, True),
        ({"baselineState": "absent"}, False),
        ({"baselineState": "unchanged"}, True),
        ({"kind": "pass"}, False),
        ({"kind": "notApplicable"}, False),
        ({"kind": "fail"}, True),
        ({"kind": "open"}, True),
    ],
)
async def test_what_is_settled_is_left_out(tree: Tree, more: dict[str, Any], kept: bool) -> None:
    answer = await said(tree({"a.py": ""}), log(result(**more)))
    assert (len(answer.findings), answer.error) == (int(kept), None)


async def test_finding_in_the_users_checkout_means_that_the_wrong_code_was_checked(tree: Tree, tmp_path: Path) -> None:
    scope = tree({"a.py": ""})
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "a.py").touch()
    project = dataclasses.replace(scope.project, root=checkout)
    answer = await said(dataclasses.replace(scope, project=project), log(result(f"file://{checkout}/a.py")))
    assert answer.error == f"looked at {checkout}/a.py, which is not in the tree that it was to check"


async def test_file_that_is_nowhere_is_could_not_check(tree: Tree) -> None:
    answer = await said(tree({}), log(result("file:///build/agent/7/a.py")))
    assert "/build/agent/7/a.py" in (answer.error or "")


async def test_finding_in_an_installed_package_is_not_the_projects(tree: Tree, tmp_path: Path) -> None:
    scope = tree({})
    package = tmp_path / "checkout" / "env" / "lib" / "x.py"
    package.parent.mkdir(parents=True)
    package.touch()
    checkout = tmp_path / "checkout"
    project = dataclasses.replace(scope.project, root=checkout, environment=checkout / "env")
    answer = await said(dataclasses.replace(scope, project=project), log(result(str(package))))
    assert (answer.findings, answer.error) == ((), None)


def test_command_that_gets_files_looks_at_each_by_itself() -> None:
    assert SarifCommand("a", ("x", "{files}")).reach == "file"
    assert SarifCommand("a", ("x", "-r", ".")).reach == "project"


@pytest.mark.parametrize("argv", [(), ("",), ("x", "--in={files}"), ("x", "{files}", "{files}")])
def test_command_without_sense_is_refused(argv: tuple[str, ...]) -> None:
    with pytest.raises(FixError):
        SarifCommand("a", argv)


async def test_placeholders_are_filled_and_no_shell_is_involved(tree: Tree) -> None:
    scope = tree({"a.py": ""})
    command = SarifCommand("a", ("{python}", "{root}/x y", "$HOME", "a;b", "{files}", "{other}"))
    filled = (str(scope.project.python), f"{scope.root}/x y", "$HOME", "a;b", "{other}")
    assert command.command(scope) == filled


async def test_files_are_those_asked_for_as_the_tree_has_them(tree: Tree) -> None:
    names = ["a b.py", "-x.py", "sub/new\nline.pyi", os.fsdecode(b"raw\xff.py")]
    scope = tree(dict.fromkeys([*names, ".hidden/x.py", "README.md"], UNUSED))
    (scope.root / ".git").mkdir()
    script = """if True:
        import json, os, sys
        from urllib.parse import quote as q
        places = [{"physicalLocation": {"artifactLocation": {"uri": q(os.fsencode(name))}}} for name in sys.argv[1:]]
        results = [{"message": {"text": ""}, "locations": [place]} for place in places]
        print(json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": results}]}))
    """
    command = SarifCommand("a", (sys.executable, "-c", script, "{files}"))
    whole = await command.check(scope)
    assert whole.error is None
    assert sorted(paths(whole)) == sorted(names)
    some = await command.check(dataclasses.replace(scope, paths=("a b.py", "README.md")))
    assert paths(some) == ["a b.py"]
    many = tuple(f"{'x' * 150}/{number}.py" for number in range(5_000))
    assert len((await command.check(dataclasses.replace(scope, paths=many))).findings) == 5_000


async def test_whole_project_command_answers_for_the_paths_asked_for(tree: Tree) -> None:
    scope = dataclasses.replace(tree({"a.py": "", "b.py": ""}), paths=("b.py",))
    assert paths(await said(scope, log(result("a.py"), result("b.py")))) == ["b.py"]


async def test_files_of_another_language_are_found_by_their_names(tree: Tree) -> None:
    scope = tree(dict.fromkeys(["a.py", "web/a.js", "web/b.ts", ".hidden/c.js", "Dockerfile"], ""))
    script = """if True:
        import json, sys
        places = [{"physicalLocation": {"artifactLocation": {"uri": name}}} for name in sys.argv[1:]]
        results = [{"message": {"text": ""}, "locations": [place]} for place in places]
        print(json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": results}]}))
    """
    command = SarifCommand("a", (sys.executable, "-c", script, "{files:*.js, *.ts}"))
    assert command.reach == "file"
    assert sorted(paths(await command.check(scope))) == ["web/a.js", "web/b.ts"]
    assert paths(await command.check(dataclasses.replace(scope, paths=("a.py", "web/b.ts")))) == ["web/b.ts"]


async def test_another_file_that_a_result_points_at_is_told(tree: Tree) -> None:
    scope = tree({"a.py": "", "b.py": ""})
    places = [location("a.py"), location("/elsewhere/x.py"), location("b.py", {"startLine": 1})]
    (finding,) = (await said(scope, log(result(relatedLocations=places)))).findings
    assert finding.related == "b.py"
    (finding,) = (await said(scope, log(result(relatedLocations=[location("a.py")])))).findings
    assert finding.related is None
