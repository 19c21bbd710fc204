"""Whether a line of a log looks as if something went wrong, by its words and codes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fanfold.troubleshoot.codes import codes_in

BANNER = re.compile(r"^(=+$|= )")
"""What the scheduler puts before and after a job's own lines."""
COMMON = frozenset({"AWSBIS307I", "AWSBIS308I"})
"""Messages that every job's log has; they name the script, which may be called anything."""

_TELLING = re.compile(
    r"\b(?:error|errors|fatal|severe|critical|exception|traceback|abend|abended|failed|failure|failing|cannot|can't"
    r"|unable|denied|refused|unreachable|killed|aborted|terminated|timed ?out|timeout|deadlock|corrupt(?:ed)?|invalid"
    r"|missing|expired|exceeded|exhausted|overflow|rejected|unexpected|mismatch|not (?:found|mounted|available|exist)"
    r"|no such|out of (?:memory|space)|no space|disk full|quota|core dumped|segmentation fault|command not found"
    r"|erro|erros|falha|falhou|falhas|exce[cç][aã]o|negad[oa]|recusad[oa]|inv[aá]lid[oa]|esgotad[oa]|expirad[oa]"
    r"|inexistente|n[aã]o (?:encontrad[oa]|existe|foi poss[ií]vel|dispon[ií]vel|autorizad[oa])|sem espa[cç]o"
    r"|tempo (?:limite|esgotado)|interrompid[oa]|cancelad[oa]|imposs[ií]vel|divergente|divergência|faltando|ausente)\b",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\b(?:0|no|zero|without|sem|nenhum|nenhuma)[ \t]+(?:errors?|failures?|erros?|falhas?)\b", re.IGNORECASE
)
# What programs call an error by a message id of their own: COM0457E.
_OWN_MESSAGE = re.compile(r"(?<![\w-])[A-Z][A-Z0-9]{1,7}\d{3,6}[EFSAC](?![\w-])")
# Messages of the system that only inform: that a job began, that a step ended. Others that end with I tell of abends.
_INFORMS = re.compile(r"(?:IEF(?:403|404|142|236|237|285|373|374|375|376|033|034)|ICH70001|IEA989)I")


def is_telling(line: str) -> bool:
    """Whether a line looks as if something went wrong."""
    return tells(line, codes_in(line))


def tells(line: str, codes: Sequence[str]) -> bool:
    """The same, where its codes are known."""
    if BANNER.match(line) or COMMON & set(codes):
        return False
    if _OWN_MESSAGE.search(line) or any(not _INFORMS.fullmatch(code) for code in codes):
        return True
    return _TELLING.search(_HARMLESS.sub("", line)) is not None
