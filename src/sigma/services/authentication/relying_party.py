"""The relying party of passkeys: the host that they belong to.

https://www.w3.org/TR/webauthn-3/#rp-id
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """`id` is a host name, `origin` the one origin whose pages may use its passkeys."""

    id: str
    origin: str


def relying_party(base_url: str) -> RelyingParty | None:
    """Return the relying party of an installation, or None when its passkeys cannot work.

    Browsers demand https and a name. The only exception is `localhost`, which also stands for a
    loopback address: passkeys then work on the pages that are opened by that name.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        is_local = host == "localhost" or host.endswith(".localhost")
        if parts.scheme != "https" and not is_local:
            return None
        return RelyingParty(host, f"{parts.scheme}://{parts.netloc}")
    if not address.is_loopback or parts.scheme != "http":
        return None
    port = f":{parts.port}" if parts.port else ""
    return RelyingParty("localhost", f"http://localhost{port}")
