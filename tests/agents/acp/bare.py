"""An agent of the protocol in bare JSON, which starts at once, that behaves as its argument says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

SESSION = "session-1"
OPTIONS = [
    {"optionId": "always", "name": "Always", "kind": "allow_always"},
    {"optionId": "once", "name": "Once", "kind": "allow_once"},
    {"optionId": "no", "name": "No", "kind": "reject_once"},
]
METHOD_NOT_FOUND, INTERNAL_ERROR, AUTHENTICATION_REQUIRED = -32601, -32603, -32000

Message = dict[str, Any]


class Failed(Exception):
    """The request that is under way is answered with this error."""

    def __init__(self, code: int, message: str, data: Message) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": data}


def write(content: bytes) -> None:
    while content:
        content = content[os.write(1, content) :]


def send(**message: Any) -> None:
    write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def received() -> Iterator[Message]:
    for line in sys.stdin:
        yield json.loads(line)


def ask(number: int, method: str, **params: Any) -> None:
    send(id=number, method=method, params={"sessionId": SESSION, **params})


def answer_to(method: str, **params: Any) -> Message:
    ask(1, method, **params)
    return next(message for message in received() if message.get("id") == 1 and "method" not in message)


def outcome_of(method: str, **params: Any) -> Message | str:
    """The result, or in words that there was none."""
    answer = answer_to(method, **params)
    error = answer.get("error")
    result: Message = answer.get("result") or {}
    return result if error is None else f"refused: {error['message']} {error.get('data')}"


def say(words: str) -> None:
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": words}}
    send(method="session/update", params={"sessionId": SESSION, "update": update})


class Bare:
    """One behaviour for each method; each returns why its turn ends, None = it is done."""

    def __init__(self, argument: str) -> None:
        self.argument = argument

    def echoes(self, prompt: str) -> None:
        write(b"a line of a log\n")
        say(f"{prompt} {os.environ.get('MY_KEY')} {os.environ.get('MY_OTHER')}")

    def reads(self, _: str) -> None:
        said = outcome_of("fs/read_text_file", path=self.argument)
        say(said if isinstance(said, str) else said["content"])

    def writes(self, _: str) -> None:
        said = outcome_of("fs/write_text_file", path=self.argument, content="owned")
        say(said if isinstance(said, str) else "written")

    def asks(self, _: str) -> None:
        kind, _, path = self.argument.partition(":")
        call = {"toolCallId": "2", "title": "asks", "kind": kind, "rawInput": {"command": "rm", "filePath": path}}
        said = outcome_of("session/request_permission", toolCall=call, options=OPTIONS)
        say(said if isinstance(said, str) else said["outcome"].get("optionId", "cancelled"))

    def wants_a_terminal(self, _: str) -> None:
        said = outcome_of("terminal/create", command="sh", args=["-c", "touch planted"])
        say(said if isinstance(said, str) else "there is one")

    def crashes(self, _: str) -> None:
        say("half a th")
        os.write(2, b"Segmentation fault\n")
        os._exit(139)

    def fails(self, _: str) -> None:
        raise Failed(INTERNAL_ERROR, "Internal error", {"details": "the model is overloaded ghp_" + "a1B2" * 9})

    def hangs(self, _: str) -> str:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(self.argument + ".pid").write_text(str(child.pid))
        say("thinking")
        cancel = next(message for message in received() if message.get("method") == "session/cancel")
        Path(self.argument).write_text(f"cancelled {cancel['params']['sessionId']}")
        return "cancelled"

    def ignores_everything(self, _: str) -> None:
        say("thinking")
        time.sleep(60)

    def floods(self, _: str) -> None:
        while True:
            say("x" * 100_000)

    def floods_a_line(self, _: str) -> None:
        while True:
            write(b"x" * 65_536)

    def talks_nonsense(self, _: str) -> None:
        lines = (b"[]", b"1", b"{", b'{"id": 99, "result": 1}', b'{"method": 5}', b'{"method": "session/update"}')
        more = (
            b'{"method": "session/update", "params": {"update": {"sessionUpdate": "tool_call", "toolCallId": [1]}}}',
        )
        halves = (
            b'{"method":"session/update","params":{"update":{"sessionUpdate":"agent_message_chunk","content":{"text":"\\ud800"}}}}',
        )
        for line in (*lines, *more, *halves, b"[" * 100_000):
            write(line + b"\n")
        say("still here")

    def answers_nonsense(self, _: str) -> None:
        """To the request that is under way."""
        for answer in (b'"id": 2, "error": "broken"', b'"id": 2, "error": {"code": {}}', b'"id": [2], "result": {}'):
            write(b'{"jsonrpc": "2.0", ' + answer + b"}\n")
        call = b'{"toolCallId": "1", "kind": ["edit"], "status": ["completed"], "sessionUpdate": "tool_call_update"}'
        write(b'{"method": "session/update", "params": {"update": ' + call + b"}}\n")
        write(b'{"method": "session/request_permission", "id": 9, "params": {"toolCall": ' + call + b"}}\n")
        say("still here")

    def reads_at_once(self, _: str) -> None:
        numbers = range(100, 130)
        for number in numbers:
            ask(number, "fs/read_text_file", path=self.argument)
        answers = list(islice((message for message in received() if message.get("id") in numbers), len(numbers)))
        refused = sum("error" in answer for answer in answers)
        say(f"got {len(answers) - refused}, refused {refused}")

    def asks_and_reads_nothing(self, _: str) -> None:
        """So many bytes as it can in two seconds, without a look at what comes back."""
        lines = b'{"jsonrpc":"2.0","id":1,"method":"a"}\n' * 2000
        until, written = time.monotonic() + 2, 0
        os.set_blocking(1, False)
        while time.monotonic() < until:
            try:
                written += os.write(1, lines)
            except BlockingIOError:
                time.sleep(0.001)
        Path(self.argument).write_text(str(written))
        time.sleep(60)

    def refuses(self, _: str) -> str:
        return "refusal"


def result_of(behaviour: str, argument: str, request: Message) -> Message:
    method, params = request["method"], request["params"]
    if method == "initialize":
        if behaviour == "dies-at-once":
            os.write(2, b"no such model\n")
            os._exit(3)
        return {"protocolVersion": 0 if behaviour == "old" else params["protocolVersion"]}
    if method == "session/new":
        if behaviour == "needs-login":
            raise Failed(AUTHENTICATION_REQUIRED, "Authentication required", {"why": "no key"})
        return {"sessionId": SESSION}
    prompt = "".join(block["text"] for block in params["prompt"])
    ended = getattr(Bare(argument), behaviour.replace("-", "_"))(prompt)
    return {"stopReason": ended or "end_turn"}


def serve(behaviour: str, argument: str) -> None:
    for request in received():
        try:
            send(id=request["id"], result=result_of(behaviour, argument, request))
        except Failed as failed:
            send(id=request["id"], error=failed.error)


if __name__ == "__main__":
    serve(*sys.argv[1:])
