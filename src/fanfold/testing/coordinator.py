"""A coordinator in the same process: what a branch says goes to an answer by way of JSON, in order."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fanfold.runtimes import Answer


class NearCoordinator:
    """Has what is asked answered here: a `Coordinator`.

    Args:
        answer: what a flow's `attend` yields.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._telling: set[asyncio.Task[Any]] = set()

    async def ask(self, question: Any) -> Any:
        """The answer, after what was told before."""
        return await self._heard(question)

    def tell(self, news: Any) -> None:
        """Have it heard soon."""
        telling = self._heard(news)
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    def _heard(self, question: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(self._answered(_sent(question)))

    async def _answered(self, question: Any) -> Any:
        answer = _sent(await self._answer(question))
        await asyncio.sleep(0)  # it is on its way
        return answer


def _sent(value: Any) -> Any:
    return json.loads(json.dumps(value))
