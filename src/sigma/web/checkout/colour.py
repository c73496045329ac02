"""Adjust a shop's accent colour to a contrast of at least 4.5:1 on light and on dark pages.

Contrast is defined by WCAG 2.2, success criterion 1.4.3:
https://www.w3.org/TR/WCAG22/#contrast-minimum
"""

import colorsys
import re
from dataclasses import dataclass

MIN_CONTRAST = 4.5
LIGHTNESS_STEPS = 50
LIGHT_PAGES = ("#ffffff", "#f3f5f8")  # tokens.css: --card and --page
DARK_PAGES = ("#171a21", "#0e1015")
WHITE, NEAR_BLACK = "#ffffff", "#0e1015"


@dataclass(frozen=True, slots=True)
class Accent:
    """The accent for one colour scheme: `on` is the text colour on it, `soft` a pale background.

    All are "#rrggbb".
    """

    colour: str
    on: str
    soft: str


def is_valid_colour(colour: str) -> bool:
    """Whether a text is "#rrggbb"."""
    return bool(re.fullmatch(r"#[0-9a-fA-F]{6}", colour))


def contrast_ratio(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21."""
    high, low = sorted((_relative_luminance(first), _relative_luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def accent_on_light(colour: str) -> Accent:
    """Darken the colour until it is readable on light pages and white text is readable on it."""
    return _adjust_lightness(colour, LIGHT_PAGES, WHITE, share=0.1, step=-1)


def accent_on_dark(colour: str) -> Accent:
    """Lighten the colour until it is readable on dark pages and dark text is readable on it."""
    return _adjust_lightness(colour, DARK_PAGES, NEAR_BLACK, share=0.18, step=1)


def accent_css(colour: str) -> str:
    """Return CSS that overrides the accent tokens. Raises ValueError unless "#rrggbb"."""
    if not is_valid_colour(colour):
        raise ValueError(colour)
    light, dark = accent_on_light(colour), accent_on_dark(colour)
    pairs = {
        "accent": (light.colour, dark.colour),
        "on-accent": (light.on, dark.on),
        "accent-soft": (light.soft, dark.soft),
        "focus": (light.colour, dark.colour),
    }
    fallback = "".join(f"--{name}:{a};" for name, (a, _) in pairs.items())
    adaptive = "".join(f"--{name}:light-dark({a},{b});" for name, (a, b) in pairs.items())
    return f":root{{{fallback}}}@supports(color:light-dark(#000,#fff)){{:root{{{adaptive}}}}}\n"


def _adjust_lightness(
    colour: str, pages: tuple[str, str], on: str, *, share: float, step: int
) -> Accent:
    """Change the lightness in steps until the contrast with `pages`, `on` and `soft` is enough.

    `share`: part of the colour in `soft` (0 to 1). `step`: 1 lightens, -1 darkens.
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*_to_rgb(colour))
    colour = colour.lower()
    for _ in range(LIGHTNESS_STEPS):
        soft = _mix(colour, pages[0], share)
        if all(contrast_ratio(colour, ground) >= MIN_CONTRAST for ground in (*pages, on, soft)):
            break
        lightness = min(1.0, max(0.0, lightness + step / LIGHTNESS_STEPS))
        colour = _to_hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    return Accent(colour, on, _mix(colour, pages[0], share))


def _to_rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    return red, green, blue


def _to_hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)


def _mix(colour: str, ground: str, share: float) -> str:
    mixed = [
        a * share + b * (1 - share) for a, b in zip(_to_rgb(colour), _to_rgb(ground), strict=True)
    ]
    return _to_hex((mixed[0], mixed[1], mixed[2]))


def _relative_luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in _to_rgb(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
