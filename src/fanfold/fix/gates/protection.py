"""No protection is weakened: certificates, encryption, hashes, escaping, permissions, secrets."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from fanfold.fix.gates.edit import Edit
from fanfold.fix.gates.nodes import last_name, plain, walk
from fanfold.fix.gates.source import Source

HASHES = frozenset({"S324", "B324", "hashlib"})
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "cmd", "cmd.exe", "powershell", "pwsh"})
CHECKSUMS = frozenset({"zlib.crc32", "zlib.adler32", "binascii.crc32", "binascii.crc_hqx", "builtins.hash"})
READERS = re.compile(
    r"^(?:_?pickle|cPickle|dill|cloudpickle|jsonpickle|marshal|shelve)\.(?:_?Unpickler|_?loads?|decode|open|Shelf)$"
)
SECRETIVE = re.compile(
    r"(?:^|_)(?:secrets?|passwords?|passwd|passphrase|pwd|tokens?|api_?keys?|private_?key|credentials?|salt|signature)$",
    re.IGNORECASE,
)
TOLD = re.compile(
    r"(?:^|_)(?:secrets?|passwords?|passwd|passphrase|api_?keys?|private_?key|(?:access|auth|session|refresh)_token)$",
    re.IGNORECASE,
)
TELLING = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print"})
LOCAL = re.compile(r"^http://(?:localhost|127\.|\[::1\]|0\.0\.0\.0|[^/]*\.(?:test|local|localhost|internal)\b)")
OFF: Mapping[str, Callable[[str], bool]] = {
    **dict.fromkeys(
        ("verify", "check_hostname", "autoescape", "verify_ssl", "ssl_verify"), lambda text: text == "False"
    ),
    "verify_mode": lambda text: text.endswith("CERT_NONE"),
    "cert_reqs": lambda text: text.endswith("CERT_NONE") or text == "'CERT_NONE'",
    "filter": lambda text: text == "'fully_trusted'" or text.endswith("fully_trusted_filter"),
}
"""What switches a protection off, by the name that it is given to."""


def check(edit: Edit) -> Iterator[str]:
    """Nothing that protects is off, weaker or told to everybody that was not so before."""
    if edit.is_test or not edit.before:
        return
    yield from _more(edit, _switched_off, "switches a protection off")
    yield from _more(edit, _shells, "runs a text by a shell")
    yield from _reading(edit)
    yield from _more(edit, _told, "tells a secret")
    yield from _unencrypted(edit)
    yield from _unchecked(edit)
    rules = {finding.rule for finding in edit.findings}
    if rules & HASHES:
        yield from _more(edit, _weak_hashes, "makes a hash weaker, or hides that it is weak")
    if rules & {"S202", "B202", "tarfile_unsafe_members"}:
        yield from _more(edit, _extracted, "unpacks each member, whatever it is")
    if rules & {"S103", "B103", "set_bad_file_permissions"}:
        yield from _more(edit, _modes, "hides a mode")


def _more(edit: Edit, found: Callable[[Source], Iterator[str]], what: str) -> Iterator[str]:
    for text in Counter(found(edit.added)) - Counter(found(edit.removed)):
        yield f"{what}: {text[:80]}"


def _switched_off(source: Source) -> Iterator[str]:
    """Each by the way in which it is done: what is set is another than what is given."""
    for node in source.nodes:
        match node:
            case ast.keyword(arg=str(name), value=value) if name in OFF and OFF[name](plain(value)):
                yield f"{name}={plain(value)}"
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if name in OFF and OFF[name](plain(value)):
                yield f".{name} = {plain(value)}"
            case (
                ast.Call(args=[first, *_]) | ast.Call(keywords=[ast.keyword(arg="enabled_extensions", value=first), *_])
            ):
                none = isinstance(first, ast.Tuple | ast.List) and not first.elts
                if none and source.dotted(node.func).endswith("select_autoescape"):
                    yield plain(node)


def _shells(source: Source) -> Iterator[str]:
    """`["sh", "-c", command]`, where the command isn't the same each time."""
    for node in source.of(ast.List, ast.Tuple):
        if len(node.elts) >= 3:
            program, option, command = node.elts[:3]
            names = [one.value for one in (program, option) if isinstance(one, ast.Constant)]
            if len(names) == 2 and all(isinstance(one, str) for one in names) and not isinstance(command, ast.Constant):
                shell = str(names[0]).rpartition("/")[2] in SHELLS
                if shell and str(names[1]).lower() in {"-c", "-lc", "-ec", "/c", "-command"}:
                    yield plain(node)


