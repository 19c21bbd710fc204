# ruff: noqa: T201 a program speaks
"""Gemini CLI, as version 0.61 speaks by its documentation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from standin import BEHAVIOUR, Parser, work  # type: ignore[import-not-found]

parser = Parser("gemini")
parser.flags("--skip-trust")
parser.add_argument("-p", required=True)
parser.add_argument("-m")
parser.add_argument("--output-format", choices=["text", "json", "stream-json"], required=True)
parser.add_argument("--approval-mode", choices=["default", "auto_edit", "yolo", "plan"], required=True)
given = parser.parse_args()

session = "b2f5c0de-0000-4000-8000-000000000001"
if BEHAVIOUR == "no-login":
    error = {
        "type": "Error",
        "message": "Please set an Auth method in your settings.json or GEMINI_API_KEY",
        "code": 41,
    }
    print(json.dumps({"session_id": session, "error": error}, indent=2), file=sys.stderr)
    raise SystemExit(41)
words = work(sys.stdin.read() + given.p, Path.cwd())
if BEHAVIOUR == "limit":
    error = {"type": "FatalTurnLimitedError", "message": "Reached max session turns", "code": 53}
    print(json.dumps({"session_id": session, "error": error}, indent=2), file=sys.stderr)
    raise SystemExit(53)
tokens = {"prompt": 300, "candidates": 40, "total": 372, "cached": 0, "thoughts": 20, "tool": 12}
model = {"api": {"totalRequests": 4, "totalErrors": 1, "totalLatencyMs": 900}, "tokens": tokens}
stats = {"models": {"gemini-2.5-pro": model}, "tools": {"totalCalls": 2}, "files": {"totalLinesAdded": 0}}
print("Loaded cached credentials.", file=sys.stderr)
print(json.dumps({"session_id": session, "response": words, "stats": stats}, indent=2))
