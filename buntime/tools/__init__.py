"""Tools for agents: definitions for language models, and a function that runs what a model calls.

Imports `client/` and `runloop/`. The MCP server is in `server.py`, which `buntime mcp` runs.
"""

from buntime._support.export import export
from buntime.tools.definitions import anthropic_tools, mcp_tools, openai_responses_tools, openai_tools
from buntime.tools.dispatcher import ToolResult, run_tool

__all__ = [
    "ToolResult",
    "anthropic_tools",
    "mcp_tools",
    "openai_responses_tools",
    "openai_tools",
    "run_tool",
]

export(
    "buntime.tools", ToolResult, anthropic_tools, mcp_tools, openai_responses_tools, openai_tools, run_tool
)
