"""What browsers are told about every answer: nothing from elsewhere, nothing framed or kept."""

import re
from collections.abc import Iterable

Headers = tuple[tuple[bytes, bytes], ...]

YEAR_S = 31_536_000

# Pages load only what is ours. The payment page's form ends at the acquirer's page, and browsers
# apply form-action to that redirect too.
_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; frame-ancestors 'self'; form-action "
)
# Faces and pictures of the dialogs are VK's own: its hosts are many and change.
_OWN_PICTURES = "img-src 'self' data:"
_DATA = "default-src 'none'; frame-ancestors 'none'"


def _headers(policy: str, secure: bool, *more: tuple[str, str]) -> Headers:
    told = [
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),  # a link to an invoice is a secret of its client
        ("x-frame-options", "SAMEORIGIN"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("x-robots-tag", "noindex, nofollow"),
        ("cache-control", "no-store"),
        *more,
    ]
    if secure:
        told.append(("strict-transport-security", f"max-age={YEAR_S}"))
    return tuple((name.encode(), value.encode()) for name, value in told)


class Policy:
    """The headers for each kind of address, made once."""

    def __init__(self, *, secure: bool) -> None:
        anywhere = "'self' https:" if secure else "'self' https: http:"
        self._data = _headers(_DATA, secure)
        self._page = _headers(_PAGE + "'self'", secure)
        self._checkout = _headers(_PAGE + anywhere, secure)
        pictures = _OWN_PICTURES + (" https:" if secure else " https: http:")
        self._inbox = _headers(_PAGE.replace(_OWN_PICTURES, pictures) + "'self'", secure)

    def of(self, path: str) -> Headers:
        """What to add to an answer from this path, unless the answer says otherwise itself."""
        if path.startswith(("/api/", "/hooks/", "/healthz", "/readyz", "/metrics")):
            return self._data
        if path.startswith("/i/"):
            return self._checkout
        if re.match(r"/(?:inbox|vk|board)(?:/|$)", path):
            return self._inbox
        return self._page


def added(given: Iterable[tuple[bytes, bytes]], wanted: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with what it lacks of `wanted`."""
    headers = list(given)
    names = {name.lower() for name, _ in headers}
    headers.extend(pair for pair in wanted if pair[0] not in names)
    return headers
