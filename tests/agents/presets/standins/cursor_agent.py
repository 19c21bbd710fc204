# ruff: noqa: T201 a program speaks
"""Cursor's agent, as its documentation says that it speaks."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from standin import BEHAVIOUR, Parser, work  # type: ignore[import-not-found]

parser = Parser("cursor-agent")
parser.flags("-p", "--force")
parser.add_argument("--output-format", choices=["text", "json", "stream-json"], required=True)
parser.add_argument("--model")
parser.add_argument("prompt")
given = parser.parse_args()

if BEHAVIOUR == "no-login":
    print("Error: Authentication required. Run 'cursor-agent login' or set CURSOR_API_KEY.", file=sys.stderr)
    raise SystemExit(1)
named = re.search(r"file (\S+) and", given.prompt)
words = work(Path(named[1]).read_text() if named else "", Path.cwd())
usage = {"inputTokens": 300, "outputTokens": 60, "cacheReadTokens": 5, "cacheWriteTokens": 7}
said = {"type": "result", "subtype": "success", "is_error": False, "duration_ms": 1234, "result": words}
print(json.dumps({**said, "session_id": "c6b62c6f-7ead-4fd6-9922-e952131177ff", "request_id": "1", "usage": usage}))