def _reading(edit: Edit) -> Iterator[str]:
    """Readers of pickled objects, but for those that say which classes they know."""
    if not _is_bounded(edit.new):
        before, after = (Counter(), edit.new) if _is_bounded(edit.old) else (_readers(edit.removed), edit.added)
        yield from (f"reads what may run code: {name[:80]}" for name in _readers(after) - before)


def _is_bounded(source: Source) -> bool:
    return any(name.endswith(".find_class") for name, _ in source.scopes)


def _readers(source: Source) -> Counter[str]:
    read = (name for name, node in source.named if isinstance(node.ctx, ast.Load))
    return Counter(name for name in read if READERS.match(name))


def _told(source: Source) -> Iterator[str]:
    for node in source.of(ast.Call):
        if last_name(node.func) in TELLING:
            given = [part for one in (*node.args, *(key.value for key in node.keywords)) for part in walk(one)]
            names = (one for one in given if isinstance(one, ast.Name | ast.Attribute))
            yield from (plain(one) for one in names if TOLD.search(last_name(one)))


def _unencrypted(edit: Edit) -> Iterator[str]:
    """An address that was one of https stays one."""
    old, new = set(_texts(edit.old)), set(_texts(edit.new))
    for text in sorted(new - old):
        if (
            text.startswith("http://")
            and not LOCAL.match(text)
            and f"https://{text.removeprefix('http://')}" in old - new
        ):
            yield f"gives encryption up: {text[:80]}"


def _texts(source: Source) -> Iterator[str]:
    return (node.value for node in source.of(ast.Constant) if isinstance(node.value, str))


def _unchecked(edit: Edit) -> Iterator[str]:
    """A program whose failure was told doesn't fail unseen."""
    old, new = (Counter(_checks(one)) for one in (edit.removed, edit.added))
    if new["False"] > old["False"] and new["True"] < old["True"]:
        yield "no longer asks whether a program failed: check=False"


def _checks(source: Source) -> Iterator[str]:
    for name, node in source.calls:
        if name.startswith("subprocess."):
            yield from (plain(one.value) for one in node.keywords if one.arg == "check")


def _weak_hashes(source: Source) -> Iterator[str]:
    for name, node in source.calls:
        if name in CHECKSUMS or (name == "hashlib.new" and node.args and not isinstance(node.args[0], ast.Constant)):
            yield plain(node)
    for scope, body in source.scopes:
        for one in source.own(body):
            if isinstance(one, ast.Call) and any(map(_is_insecure, one.keywords)):
                words = {scope.rpartition(".")[2], *(part.id for part in walk(one) if isinstance(part, ast.Name))}
                if any(SECRETIVE.search(word) or "password" in word for word in words):
                    yield plain(one)


def _is_insecure(keyword: ast.keyword) -> bool:
    return keyword.arg == "usedforsecurity" and plain(keyword.value) == "False"


def _extracted(source: Source) -> Iterator[str]:
    """Members that a loop unpacks without a look at them."""
    for loop in source.of(ast.For):
        if all(isinstance(one, ast.Expr | ast.Assign) for one in loop.body):
            yield from (plain(one) for one in walk(loop) if _is_extract(one))


def _is_extract(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr == "extract" and all(one.arg != "filter" for one in node.keywords)


def _modes(source: Source) -> Iterator[str]:
    """Modes that are worked out of constants, so that their rule can't read them."""
    for _, node in source.calls:
        for mode in (*node.args, *(one.value for one in node.keywords)):
            worked_out = isinstance(mode, ast.Call) and source.dotted(mode.func) == "builtins.int"
            if worked_out and last_name(node.func) in {"chmod", "fchmod", "lchmod", "mkdir", "makedirs"}:
                yield plain(node)
