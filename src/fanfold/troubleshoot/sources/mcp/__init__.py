"""The source `mcp`: a tool of any MCP server, started here or asked over HTTP."""

from fanfold.troubleshoot.sources.mcp.settings import McpSettings
from fanfold.troubleshoot.sources.mcp.source import Mcp

__all__ = ["Mcp", "McpSettings"]
