"""The source: what the scheduler knows of the jobs of an incident, asked for in parallel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fanfold.engine import Limit
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.workload.actions import Act, Action, Justification, act
from fanfold.troubleshoot.sources.workload.api import PlanApi
from fanfold.troubleshoot.sources.workload.found import Finder
from fanfold.troubleshoot.sources.workload.inquiry import Deadlines, Inquiry
from fanfold.troubleshoot.sources.workload.settings import NAME, WorkloadSettings, settings_of
from fanfold.troubleshoot.sources.workload.transport import connected
from fanfold.troubleshoot.sources.workload.v1 import V1
from fanfold.troubleshoot.sources.workload.v2 import V2


class Workload:
    """Asks a scheduler of HCL Workload Automation about jobs; asking only reads.

    Args:
        settings: where schedulers are, and how much is asked.
    """

    def __init__(self, settings: WorkloadSettings) -> None:
        self._settings = settings
        self._apis: dict[str, PlanApi] = {}
        self._limit = Limit(settings.limit)

    @classmethod
    def make(cls, settings: Mapping[str, object], root: Path) -> Workload:
        """The source with the settings of its table; see `WorkloadSettings`.

        Raises:
            SourceError: a setting is unknown or wrong.
        """
        return cls(settings_of(settings, root))

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._settings.name

    @property
    def timeout_s(self) -> float:
        """Seconds until its answer is no longer waited for."""
        return self._settings.timeout_s

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connections to the schedulers, as long as the block; nothing is sent yet.

        Raises:
            SourceError: a secret or a file of certificates can't be read.
        """
        told = self._settings
        async with AsyncExitStack() as stack:
            for name, scheduler in told.instances.items():
                transport = await stack.enter_async_context(
                    connected(
                        scheduler,
                        attempts=told.attempts,
                        limit=told.limit,
                        request_timeout_s=told.request_timeout_s,
                        budget_s=told.timeout_s,
                    )
                )
                self._apis[name] = V1(transport) if scheduler.api == 1 else V2(transport)
            self._limit = Limit(told.limit)
            try:
                yield
            finally:
                self._apis = {}

    async def ask(self, incident: Incident) -> Sequence[Evidence]:
        """What the scheduler knows of the incident's jobs; of those that fail, where it names none.

        Raises:
            SourceError: nothing could be had of the scheduler.
        """
        api = self.api(incident.instance)
        finder = Finder(self.name, api.transport.url)
        deadlines = Deadlines.beginning(asyncio.get_running_loop().time(), self.timeout_s)
        return await Inquiry(api, finder, self._settings, self._limit, incident, deadlines).evidence()

    def api(self, instance: str | None = None) -> PlanApi:
        """The API of one scheduler, within `open`.

        Raises:
            SourceError: it isn't configured.
        """
        if not self._apis:
            raise SourceError("the source is not open", hint="ask it within its open()")
        return self._apis[self._settings.scheduler_of(instance)]

    async def act(
        self,
        action: Action,
        job: str,
        *,
        instance: str | None = None,
        justification: Justification | None = None,
        dry_run: bool = True,
        expected_status: str | None = None,
    ) -> Act:
        """Do one thing to one job, or, as a dry run, say what would be sent; see `actions.act`. Never used by `ask`.

        Raises:
            SourceError: also where nothing says that the scheduler is the instance that is named.
        """
        api = self.api(instance)
        if instance is not None and self._settings.leaves_open(instance):
            await _refuse_another(api, instance)
        return await act(
            api,
            action,
            job,
            justification=justification,
            dry_run=dry_run,
            expected_status=expected_status,
        )


async def _refuse_another(api: PlanApi, instance: str) -> None:
    name = (await api.engine()).name
    if name.casefold() != instance.casefold():
        raise SourceError(
            f"the scheduler that is configured calls itself {name!r}, not {instance!r}: nothing was done",
            hint=f"leave the instance out, or write [troubleshoot.sources.{NAME}.instances.{instance}]",
        )
