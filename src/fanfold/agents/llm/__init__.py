"""Any language model as an agent: it answers with edits, which are validated before one of them is made."""

from fanfold.agents.llm.agent import Llm

__all__ = ["Llm"]
