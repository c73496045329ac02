"""The time zones that a shop may choose from: city and present distance from UTC."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

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


def zones(locale: str, now: int, chosen: str) -> list[tuple[str, str]]:
    """Pairs (IANA name, «Москва, UTC+3») with `chosen` among them. `now`: UTC microseconds."""
    names = [*NEAR, *FAR]
    if chosen not in names:
        names.append(chosen)
    moment = datetime.fromtimestamp(now / SECOND, UTC)
    return [(name, _label(name, locale, moment)) for name in names]


def _label(name: str, locale: str, moment: datetime) -> str:
    if name == "UTC":
        return "UTC"
    offset = moment.astimezone(ZoneInfo(name)).utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    sign, (hours, rest) = "−" if minutes < 0 else "+", divmod(abs(minutes), 60)
    city = get_timezone_location(name, locale=locale, return_city=True)
    return f"{city}, UTC{sign}{hours}{f':{rest:02}' if rest else ''}"
