"""Agents that speak the Agent Client Protocol over their standard input and output."""

from fanfold.agents.acp.agent import Acp

__all__ = ["Acp"]
