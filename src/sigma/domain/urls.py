"""Parts of URLs that decide about security."""

from urllib.parse import urlsplit


def is_https_url(url: str) -> bool:
    """Return whether a URL is https, in any spelling ("HTTPS://…", spaces around it)."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.netloc)  # urlsplit returns it in lower case


def origin_of(url: str) -> str:
    """Return the origin of an http(s) URL as browsers write it: "https://pay.example.org:8443".

    Empty for anything else.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except (ValueError, UnicodeError):
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    has_own_port = port not in (None, 443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{host}:{port}" if has_own_port else f"{parts.scheme}://{host}"
