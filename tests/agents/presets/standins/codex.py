# ruff: noqa: T201 a program speaks
"""Codex, as version 0.169 was seen to speak."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from standin import BEHAVIOUR, Parser, work  # type: ignore[import-not-found]

parser = Parser("codex")
parser.add_argument("command", choices=["exec"])
parser.flags("--json", "--ephemeral", "--skip-git-repo-check")
kept_in = parser.add_mutually_exclusive_group(required=True)
kept_in.add_argument("-s", choices=["read-only", "workspace-write", "danger-full-access"])
kept_in.add_argument("--dangerously-bypass-approvals-and-sandbox", action="store_true")
parser.add_argument("-C", type=Path, required=True)
parser.add_argument("-m")
parser.add_argument("prompt", choices=["-"])
given = parser.parse_args()


def tell(**event: object) -> None:
    print(json.dumps(event))


print("WARNING: proceeding, even though we could not update PATH", file=sys.stderr)
tell(type="thread.started", thread_id="01a200c0-f82b-70d1-ad54-ba76f89ccd8d")
tell(type="item.completed", item={"id": "item_0", "type": "error", "message": "Model metadata not found."})
tell(type="turn.started")
if BEHAVIOUR == "no-login":
    words = "unexpected status 401 Unauthorized: Missing bearer authentication"
    tell(type="error", message=f"Reconnecting... 1/5 ({words})")
    tell(type="error", message=words)
    tell(type="turn.failed", error={"message": words})
    raise SystemExit(1)
words = work(sys.stdin.read(), given.C)
tell(type="item.completed", item={"id": "item_1", "type": "command_execution", "command": "sed", "exit_code": 0})
tell(type="error", message="Reconnecting... 1/5")
tell(type="item.completed", item={"id": "item_2", "type": "agent_message", "text": words})
tell(type="turn.completed", usage={"input_tokens": 312, "cached_input_tokens": 5, "output_tokens": 60})
