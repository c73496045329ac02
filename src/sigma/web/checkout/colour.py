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
    return _readable(colour, LIGHT_PAGES, WHITE, share=0.1, step=-1)


def on_dark(colour: str) -> Accent:
    """The shop's colour, lightened until it can be read on dark pages and night on it."""
    return _readable(colour, DARK_PAGES, NIGHT, share=0.18, step=1)


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
    old = "".join(f"--{name}:{a};" for name, (a, _) in pairs.items())
    new = "".join(f"--{name}:light-dark({a},{b});" for name, (a, b) in pairs.items())
    return f":root{{{old}}}@supports(color:light-dark(#000,#fff)){{:root{{{new}}}}}\n"


def _readable(colour: str, pages: tuple[str, str], on: str, *, share: float, step: int) -> Accent:
    """The nearest lightness of the hue that stands off from pages, words and its own ground."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(colour))
    colour = colour.lower()
    for _ in range(STEPS):
        soft = _mix(colour, pages[0], share)
        if all(contrast(colour, ground) >= ENOUGH for ground in (*pages, on, soft)):
            break
        lightness = min(1.0, max(0.0, lightness + step / STEPS))
        colour = _hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    return Accent(colour, on, _mix(colour, pages[0], share))


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
