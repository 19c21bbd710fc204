# ruff: noqa: T201 a program speaks
"""mini-swe-agent, as version 2 was seen to speak."""

from __future__ import annotations

import json
import os
from pathlib import Path

from standin import BEHAVIOUR, Parser, work  # type: ignore[import-not-found]

parser = Parser("mini")
parser.flags("-y", "--exit-immediately")
parser.add_argument("-c", action="append", required=True)
parser.add_argument("-l", type=float, required=True)
parser.add_argument("-o", type=Path, required=True)
parser.add_argument("-m")
given = parser.parse_args()
assert os.environ["MSWEA_CONFIGURED"] == "true"
assert given.c[0] == "../config/mini.yaml"


def end(status: str, **extra: str) -> None:
    usage = {"prompt_tokens": 156, "completion_tokens": 30, "total_tokens": 186}
    messages = [{"role": "assistant", "content": "", "extra": {"response": {"usage": usage}, "cost": 0.0015}}] * 2
    info = {"model_stats": {"instance_cost": 0.003, "api_calls": 2}, "exit_status": status, "submission": ""}
    info |= {key: value for key, value in extra.items() if key == "submission"}
    last = {"role": "exit", "content": "", "extra": {"exit_status": status, **extra}}
    given.o.write_text(json.dumps({"info": info, "messages": [*messages, last], "trajectory_format": "1.1"}))
    print(f"Saved trajectory to '{given.o}'")


print("Building agent config from specs")
if BEHAVIOUR == "no-login":
    end("AuthenticationError", submission="", exception_str="litellm.AuthenticationError: Incorrect API key provided")
    raise SystemExit(1)
words = work(json.loads(Path(given.c[1]).read_text())["run"]["task"], Path.cwd())
if BEHAVIOUR == "limit":
    end("LimitsExceeded", submission="")
else:
    print(words)
    end("Submitted", submission=words)
