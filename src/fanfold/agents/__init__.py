"""Agents: one Protocol, one module each, found through the entry points `fanfold.agents`."""
