"""Where a request came from, as the audit log stores it: address, browser, session, request."""

import re
from dataclasses import dataclass

MAX_ADDRESS_CHARS = 45  # an IPv6 address with an embedded IPv4 address

# The first match wins: Chromium browsers also name Chrome and Safari.
_BROWSERS = (
    ("YaBrowser/", "Yandex Browser"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,29}(?=/|\s|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from. All fields are empty for work without a request.

    `agent` is coarse, such as "Firefox, Windows". `session` is the start of the session's hash:
    it tells sessions apart and opens none. `request_id` is the one in the log.
    """

    address: str = ""
    agent: str = ""
    session: str = ""
    request_id: str = ""


def coarse_agent(user_agent: str) -> str:
    """Return browser and system of a User-Agent header, or the name of a program; else ""."""
    browser = next((name for part, name in _BROWSERS if part in user_agent), "")
    system = next((name for part, name in _SYSTEMS if part in user_agent), "")
    if browser or system:
        return ", ".join(filter(None, (browser, system)))
    program = _PROGRAM.match(user_agent)
    return program[0] if program else ""


NO_ORIGIN = Origin()
