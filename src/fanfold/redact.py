"""Mask what must not reach prompts, logs, journals or commits: secrets, wherever a text shows one.

Three signs give a secret away: its own shape (a token with a well-known prefix, a private key), what stands before
it (`password = "…"`, an Authorization header, a URL with a password), and that the environment holds it under a
secret's name. Ordinary code that merely handles secrets (`token = get_token()`, `password: str`) stays as it is.

Every pattern is linear: repetitions are bounded or possessive, or nothing that may fail follows them, and most run
only where a plain substring search has found what they begin with. Only sets of letters are repeated possessively,
never groups: before 3.11.5 Python lost matches of those (https://github.com/python/cpython/issues/106052).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote

MASK = "***"

_SHAPES: tuple[tuple[str, str], ...] = (
    # What tokens of an issuer begin with, and what follows.
    ("AKIA ASIA ABIA ACCA", r"[A-Z0-9]{16}(?![A-Za-z0-9])"),  # Amazon
    ("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"[A-Za-z0-9_]{20,255}+"),
    ("glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glagent- gloas- glimt-", r"[A-Za-z0-9_.-]{16,255}+"),  # GitLab
    ("xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-", r"[A-Za-z0-9.-]{10,255}+"),  # Slack
    ("hooks.slack.com/services/", r"[A-Za-z0-9/_+-]{20,100}+"),
    ("sk-", r"(?!ecdsa-|ssh-)(?=[A-Za-z0-9_-]{0,60}[0-9])[A-Za-z0-9_-]{16,255}+"),  # OpenAI, Anthropic
    ("sk_live_ sk_test_ rk_live_ rk_test_ whsec_", r"[A-Za-z0-9]{16,255}+"),  # Stripe
    ("AIza", r"[A-Za-z0-9_-]{35,255}+"),  # Google
    ("GOCSPX- ya29.", r"[A-Za-z0-9_-]{20,2048}+"),
    ("npm_", r"[A-Za-z0-9]{36,255}+"),
    ("pypi-", r"[A-Za-z0-9_-]{50,1024}+"),
    ("hf_", r"[A-Za-z0-9]{30,100}+"),  # Hugging Face
    ("SG.", r"[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}+"),  # SendGrid
    ("dop_v1_ doo_v1_ dckr_pat_", r"[A-Za-z0-9_-]{20,255}+"),  # DigitalOcean, Docker
    ("eyJ", r"[A-Za-z0-9_-]{8,1024}+\.eyJ[A-Za-z0-9_-]{4,8192}+\.[A-Za-z0-9_-]{0,8192}+"),  # JSON Web Token
)
# The prefix comes first, for it is found fast; then it is seen that no word runs into it.
_TOKENS = tuple(
    (prefix, re.compile(rf"{re.escape(prefix)}(?<![A-Za-z0-9]{re.escape(prefix)}){rest}"))
    for prefixes, rest in _SHAPES
    for prefix in prefixes.split()
)

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?P<body>(?:[^-]{1,64}+|-(?!----(?:BEGIN|END) )){0,2048})(?P<end>-----END [A-Z0-9 ]{1,60}-----)?"
)
_KEY_LINES = re.compile(r"""(?:[\s"'\\nr+|>,]{1,40}[A-Za-z0-9+/=]{16,}+)*""")
_KEY_LINE = re.compile(r"[A-Za-z0-9+/=]{32}")

_IN_URL = re.compile(r"""://(?P<user>[^\s/:@'"<>?#\\]{0,256}+)(?::(?P<password>[^\s/@'"<>\\]{1,512}+))?@""")
_CURL_USER = re.compile(
    r"""curl\b(?<!\wcurl)[^\n]{0,100}?[ \t](?:-u|--user)[ =]{0,2}["']?[^\s:"'$]{1,100}:(?P<value>[^\s"'$]{1,200})"""
)
# What batch jobs give Oracle's programs: a user, a slash, what lets that user in, and often @ with a database.
_ORACLE_USER = re.compile(
    r"""(?i:sqlplus|sqlldr|expdp|impdp|rman|userid)\b(?:[ \t]{1,4}-[A-Za-z]{1,8}){0,3}[ \t=]{1,4}"""
    r"""(?i:userid=|target[ \t=])?"""
    r"""["']?[\w#$.-]{1,64}/(?P<value>[^\s/@"'$]{1,100})(?=@|["'\s]|$)"""
)
_AUTHORIZED = re.compile(
    r"""[Aa](?i:uthorization)\\{0,3}["']?\]?[ \t]{0,4}[:=,][ \t]{0,4}[rbfuRBFU]{0,2}\\{0,3}["']?"""
    r"(?i:bearer|basic|token|digest|apikey|negotiate)[ \t]{1,4}(?P<value>[A-Za-z0-9._~+/=:-]{6,8192}+)(?![({\[])"
)
_BEARER = re.compile(
    r"earer(?<=\b[Bb]earer)[ \t]{1,4}(?=[A-Za-z_~+/=-]{0,60}\d)(?P<value>[A-Za-z0-9._~+/=-]{16,8192}+)"
)

_GIVEN = (
    *((sign, _AUTHORIZED) for sign in ("uthoriz", "UTHORIZ")),
    ("earer", _BEARER),
    ("curl", _CURL_USER),
    *((sign, _ORACLE_USER) for sign in ("sqlplus", "SQLPLUS", "sqlldr", "SQLLDR", "expdp", "impdp", "rman", "userid")),
)

# Names end with one of these words; the first letter stands apart, because a set of letters is found fast.
_ASSIGNED = re.compile(
    r"""
    (?P<word>[PpSsTtAaCc](?i:assword|asswd|assphrase|asscode|wd|ecret|enha|oken|pi[_-]?key|ccess[_-]?key|rivate[_-]?key
        |igning[_-]?key|ccount[_-]?key|ster[_-]?key|ryption[_-]?key|uth|uthorization|redentials?))
    (?i:[_-]?(?:(?:access[_-]?)?key(?:[_-]?base)?|value|string|base64|b64|raw|plain|text|prod|production|staging|dev
        |test|live|old|new|current|[0-9]{1,3}))?
    (?P<close>\\{0,3}["'`]?)\]?
    (?:[ \t]{0,4}:[ \t]{0,4}[A-Za-z_][\w.\[\], |]{0,60}(?==))?
    (?P<sign>[ \t]{0,8}(?:=>|:=|=(?![=~>])|:(?![:=/]))[ \t]{0,8}|>|[ \t]{1,4}(?=[^\s:=-]))
    (?=[rbfuRBFU]{0,2}(?:
        \\{1,3}["'](?P<escaped>[^"'\\\n]{1,100}+)
        |"(?P<double>(?:\\.|[^"\\\n]){1,100})
        |'(?P<single>(?:\\.|[^'\\\n]){1,100})
        |`(?P<back>[^`\n]{1,100}+)
    )|(?P<bare>[^\s"'`,;&|<>(){}\[\]\\]{1,100}+))
    """,
    re.VERBOSE,
)
# The next piece of a value that is longer than a pattern should look ahead; bounded, as a group takes memory each time.
_REST = {
    "escaped": re.compile(r"""[^"'\\\n]++"""),
    "double": re.compile(r"""(?:\\.|[^"\\\n]++){1,1000}"""),
    "single": re.compile(r"""(?:\\.|[^'\\\n]++){1,1000}"""),
    "back": re.compile(r"[^`\n]++"),
    "bare": re.compile(r"""[^\s"'`,;&|<>(){}\[\]\\]++"""),
}
_SECRET_WORD = re.compile(r"pass|pwd|secret|senha|token|key|auth|cred", re.IGNORECASE)
_STRONG = re.compile(r"pass|pwd|secret|senha", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase|code)|secret|senha|token|_key\b|api_?key|credential|auth", re.IGNORECASE
)
_HOLE = re.compile(
    r"\$\{[^}]*\}|\{[^}]*\}|%\([^)]*\)[sdr]|%[sdr]|<[^>]*>|\$[A-Z_][A-Z0-9_]*|\$\([^)]*\)|\*{3,}|\.{3,}|[xX]{4,}"
)
_PATH = re.compile(
    r"(?:[A-Za-z]:|~|\.{1,2})?(?:[\\/][\w.@ -]*)+|\w+://.*|[\w.-]+\.(?:pem|key|pub|crt|json|txt|ya?ml|env|py)"
)
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\.?")
_TYPE = re.compile(r"u?int\d+|float\d+|bytes\d+|sha\d+|base64|oauth2|utf-?8")
_NUMBER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F_]+|[\d_.]+)")
_WORDS = re.compile(r"[a-z]+(?:[ _.-][a-z]+)*|[A-Z]+(?:[ _.-][A-Z]+)*|(?:[A-Z]?[a-z]{2,}+)+")
_CALLS = frozenset("([{")
_SHELL = frozenset({"", "-", "+", "export", "set", "ENV", "env"})
_SYMBOLS = frozenset("@!#$%^&*?")
_NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_NAME_CHARS = 80
_EXAMPLES = frozenset({"pass", "passwd", "password", "pwd", "secret", "token"})
_NO_SECRET = frozenset(
    {
        *("str", "string", "bytes", "bytearray", "text", "varchar", "object", "any", "self", "value", "redacted"),
        *("none", "null", "nil", "true", "false", "bool", "boolean", "number", "integer", "float"),
        *("optional", "required", "hidden", "default", "unset", "undefined", "empty", "bearer", "basic"),
    }
)


