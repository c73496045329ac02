"""Security headers of every response: Content-Security-Policy, framing, caching, referrer."""

import re
from collections.abc import Iterable

Headers = tuple[tuple[bytes, bytes], ...]

YEAR_S = 31_536_000
CACHE_FOREVER = f"public, max-age={YEAR_S}, immutable"  # the URL changes with the content

# Pages load only resources of this origin. `form-action` is appended per page, because browsers
# also apply it to the redirect from the payment form to the acquirer's page.
_PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; frame-ancestors 'self'; form-action "
)
# Extended for pages that show pictures from VK, whose hosts are many and change.
_OWN_IMAGES = "img-src 'self' data:"
_DATA_CSP = "default-src 'none'; frame-ancestors 'none'"


def _headers(policy: str, secure: bool, *extra: tuple[str, str]) -> Headers:
    headers = [
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),  # the URL of an invoice is a secret
        ("x-frame-options", "SAMEORIGIN"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("x-robots-tag", "noindex, nofollow"),
        ("cache-control", "no-store"),
        *extra,
    ]
    if secure:
        headers.append(("strict-transport-security", f"max-age={YEAR_S}"))
    return tuple((name.encode(), value.encode()) for name, value in headers)


class SecurityHeaders:
    """Security headers by kind of page, built once. `secure`: clients use https."""

    def __init__(self, *, secure: bool) -> None:
        anywhere = "'self' https:" if secure else "'self' https: http:"
        self._data = _headers(_DATA_CSP, secure)
        self._page = _headers(_PAGE_CSP + "'self'", secure)
        self._checkout = _headers(_PAGE_CSP + anywhere, secure)
        images = _OWN_IMAGES + (" https:" if secure else " https: http:")
        self._inbox = _headers(_PAGE_CSP.replace(_OWN_IMAGES, images) + "'self'", secure)

    def for_path(self, path: str) -> Headers:
        """Return the default response headers for a path; a handler may override each of them."""
        if path.startswith(("/api/", "/hooks/", "/healthz", "/readyz", "/metrics")):
            return self._data
        if path.startswith("/i/"):
            return self._checkout
        if re.match(r"/(?:inbox|vk|board)(?:/|$)", path):
            return self._inbox
        return self._page


def with_defaults(
    response_headers: Iterable[tuple[bytes, bytes]], defaults: Headers
) -> list[tuple[bytes, bytes]]:
    """Return the response headers plus those defaults that it does not set itself."""
    merged = list(response_headers)
    names = {name.lower() for name, _ in merged}
    merged.extend(pair for pair in defaults if pair[0] not in names)
    return merged
