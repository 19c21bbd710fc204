"""What a worker is told of a run, as data: one line of JSON before the commit's files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fanfold.agents.protocol import Material
from fanfold.config import FixSettings
from fanfold.fix.attempts.bench import Brief
from fanfold.fix.attempts.stages import Course
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.project import Project

STAYS = frozenset(
    {"cluster", "cluster_certificates", "jobs", "runtime", "state", "workers", "workspace_kind", "workspaces"}
)
"""Settings that are about the coordinator's own machine: a worker has its own place for working copies, say."""


@dataclass(frozen=True)
class Cargo:
    """What travels beside the commit's files.

    Args:
        brief: what all attempts have in common.
        versions: of the project's Python and of each checker, by name; None where it isn't told.
        project: where the coordinator has the project and its environment.
        cache: where it has the checkers' caches of the base.
        workspaces: where it has its working copies.
        tested: whether each change is tested, by a suite that can tell good changes from bad ones.
    """

    brief: Brief
    versions: Mapping[str, str | None]
    project: Project
    cache: Path
    workspaces: Path
    tested: bool

    def to_json(self) -> bytes:
        """As one line without its end; undecodable bytes in paths survive."""
        brief, project = self.brief, self.project
        told = {
            "base": brief.base,
            "settings": brief.settings.model_dump(mode="json", exclude=set(STAYS)),
            "checkers": brief.checkers,
            "findings": [asdict(finding) for finding in brief.findings],
            "material": asdict(brief.material),
            "courses": {key: asdict(course) for key, course in brief.courses.items()},
            "versions": dict(self.versions),
            "project": [str(project.root), str(project.python), project.environment and str(project.environment)],
            "cache": str(self.cache),
            "workspaces": str(self.workspaces),
            "tested": self.tested,
        }
        return json.dumps(told).encode()

    @classmethod
    def from_json(cls, line: bytes) -> Cargo:
        """What `to_json` wrote; settings that stay where they are set are this machine's.

        Raises:
            FixError: it was written by another version of Fanfold.
        """
        try:
            told: dict[str, Any] = json.loads(line)
            root, python, environment = told["project"]
            return cls(
                brief=Brief(
                    base=told["base"],
                    settings=FixSettings(**told["settings"]),
                    checkers=tuple(told["checkers"]),
                    findings=tuple(Finding(**finding) for finding in told["findings"]),
                    material=_material(told["material"]),
                    courses={key: _course(course) for key, course in told["courses"].items()},
                ),
                versions=told["versions"],
                project=Project(Path(root), Path(python), Path(environment) if environment else None),
                cache=Path(told["cache"]),
                workspaces=Path(told["workspaces"]),
                tested=told["tested"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise FixError(
                f"this worker can't read what the run says: {error}",
                hint="install the same version of Fanfold on all machines",
            ) from error


def _material(told: Mapping[str, Any]) -> Material:
    return Material(**{**told, "examples": _examples(told)})


def _course(told: Mapping[str, Any]) -> Course:
    return Course(tuple((stage, tries) for stage, tries in told["steps"]), _examples(told))


def _examples(told: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {rule: tuple(diffs) for rule, diffs in told["examples"].items()}