_held: set[str] = set()


def hold(values: Iterable[str]) -> None:
    """Mask these values wherever they stand, from now on and as long as the process lives.

    For what a file holds that is known to be secret; words that any text may contain are left out.
    """
    _held.update(value for value in values if len(value) >= 6 and not _is_common(value))


def redact(text: str, environment: Mapping[str, str] | None = None) -> str:
    """`text` with every secret that it shows replaced by `MASK`; all else is untouched.

    Args:
        text: code, a log, a configuration file, a transcript; any size.
        environment: whose variables with secrets' names are masked wherever their values stand; None = the caller's.
    Returns:
        A text of as many lines. Redacting it again changes nothing.
    """
    variables = tuple((os.environ if environment is None else environment).items())
    for value in _held_secrets(variables, frozenset(_held)):
        text = text.replace(value, MASK)
    text = _PRIVATE_KEY.sub(_without_key, text)
    for sign, shape in _TOKENS:
        if sign in text:
            text = shape.sub(MASK, text)
    text = _masked(text, _urls(text))
    for sign, pattern in _GIVEN:
        if sign in text:
            text = _masked(text, (match.span("value") for match in pattern.finditer(text) if _is_shown(match["value"])))
    return _masked(text, _assigned(text))


def _masked(text: str, spans: Iterator[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        if start >= done:  # not inside a value that is masked already
            pieces += (text[done:start], MASK)
            done = end
    return "".join([*pieces, text[done:]]) if pieces else text


@lru_cache(maxsize=4)
def _held_secrets(variables: tuple[tuple[str, str], ...], held: frozenset[str]) -> tuple[str, ...]:
    """Values to mask anywhere, longest first; words that any text may contain are left out."""
    values = {value for name, value in variables if _SECRET_NAME.search(name)}
    for _, value in variables:
        if "://" in value:
            values.update(password for match in _IN_URL.finditer(value) if (password := match["password"]))
    kept = {value for value in values if len(value) >= 6 and not _is_common(value)} | held
    return tuple(sorted(kept | {quote(value, safe="") for value in kept}, key=len, reverse=True))


def _is_common(value: str) -> bool:
    if _WORDS.fullmatch(value):
        return len(value) < 20
    return bool((_NUMBER.fullmatch(value) and len(value) < 10) or _is_path(value))


def _without_key(match: re.Match[str]) -> str:
    body = match["body"]
    if match["end"] and _KEY_LINE.search(body):
        return MASK + "\n" * body.count("\n")
    lines = _KEY_LINES.match(body)
    if lines is None or not _KEY_LINE.search(lines[0]):
        return match[0]  # code that looks for keys
    return MASK + "\n" * lines[0].count("\n") + body[lines.end() :] + (match["end"] or "")


def _urls(text: str) -> Iterator[tuple[int, int]]:
    if "@" not in text:
        return
    for match in _IN_URL.finditer(text):
        if match["password"] is None:
            if len(match["user"]) >= 20 and _digits(match["user"]) >= 2 and _is_shown(match["user"]):
                yield match.span("user")
        elif _is_shown(match["password"]) and match["password"].lower() not in _EXAMPLES:
            yield match.span("password")


def _assigned(text: str) -> Iterator[tuple[int, int]]:
    match = _ASSIGNED.search(text)
    while match:
        kind, end = match.lastgroup or "bare", match.end()
        if _is_secret(match, kind):
            end = match.end(kind)
            while rest := _REST[kind].match(text, end):
                end = rest.end()
            yield match.start(kind), end
        match = _ASSIGNED.search(text, end)


def _is_secret(match: re.Match[str], kind: str) -> bool:
    if match["sign"].strip() == ":" and _lead(match.string, match.start()).endswith(":"):  # arn:aws:secret:name
        return False
    value = match[kind]
    if not _is_shown(value) or _is_path(value) or value.lower() in _NO_SECRET or _TYPE.fullmatch(value.lower()):
        return False
    strong = _STRONG.match(match["word"]) is not None
    if kind == "bare":
        return _is_bare_secret(match, strong=strong)
    return _is_quoted_secret(value, strong=strong) and not _is_after_string(match, kind)


def _is_quoted_secret(value: str, *, strong: bool) -> bool:
    plain = _WORDS.fullmatch(value) is not None
    if strong:  # a label such as "Enter your password" speaks of a secret, it is none
        return len(value) >= 3 and not ((plain or " " in value) and _SECRET_WORD.search(value))
    if " " in value or len(value) < 6 or _NUMBER.fullmatch(value):
        return False
    if _SECRET_WORD.search(value):
        return _digits(value) > 2
    return _digits(value) > 0 or (len(value) >= 16 and not plain)


def _is_bare_secret(match: re.Match[str], *, strong: bool) -> bool:
    value, sign, follows = match["bare"], match["sign"], match.string[match.end("bare") : match.end("bare") + 2]
    if sign == ">":
        return follows == "</"
    lead = _lead(match.string, match.start())
    if (not sign.strip() and not lead.endswith("--")) or follows[:1] in _CALLS or _DOTTED.fullmatch(value):
        return False
    given = sign == "=" and (lead.endswith(("--", "?", "&")) or (lead.strip(" ") in _SHELL and lead[:1] != " "))
    digits = _digits(value)
    if value.isidentifier() and _SECRET_WORD.search(value):  # token = next_token
        return given and digits > 0
    if _NUMBER.fullmatch(value):
        return len(value) >= (4 if strong else 16)
    if given:
        return len(value) >= (3 if strong else 6)
    if digits:
        return len(value) >= 6 and (strong or digits > 1)
    if not value.isidentifier():
        return strong and len(value) >= 4 and not _SYMBOLS.isdisjoint(value)
    # A line of YAML. In a line of Python, too, a word may follow the colon: a type, which is known or capitalised.
    alone = not lead.strip(" -") and follows[:1] in {"", "\n", "\r"}
    return strong and sign.strip() == ":" and alone and value.islower() and len(value) >= 5


def _is_after_string(match: re.Match[str], kind: str) -> bool:
    """Whether the quote before the value is the end of the string that the name stands in: `input("password: ")`."""
    before = match.start(kind) - 1
    mark = match.string[before]
    marks = _lead(match.string, match.start()).count(mark) - match["close"].count(mark)
    return kind != "escaped" and marks % 2 == 1 and match[kind][0] in " ,;:.+%)]}"


def _lead(text: str, word: int) -> str:
    """What stands on the line before the name that `word` ends, with the dashes of an option."""
    line = text[max(0, word - _NAME_CHARS) : word].rpartition("\n")[2]
    lead = line.rstrip(_NAME)
    return f"{lead}--" if line.startswith("--", len(lead)) else lead


def _is_shown(value: str) -> bool:
    """Whether a value stands there itself, and not only a placeholder for it or the mask."""
    rest = _HOLE.sub("", value)
    return rest == value or (len(rest) >= 12 and _digits(rest) > 0)


def _is_path(value: str) -> bool:
    if _PATH.fullmatch(value) is None:
        return False
    longest = max(re.split(r"[\\/]", value), key=len)
    return len(longest) < 20 or _digits(longest) == 0 or longest.islower()


def _digits(value: str) -> int:
    return sum(map(str.isdigit, value))
