# ruff: noqa: T201 a program speaks
"""Aider, as version 0.86 was seen to speak; it ends well even where no model answers."""

from __future__ import annotations

from pathlib import Path

from standin import BEHAVIOUR, Parser, work  # type: ignore[import-not-found]

parser = Parser("aider")
parser.flags(
    *("--yes-always", "--no-auto-commits", "--no-dirty-commits", "--no-gitignore", "--no-stream", "--no-pretty"),
    *("--analytics-disable", "--no-check-update", "--no-auto-lint", "--no-auto-test", "--no-show-model-warnings"),
    *("--no-suggest-shell-commands", "--no-detect-urls", "--disable-playwright", "--no-show-release-notes"),
    *("--no-fancy-input", "--no-restore-chat-history"),
)
for flag in ("--map-tokens", "--message-file", "--chat-history-file", "--input-history-file", "--llm-history-file"):
    parser.add_argument(flag, required=True)
parser.add_argument("--encoding")
parser.add_argument("--model")
parser.add_argument("files", nargs="+")
given = parser.parse_args()

print("Aider v0.86.2\nModel: openai/scripted with whole edit format\nGit repo: .git with 1 files\nRepo-map: disabled\n")
Path(".aider.tags.cache.v4").mkdir()
Path(given.chat_history_file).write_text("# aider chat started\n")
if BEHAVIOUR == "no-login":
    print("litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided.")
    print("The API provider is not able to authenticate you. Check your API key.")
    raise SystemExit(0)
assert Path(given.files[0]).is_file()
words = work(Path(given.message_file).read_text(), Path.cwd())
print(f"{words}\n\nTokens: 1.2k sent, 345 received. Cost: $0.0010 message, $0.0010 session.\n")
print("Tokens: 300 sent, 60 received. Cost: $0.0020 message, $0.0030 session.")
print(f"Applied edit to {given.files[0]}")
