"""What findings are about, as far as gates must know: by checker's own names of rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fanfold.fix.findings.finding import Finding

ANYTHING = frozenset({"*"})
NOTHING: frozenset[str] = frozenset()
PRINTING = frozenset({"print", "pprint"})
STOPPING = frozenset({"breakpoint", "set_trace", "post_mortem", "breakpointhook", "embed", "wait_for_client", "listen"})

REDEFINED = frozenset({"F811", "no-redef", "function-redefined", "reportRedeclaration", "redefinition"})
UNUSED_DEFINITION = frozenset({"reportUnusedFunction", "reportUnusedClass", "unused-function", "unused-class"})
NAMING = re.compile(r"^(N8\d\d|invalid-name|disallowed-name|A00\d|A0\d\d|redefined-builtin|PLC2401|RUF052|PLW0621)$")
UNDEFINED = frozenset({"F821", "name-defined", "undefined-variable", "reportUndefinedVariable", "unresolved-reference"})
UNUSED_IMPORT = frozenset({"F401", "unused-import", "reportUnusedImport", "W0611"})
UNUSED_VALUE = frozenset(
    {
        "F841", "B007", "RUF059", "F842", "unused-variable", "W0612", "unused-argument",
        "W0613", "reportUnusedVariable",
        "ARG001", "ARG002", "ARG003", "ARG004", "ARG005", "B018", "B015", "PLW0104", "expression-not-assigned",
        "pointless-statement", "reportUnusedExpression", "RUF006", "PLW0127", "unused-coroutine",
        "reportUnusedCoroutine",
        "unused-awaitable", "reportUnusedCallResult", "PLR0133", "comparison-with-itself", "reportUnusedParameter",
    }
)  # fmt: skip
UNREACHABLE = frozenset(
    {
        "unreachable", "PLW0101", "reportUnreachable", "UP036", "W0101", "unreachable-code", "redundant-expr",
        "comparison-overlap", "using-constant-test", "F634", "PLR0133", "PYI002", "PYI066",
    }
)  # fmt: skip
ASSERTING = frozenset({"S101", "B101", "assert_used", "B011", "PT015"})

REMOVES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys((*REDEFINED, *UNUSED_DEFINITION, *UNREACHABLE), ANYTHING),
    **dict.fromkeys(("T201", "bad-builtin", "print-used"), PRINTING),
    "T203": PRINTING,
    **dict.fromkeys(("T100", "debugger-used", "forgotten-debug-statement"), STOPPING),
    # a handler or a block that does nothing but what happens without it
    **dict.fromkeys(("TRY203", "TRY302", "try-except-raise", "W0706", "B025", "B014", "duplicate-except"), ANYTHING),
    **dict.fromkeys(("PLR1711", "RET501", "RET502", "useless-return", "PLR1722", "B012", "SIM107"), ANYTHING),
    **dict.fromkeys(("B030", "B033", "F601", "F602", "PIE794", "PIE800", "PLW0129", "F632"), ANYTHING),
    # expressions and names that nobody uses: what has an effect of its own stays
    **dict.fromkeys(UNUSED_VALUE, NOTHING),
}


def lets_go(findings: list[Finding]) -> frozenset[str]:
    """The names of calls that the right fix of these findings may take away, `*` = whatever is there."""
    return frozenset().union(*(REMOVES.get(finding.rule, NOTHING) for finding in findings))


QUOTED = re.compile(r"[`'\"“]([A-Za-z_][\w.]*)[`'\"”]")


def names_of(finding: Finding) -> frozenset[str]:
    """The names that a finding speaks of, the last part of dotted ones too."""
    whole = QUOTED.findall(finding.message)
    return frozenset((*whole, *(name.split(".")[-1] for name in whole)))
