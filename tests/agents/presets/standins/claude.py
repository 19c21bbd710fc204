# ruff: noqa: T201 a program speaks
"""Claude Code, as version 2.1 was seen to speak."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from standin import BEHAVIOUR, Parser, work  # type: ignore[import-not-found]

parser = Parser("claude")
parser.flags("-p", "--bare", "--strict-mcp-config", "--no-session-persistence")
parser.add_argument("--output-format", required=True, choices=["text", "json", "stream-json"])
parser.add_argument("--permission-mode", choices=["acceptEdits", "bypassPermissions", "default", "plan"])
for flag in ("--tools", "--allowedTools", "--model"):
    parser.add_argument(flag)
parser.add_argument("--setting-sources", choices=["user", "project", "local"])
parser.add_argument("--max-turns", type=int)
parser.add_argument("--max-budget-usd", type=float)
given = parser.parse_args()

said = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "duration_ms": 235,
    "num_turns": 3,
    "result": "",
    "session_id": "836fc568-968a-4cdc-918d-8189159733ea",
    "total_cost_usd": 0.003,
    "usage": {
        "input_tokens": 300,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 5,
        "output_tokens": 60,
        "server_tool_use": {"web_search_requests": 0},
    },
    "permission_denials": [],
}
nothing = {"input_tokens": 0, "output_tokens": 0}
if BEHAVIOUR == "no-login" or (given.bare and not os.environ.get("ANTHROPIC_API_KEY")):
    words = "Not logged in · Please run /login"
    print(
        json.dumps({**said, "is_error": True, "num_turns": 1, "result": words, "total_cost_usd": 0, "usage": nothing})
    )
    raise SystemExit(1)
said["result"] = work(sys.stdin.read(), Path.cwd())
if BEHAVIOUR == "limit":
    del said["result"]
    errors = ["Reached maximum budget ($0.25)"]
    print(json.dumps({**said, "subtype": "error_max_budget_usd", "is_error": True, "errors": errors}))
    raise SystemExit(1)
print(json.dumps(said))
