"""Agents: one Protocol, one module each, found through the entry points `fanfold.agents`."""

from fanfold.agents.protocol import Agent, AgentError, Assignment, Diagnostic, Report, Verdict
from fanfold.agents.registry import AgentSettings, UnknownAgent, agent_for, agent_names

__all__ = [
    "Agent",
    "AgentError",
    "AgentSettings",
    "Assignment",
    "Diagnostic",
    "Report",
    "UnknownAgent",
    "Verdict",
    "agent_for",
    "agent_names",
]
