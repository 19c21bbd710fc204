"""Where an agent's programs run: in a sandbox over their workspace, with the project's environment, and watched."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fanfold.agents.protocol import Agent, AgentError, Report
from fanfold.config import FixSettings
from fanfold.errors import FanfoldError
from fanfold.fix.attempts.escape import Escaped, Lookout, words_for
from fanfold.fix.attempts.stages import name_of
from fanfold.fix.errors import FixError
from fanfold.fix.installed import linked_folders, site_directories
from fanfold.fix.project import Project, workspace_environment
from fanfold.git import Repository, Workspace
from fanfold.git.footprint import Touched
from fanfold.git.sweep import remove
from fanfold.process import (
    Gate,
    Growth,
    Network,
    Proxy,
    ProxyError,
    Sandbox,
    TooLarge,
    find_program,
    python_reach,
    uninterrupted,
    unusable,
)
from fanfold.process.proxy import LOOPBACK

HOST, NONE = "host", "none"
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_MAX_ALTERNATES = 50


@dataclass(frozen=True)
class Place:
    """Where one attempt's programs run.

    Args:
        sandbox: what they are kept in, None = nothing.
        environment: variables that have the project's own programs run the workspace's code.
    """

    sandbox: Sandbox | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Confinement:
    """What all attempts of a run have in common as to where their programs run.

    An agent that starts no programs works within Fanfold itself: there is nothing to confine, and nothing is watched.
    """

    settings: FixSettings
    repository: Repository
    project: Project
    _lookout: Lookout | None = None
    _tracked: tuple[str, ...] = ()
    _stores: tuple[Path, ...] = ()

    async def carry_out(
        self, agent: Agent, workspace: Workspace, path: str, scratch: Path, work: Callable[[Place], Awaitable[Report]]
    ) -> Report:
        """Do the work of one attempt, and watch what it writes and whether anything changes outside its workspace.

        Args:
            agent: who works.
            path: the file that is worked on.
            scratch: a private folder outside of the tree, for this attempt alone.
        Raises:
            Escaped: something did, while this agent worked, and there was no sandbox.
            AgentError: it wrote more than it may; or what the work raises.
            FixError: the settings ask for what can't be had here.
        """
        if not starts_programs(agent):
            return await work(Place())
        try:
            return await self._confined(agent, workspace, path, scratch, work)
        finally:
            # What it left in its home and in /tmp may be large, or closed to us.
            await uninterrupted(asyncio.to_thread(remove, os.fsencode(scratch)))

    async def _confined(
        self, agent: Agent, workspace: Workspace, path: str, scratch: Path, work: Callable[[Place], Awaitable[Report]]
    ) -> Report:
        bubblewrap, why = await bubblewrap_for(self.settings)
        _refuse_unbounded(self.settings, agent, bubblewrap, why)  # a worker elsewhere may have none
        if bubblewrap is None:
            place = await self._place(workspace, scratch, None, "host")
            return await self._watched(path, lambda: self._bounded(workspace, lambda: work(place)))
        async with _network(self.settings.agent_network) as (network, refused):
            place = await self._place(workspace, scratch, bubblewrap, network)
            report = await self._bounded(workspace, lambda: work(place))
            return replace(report, refused=(*report.refused, *refused()))

    async def _place(self, workspace: Workspace, scratch: Path, bubblewrap: Path | None, network: Network) -> Place:
        if not self._tracked:
            self._tracked = tuple(entry.path for entry in await self.repository.tree(self.repository.head))
            self._stores = tuple(await asyncio.to_thread(lambda: list(object_stores(self.repository.common_dir))))
        environment = await asyncio.to_thread(lambda: self._environment(workspace, scratch))
        if bubblewrap is None:
            return Place(environment=environment)
        sandbox = await asyncio.to_thread(lambda: self._sandbox(workspace, scratch, bubblewrap, network))
        return Place(sandbox, {**environment, **_inside(sandbox)})

    def _environment(self, workspace: Workspace, scratch: Path) -> dict[str, str]:
        environment = workspace_environment(self.project, workspace.root, self._tracked, scratch / "python")
        if self.project.environment is not None:
            environment["VIRTUAL_ENV"] = str(self.project.environment)
        return environment

    def _sandbox(self, workspace: Workspace, scratch: Path, bubblewrap: Path, network: Network) -> Sandbox:
        home, root = Path.home(), self.project.root
        python = self.project.environment or self.project.python.parent.parent
        sites = site_directories(self.project.python, self.project.environment)
        linked = (path for path in linked_folders(sites) if not _is_workspace_s(path, root, workspace.root))
        given = (Path(value) for name in _CERTIFICATES if (value := os.environ.get(name)))
        return Sandbox(
            bubblewrap=bubblewrap,
            scratch=scratch / "inside",
            write=(workspace.root, scratch, *self.settings.sandbox_write),
            read=(*self._stores, *python_reach(python), *linked, *given, *self.settings.sandbox_read),
            # Whatever asks for a path in the user's checkout, as an editable install does, gets the workspace's.
            seen_as=() if home.is_relative_to(root) else ((workspace.root, root),),
            # What setup made and what was copied is there for later attempts, too.
            kept=tuple(workspace.root / path for path in workspace.kept),
            home=home,
            network=network,
        )

    async def _watched(self, path: str, work: Callable[[], Awaitable[Report]]) -> Report:
        if self._lookout is None:
            self._lookout = Lookout(self.repository)
        found: list[Touched] = []
        try:
            async with self._lookout.over(path) as found:
                report = await work()
        except FanfoldError as error:
            if found and self.settings.escapes == "refuse":
                raise _escaped(found) from error
            raise
        if found and self.settings.escapes == "refuse":
            raise _escaped(found)
        told = (f"changed outside of its workspace meanwhile: {words_for(found)}",) if found else ()
        return replace(report, refused=(*report.refused, *told))

    async def _bounded(self, workspace: Workspace, work: Callable[[], Awaitable[Report]]) -> Report:
        """Do the work until it is done, or has written too much."""
        growth = Growth((workspace.root, workspace.cache), self.settings.workspace_max_bytes)
        working = asyncio.ensure_future(work())
        watching = asyncio.create_task(growth.watch(), name="what an agent writes")
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            await growth.check()
            return await working
        except TooLarge as error:
            raise AgentError(f"{error.message} in its workspace", hint=error.hint) from error
        finally:
            for task in (working, watching):
                task.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)


def _is_workspace_s(path: Path, main: Path, workspace: Path) -> bool:
    """Whether a path of the checkout is one that the workspace has, too; what installations generate there is not."""
    return path.is_relative_to(main) and (workspace / path.relative_to(main)).exists()


def _escaped(found: Sequence[Touched]) -> Escaped:
    # All in one: a report shows the message alone, and the agent is told it, too.
    return Escaped(
        f"touched outside its workspace: {words_for(found)}; if that was you, run again, or keep agents from it with "
        "--sandbox bwrap"
    )


def _inside(sandbox: Sandbox) -> dict[str, str]:
    """Variables that are others in a sandbox."""
    places = {"HOME": str(sandbox.home), "TMPDIR": "/tmp", "XDG_RUNTIME_DIR": "/tmp"}  # noqa: S108 inside
    return {**places, **(sandbox.network.variables() if isinstance(sandbox.network, Gate) else {})}


async def told_of(settings: FixSettings, agents: Iterable[Agent]) -> str | None:
    """A line on what kept the agents' programs in their workspace; None where none of them starts any."""
    names = [name_of(agent) for agent in agents if starts_programs(agent)]
    if not names:
        return None
    who, they = (f"agent {names[0]}", "it") if len(names) == 1 else (f"agents {', '.join(names)}", "they")
    bubblewrap, why = await bubblewrap_for(settings)
    if bubblewrap is None:
        return f"{who} ran without a sandbox, {why}: {they} could read and write whatever you can"
    words = {HOST: "the network as it is", NONE: "no network"}
    network = " and ".join(words.get(one, one) for one in settings.agent_network)
    return f"{who} ran in a sandbox, with {network}"


