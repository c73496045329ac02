"""The coarse name of a browser and its system, from the User-Agent header."""

import asyncio

from ua_parser import parse

MAX_USER_AGENT_CHARS = 300
MAX_DEVICE_NAME = 60


async def device_name(user_agent: str) -> str:
    """Return «Chrome · Windows», or "" when the header names neither.

    Parsed in a thread: the first call compiles a thousand patterns.
    """
    if not user_agent:
        return ""
    return await asyncio.to_thread(_device_name, user_agent[:MAX_USER_AGENT_CHARS])


def _device_name(user_agent: str) -> str:
    parsed = parse(user_agent)
    names = [
        parsed.user_agent.family if parsed.user_agent else "",
        parsed.os.family if parsed.os else "",
    ]
    return " · ".join(name for name in names if name and name != "Other")[:MAX_DEVICE_NAME]
