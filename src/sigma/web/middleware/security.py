"""Security headers of every response: Content-Security-Policy, framing, caching, referrer."""

import re
from collections.abc import Iterable

Headers = tuple[tuple[bytes, bytes], ...]

YEAR_S = 31_536_000
CACHE_FOREVER = f"public, max-age={YEAR_S}, immutable"  # the URL changes with the content

# Programs request these: they get data or a problem document, never a page.
PROGRAM_PATHS = ("/api/", "/hooks/", "/metrics", "/readyz", "/healthz")

# Pages load only resources of this origin. `form-action` is appended per page, because browsers
# also apply it to the redirect from the payment form to the acquirer's page: the payment page
# names the acquirer's origins itself, see `payment_page_policy`.
_PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; frame-ancestors 'self'; form-action "
)
# Extended for pages that show pictures from VK, whose hosts are many and change.
_OWN_IMAGES = "img-src 'self' data:"
# Conversations, communities, customers; in both lists the pictures of clients.
_SHOWS_VK_PICTURES = re.compile(r"/(?:(?:inbox|vk|board|customers)(?:/|$)|(?:payments|invoices)$)")
# Files and data: nothing is loaded, framed or sent. `default-src` does not cover the last three.
DATA_POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"

# Features that browsers allow by default and no page of Sigma needs, nor a page in a frame. Only
# writing to the clipboard is allowed: the copy buttons need it.
_DENIED_FEATURES = (
    *("accelerometer", "autoplay", "browsing-topics", "camera", "display-capture"),
    *("encrypted-media", "fullscreen", "gamepad", "geolocation", "gyroscope", "hid"),
    *("identity-credentials-get", "idle-detection", "keyboard-map", "local-fonts", "magnetometer"),
    *("microphone", "midi", "otp-credentials", "payment", "picture-in-picture"),
    *("screen-wake-lock", "serial", "storage-access"),
    *("sync-xhr", "usb", "window-management", "xr-spatial-tracking"),
    *("clipboard-read", "compute-pressure"),
)
# Copy buttons; passkeys of the cabinet.
_OWN_FEATURES = ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")
PERMISSIONS_POLICY = ", ".join(
    [
        *(f"{name}=()" for name in sorted(_DENIED_FEATURES)),
        *(f"{name}=(self)" for name in _OWN_FEATURES),
    ]
)
_HSTS = {
    "host": f"max-age={YEAR_S}",
    "subdomains": f"max-age={YEAR_S}; includeSubDomains",
    "preload": f"max-age={2 * YEAR_S}; includeSubDomains; preload",
}


def payment_page_policy(redirect_origins: Iterable[str]) -> str:
    """Return the Content-Security-Policy of a form that may redirect to these origins only."""
    return _PAGE_CSP + " ".join(["'self'", *redirect_origins])


def _headers(policy: str, hsts: str) -> Headers:
    headers = [
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),  # the URL of an invoice is a secret
        ("x-frame-options", "SAMEORIGIN"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("origin-agent-cluster", "?1"),
        ("permissions-policy", PERMISSIONS_POLICY),
        ("x-permitted-cross-domain-policies", "none"),
        ("x-robots-tag", "noindex, nofollow"),
        ("cache-control", "no-store"),
    ]
    if hsts:
        headers.append(("strict-transport-security", hsts))
    return tuple((name.encode(), value.encode()) for name, value in headers)


class SecurityHeaders:
    """Security headers by kind of page, built once.

    `secure`: clients use https. `hsts`: which hosts must use https then: off, host, subdomains,
    preload.
    """

    def __init__(self, *, secure: bool, hsts: str = "subdomains") -> None:
        hsts = _HSTS.get(hsts, "") if secure else ""
        self._data = _headers(DATA_POLICY, hsts)
        self._page = _headers(_PAGE_CSP + "'self'", hsts)
        images = _OWN_IMAGES + (" https:" if secure else " https: http:")
        self._vk_pictures = _headers(_PAGE_CSP.replace(_OWN_IMAGES, images) + "'self'", hsts)

    def for_path(self, path: str) -> Headers:
        """Return the default response headers for a path; a handler may override each of them."""
        if path.startswith(PROGRAM_PATHS):
            return self._data
        if _SHOWS_VK_PICTURES.match(path):
            return self._vk_pictures
        return self._page


def with_defaults(
    response_headers: Iterable[tuple[bytes, bytes]], defaults: Headers
) -> list[tuple[bytes, bytes]]:
    """Return the response headers plus those defaults that it does not set itself."""
    merged = list(response_headers)
    names = {name.lower() for name, _ in merged}
    merged.extend(pair for pair in defaults if pair[0] not in names)
    return merged
