"""The only parser of configured URLs and of URLs that a server sent."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from sigma.outbound.addresses import is_public_host, normalize_host

DEFAULT_PORTS = {"https": 443, "http": 80, "smtps": 465, "smtp": 587}
MAX_URL_LENGTH = 2048
# Printable, no white space: `urlsplit` would drop line breaks and tabs silently.
_PRINTABLE = re.compile(r"[!-\[\]-~\u00a1-\U0010ffff]+")  # no backslash: programs read it as "/"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class InvalidUrlError(ValueError):
    """A URL that cannot be used. `code`: "url", "scheme", "host" or "port"."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed URL. `host` is normalized, `port` is filled in; `path` has its leading slash."""

    scheme: str
    host: str
    port: int
    path: str = ""
    query: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def origin(self) -> str:
        """Scheme, host and port; without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == DEFAULT_PORTS.get(self.scheme)
        return f"{self.scheme}://{host}" + ("" if is_default else f":{self.port}")


@dataclass(frozen=True, slots=True)
class SmtpUrl:
    """Address and login of a mail server.

    `use_tls`: TLS from the first byte. `start_tls`: the server must offer STARTTLS.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    use_tls: bool
    start_tls: bool

    @property
    def scheme(self) -> str:
        """smtps or smtp."""
        return "smtps" if self.use_tls else "smtp"

    @property
    def is_encrypted(self) -> bool:
        """Whether the password and the mails travel encrypted."""
        return self.use_tls or self.start_tls


def parse_url(text: str, *schemes: str) -> Url:
    """Parse a URL of one of the schemes, "https" by default. Raises InvalidUrlError.

    A fragment is refused, a user name too (except in smtp URLs), and so is a port outside 1–65535.
    """
    schemes = schemes or ("https",)
    if len(text) > MAX_URL_LENGTH or not _PRINTABLE.fullmatch(text):
        raise InvalidUrlError("url")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InvalidUrlError("url") from None
    if parts.scheme not in schemes:
        raise InvalidUrlError("scheme")
    if "#" in text or ("@" in parts.netloc and not parts.scheme.startswith("smtp")):
        raise InvalidUrlError("url")
    try:
        host = normalize_host(parts.hostname or "")
    except ValueError:
        raise InvalidUrlError("host") from None
    return Url(
        scheme=parts.scheme,
        host=host,
        port=_port(parts.netloc) or DEFAULT_PORTS[parts.scheme],
        path=parts.path,
        query=parts.query,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _port(netloc: str) -> int | None:
    """Return the port, None without one. Raises InvalidUrlError."""
    _, colon, text = netloc.rpartition("@")[2].rpartition("]")[2].partition(":")
    if not colon:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise InvalidUrlError("port")
    return int(text)


def parse_smtp_url(text: str) -> SmtpUrl:
    """Parse smtp://user:password@host:587 or smtps://… Raises InvalidUrlError.

    `?tls=no` asks for an unencrypted connection; a loopback server is always used without TLS.
    """
    url = parse_url(text, "smtp", "smtps")
    control_chars = re.compile(r"[\x00-\x1f\x7f]")
    if url.path not in ("", "/") or control_chars.search(url.username + url.password):
        raise InvalidUrlError("url")
    use_tls = url.scheme == "smtps"
    is_plain = url.host in _LOOPBACK or parse_qs(url.query).get("tls") == ["no"]
    return SmtpUrl(
        host=url.host,
        port=url.port,
        username=url.username,
        password=url.password,
        use_tls=use_tls,
        start_tls=not use_tls and not is_plain,
    )


def is_public_url(text: str) -> bool:
    """Return whether a text is an https URL whose host can be public. Nothing is resolved."""
    try:
        return is_public_host(parse_url(text).host)
    except InvalidUrlError:
        return False
