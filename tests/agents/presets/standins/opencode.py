# ruff: noqa: T201 a program speaks
"""OpenCode, as version 1.18 was seen to speak."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from standin import BEHAVIOUR, Parser, work  # type: ignore[import-not-found]

parser = Parser("opencode")
parser.add_argument("command", choices=["run"])
parser.flags("--auto", "--pure")
parser.add_argument("--format", choices=["default", "json"], required=True)
parser.add_argument("--title", required=True)
parser.add_argument("--model", "-m")
given = parser.parse_args()
assert json.loads(os.environ["OPENCODE_PERMISSION"])["bash"] == "deny"


def tell(kind: str, **more: object) -> None:
    print(json.dumps({"type": kind, "timestamp": 1795309278362, "sessionID": "ses_dff3a9b96ffe", **more}))


def step(reason: str) -> None:
    tokens = {"total": 120, "input": 100, "output": 15, "reasoning": 5, "cache": {"write": 0, "read": 4}}
    tell("step_finish", part={"type": "step-finish", "reason": reason, "tokens": tokens, "cost": 0.001})


if BEHAVIOUR == "no-login":
    data = {"message": "Unauthorized: invalid API key", "statusCode": 401, "isRetryable": False}
    tell("error", error={"name": "APIError", "data": data})
    raise SystemExit(1)
words = work(sys.stdin.read(), Path.cwd())
for reason in ("tool-calls", "tool-calls", "stop"):
    tell("step_start", part={"type": "step-start"})
    if reason == "stop":
        tell("text", part={"type": "text", "text": words})
    step(reason)
