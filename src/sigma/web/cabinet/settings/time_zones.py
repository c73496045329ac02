"""The time zones offered to a shop: city and current UTC offset."""

from babel import Locale
from babel.dates import get_timezone_location

from sigma.domain.local_time import local_time

REGIONAL_ZONES = (
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
OTHER_ZONES = (
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

# Renamed zones: CLDR, and so Babel, has the city names under the older identifier.
OLD_ZONE_NAMES = {
    "Asia/Kolkata": "Asia/Calcutta",
    "America/Argentina/Buenos_Aires": "America/Buenos_Aires",
}


def zone_choices(locale: str, now_us: int, current: str) -> list[tuple[str, str]]:
    """Return (IANA name, «Москва, UTC+3») pairs that include `current`.

    `now_us`: UTC microseconds.
    """
    names = [*REGIONAL_ZONES, *OTHER_ZONES]
    if current not in names:
        names.append(current)
    return [(name, zone_label(name, locale, now_us)) for name in names]


def zone_label(name: str, locale: str, now_us: int) -> str:
    """Return «Москва, UTC+3». `now_us`: UTC microseconds; it decides about summer time."""
    if name == "UTC":
        return "UTC"
    offset = local_time(now_us, name).utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    sign, (hours, rest) = "−" if minutes < 0 else "+", divmod(abs(minutes), 60)
    return f"{_city_name(name, locale)}, UTC{sign}{hours}{f':{rest:02}' if rest else ''}"


def _city_name(name: str, locale: str) -> str:
    if name not in OLD_ZONE_NAMES:
        return str(get_timezone_location(name, locale=locale, return_city=True))
    known = Locale.parse(locale).time_zones.get(OLD_ZONE_NAMES[name], {})
    return str(known.get("city") or name.rpartition("/")[2].replace("_", " "))
