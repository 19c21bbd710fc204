"""Agents: one Protocol, one module each, found through the entry points `fanfold.agents`."""

from fanfold.agents.protocol import (
    Agent,
    AgentError,
    AgentUnusable,
    Assignment,
    BudgetExhausted,
    Diagnostic,
    Material,
    Purse,
    Report,
    Reservation,
    Verdict,
)
from fanfold.agents.registry import AgentSettings, agent_for, agent_names

__all__ = [
    "Agent",
    "AgentError",
    "AgentSettings",
    "AgentUnusable",
    "Assignment",
    "BudgetExhausted",
    "Diagnostic",
    "Material",
    "Purse",
    "Report",
    "Reservation",
    "Verdict",
    "agent_for",
    "agent_names",
]