async def refuse_unbounded(settings: FixSettings, agents: Iterable[Agent]) -> None:
    """See to it that the sandbox can be had that is asked for, or that the agents need who start programs.

    Raises:
        FixError: it can't; one of these does what its model says, and nobody said that it may without one.
    """
    starting = [agent for agent in agents if starts_programs(agent)]
    if not starting:
        return
    bubblewrap, why = await bubblewrap_for(settings)
    for agent in starting:
        _refuse_unbounded(settings, agent, bubblewrap, why)
    if bubblewrap is not None and settings.cluster is None:  # machines elsewhere have paths of their own
        await asyncio.to_thread(_refuse_missing, settings)


def _refuse_missing(settings: FixSettings) -> None:
    if missing := next((path for path in settings.sandbox_write if not path.exists()), None):
        raise FixError(f"sandbox_write has {missing}, which isn't there", hint="make it first, or leave it out")


def _refuse_unbounded(settings: FixSettings, agent: Agent, bubblewrap: Path | None, why: str) -> None:
    if bubblewrap is None and settings.sandbox != "none" and (unbounded := getattr(agent, "unbounded", "")):
        raise FixError(
            f"agent {name_of(agent)} is not started without a sandbox, for {unbounded}; there is none here: {why}",
            hint="install bubblewrap, or let it do what you may do: --sandbox none",
        )


