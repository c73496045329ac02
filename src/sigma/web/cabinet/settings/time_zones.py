"""The time zones that a shop may choose from: city and present distance from UTC."""

from datetime import datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import get_timezone_location

from sigma.services.context import SECOND

NEAR = (
    "Europe/Kaliningrad",
    "Europe/Moscow",
    "Europe/Samara",
    "Asia/Yekaterinburg",
    "Asia/Omsk",
    "Asia/Novosibirsk",
    "Asia/Krasnoyarsk",
    "Asia/Irkutsk",
    "Asia/Yakutsk",
    "Asia/Vladivostok",
    "Asia/Magadan",
    "Asia/Kamchatka",
    "Europe/Minsk",
    "Asia/Yerevan",
    "Asia/Baku",
    "Asia/Tbilisi",
    "Asia/Almaty",
    "Asia/Tashkent",
    "Asia/Bishkek",
    "Asia/Dushanbe",
    "Europe/Chisinau",
)
FAR = (
    "UTC",
    "Europe/London",
    "Europe/Lisbon",
    "Europe/Berlin",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Belgrade",
    "Europe/Athens",
    "Europe/Istanbul",
    "Asia/Jerusalem",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Bangkok",
    "Asia/Makassar",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Australia/Sydney",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/Argentina/Buenos_Aires",
    "America/Sao_Paulo",
)

# Zones that were renamed; translations know the older name.
OLDER = {
    "Asia/Kolkata": "Asia/Calcutta",
    "America/Argentina/Buenos_Aires": "America/Buenos_Aires",
}


def zones(locale: str, now: int, chosen: str) -> list[tuple[str, str]]:
    """Pairs (IANA name, «Москва, UTC+3») with `chosen` among them. `now`: UTC microseconds."""
    names = [*NEAR, *FAR]
    if chosen not in names:
        names.append(chosen)
    return [(name, zone(name, locale, now)) for name in names]


def zone(name: str, locale: str, now: int) -> str:
    """One zone in words: «Москва, UTC+3». `now`: UTC microseconds."""
    if name == "UTC":
        return "UTC"
    offset = datetime.fromtimestamp(now / SECOND, ZoneInfo(name)).utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    sign, (hours, rest) = "−" if minutes < 0 else "+", divmod(abs(minutes), 60)
    return f"{_city(name, locale)}, UTC{sign}{hours}{f':{rest:02}' if rest else ''}"


def _city(name: str, locale: str) -> str:
    if name not in OLDER:
        return str(get_timezone_location(name, locale=locale, return_city=True))
    known = Locale.parse(locale).time_zones.get(OLDER[name], {})
    return str(known.get("city") or name.rpartition("/")[2].replace("_", " "))
