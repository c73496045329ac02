"""A shop's own accent colour, made readable: contrast of 4.5:1 or more on light and on dark pages.

Contrast as in WCAG 2.2, success criterion 1.4.3.
"""

import colorsys
import re
from dataclasses import dataclass

ENOUGH = 4.5
STEPS = 50
LIGHT_PAGES = ("#ffffff", "#f3f5f8")  # tokens.css: --card and --page
DARK_PAGES = ("#171a21", "#0e1015")
WHITE, NIGHT = "#ffffff", "#0e1015"


@dataclass(frozen=True, slots=True)
class Accent:
    """The colour for one kind of page, what is written on it, and its pale ground."""

    colour: str
    on: str
    soft: str


def valid(colour: str) -> bool:
    """Whether a text is "#rrggbb"."""
    return bool(re.fullmatch(r"#[0-9a-fA-F]{6}", colour))


def contrast(one: str, other: str) -> float:
    """How far two colours are apart, from 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def on_light(colour: str) -> Accent:
    """The shop's colour, darkened until it can be read on light pages and white on it."""
    found = _shade(colour, LIGHT_PAGES, step=-1)
    return Accent(found, WHITE, _mix(found, WHITE, 0.1))


def on_dark(colour: str) -> Accent:
    """The shop's colour, lightened until it can be read on dark pages and night on it."""
    found = _shade(colour, (*DARK_PAGES, NIGHT), step=1)
    return Accent(found, NIGHT, _mix(found, DARK_PAGES[0], 0.18))


def style(colour: str) -> str:
    """The tokens that the shop's colour replaces, as CSS. Raises ValueError unless "#rrggbb"."""
    if not valid(colour):
        raise ValueError(colour)
    light, dark = on_light(colour), on_dark(colour)
    pairs = {
        "accent": (light.colour, dark.colour),
        "on-accent": (light.on, dark.on),
        "accent-soft": (light.soft, dark.soft),
        "focus": (light.colour, dark.colour),
    }
    lines = "".join(f"--{name}:light-dark({a},{b});" for name, (a, b) in pairs.items())
    return f":root{{{lines}}}\n"


def _shade(colour: str, grounds: tuple[str, ...], *, step: int) -> str:
    """The nearest lightness of the same hue that stands off from every ground."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(colour))
    for _ in range(STEPS):
        if all(contrast(colour, ground) >= ENOUGH for ground in grounds):
            break
        lightness = min(1.0, max(0.0, lightness + step / STEPS))
        colour = _hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    return colour.lower()


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    return red, green, blue


def _hex(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def _mix(colour: str, ground: str, share: float) -> str:
    mixed = [
        a * share + b * (1 - share) for a, b in zip(_parts(colour), _parts(ground), strict=True)
    ]
    return _hex((mixed[0], mixed[1], mixed[2]))


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in _parts(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