async def bubblewrap_for(settings: FixSettings) -> tuple[Path | None, str]:
    """The program of the sandbox that the settings ask for, or None and why.

    Raises:
        FixError: they ask for what can't be had here.
    """
    if settings.sandbox == "none":
        found, why = None, "as it was asked for"
    else:
        found, why = await find_bubblewrap()
        if found is None and settings.sandbox == "bwrap":
            raise FixError(f"there is no sandbox here: {why}", hint="install bubblewrap, or run with --sandbox none")
    if found is not None:
        proxy_for([host for host in settings.agent_network if host not in (HOST, NONE)])
    elif settings.agent_network != (HOST,):
        raise FixError(
            f"agent_network can't be held to without a sandbox: {why}",
            hint="install bubblewrap, or give agents the network as it is: --agent-network host",
        )
    return found, why


async def find_bubblewrap() -> tuple[Path | None, str]:
    """Bubblewrap, if it is installed and works here; else None and why it can't be used."""
    found = find_program("bwrap")
    if found is None:
        return None, "bubblewrap is not installed"
    words = await unusable(found)
    return (found, "") if words is None else (None, f"bubblewrap does not work here ({words})")


def starts_programs(agent: Agent) -> bool:
    """Whether an agent starts programs that may do anything; others run within Fanfold itself, and are trusted."""
    return bool(getattr(agent, "starts_programs", False))


def object_stores(common_dir: Path) -> Iterator[Path]:
    """Where the objects of a repository lie: its own, and those that it borrows."""
    waiting, seen = [common_dir / "objects"], set[Path]()
    while waiting and len(seen) < _MAX_ALTERNATES:
        store = waiting.pop()
        if store in seen or not store.is_dir():
            continue
        seen.add(store)
        yield store
        try:
            lines = (store / "info" / "alternates").read_bytes().splitlines()
        except OSError:
            continue
        waiting += [Path(os.path.normpath(store / os.fsdecode(line))) for line in lines if not line.startswith(b"#")]


@contextlib.asynccontextmanager
async def _network(asked: Sequence[str]) -> AsyncIterator[tuple[Network, Callable[[], tuple[str, ...]]]]:
    """The network for one attempt, and what it will have asked for in vain."""
    if tuple(asked) == (HOST,):
        yield "host", tuple
    elif tuple(asked) == (NONE,):
        yield "none", tuple
    else:
        async with proxy_for(asked) as proxy:
            own = LOOPBACK.isdisjoint(host for host, _ in proxy.allowed)
            yield Gate(proxy.socket, keeps_loopback=own), lambda: _in_vain(proxy)


def proxy_for(hosts: Sequence[str]) -> Proxy:
    """A proxy for the hosts of a setting.

    Raises:
        FixError: one of them is none.
    """
    try:
        return Proxy(hosts)
    except ProxyError as error:
        raise FixError(f"agent_network: {error.message}", hint=error.hint) from error


def _in_vain(proxy: Proxy) -> tuple[str, ...]:
    return tuple(f"asked for {host}, which agent_network doesn't list" for host in sorted(proxy.refused))
