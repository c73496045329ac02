"""TLS of the connection to PostgreSQL, as the URL and the PG… variables of libpq say.

asyncpg reads `sslmode`, `sslrootcert`, `sslcert` and `sslkey` itself, with libpq's meaning: by
default ("prefer") the certificate of the server is not checked. Added here: `sslrootcert=system`,
the authorities of the operating system (libpq 16 and newer), and whether a server is checked at
all. https://www.postgresql.org/docs/current/libpq-ssl.html
"""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

VERIFY_FULL: Final = "verify-full"
SYSTEM: Final = "system"  # value of sslrootcert: the authorities of the operating system
_CHECKED_MODES: Final = ("require", "verify-ca", VERIFY_FULL)  # in which libpq reads sslrootcert


@dataclass(frozen=True, slots=True)
class TlsParameters:
    """What URL and environment say about TLS. `mode` and `root` are empty where nothing is said.

    `hosts`: names, addresses or folders of sockets; empty for the default, a local socket.
    """

    hosts: tuple[str, ...]
    mode: str
    root: str
    certificate: str
    key: str

    @property
    def is_verified(self) -> bool:
        """Whether the certificate is checked, and against the name of the host."""
        return self.mode == VERIFY_FULL or (self.root == SYSTEM and not self.mode)


def read_parameters(url: str, environ: Mapping[str, str] = os.environ) -> TlsParameters:
    """Return the TLS parameters of a PostgreSQL URL; the URL wins over the environment."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}

    def value(parameter: str, variable: str) -> str:
        return query.get(parameter) or environ.get(variable, "")

    in_service = "service" in query or "PGSERVICE" in environ
    # A service file may name any host: it counts as another machine.
    unnamed = "service" if in_service else environ.get("PGHOST", "")
    hosts = _split_hosts(parts.netloc.rpartition("@")[2]) or _split_hosts(
        query.get("host") or unnamed
    )
    return TlsParameters(
        hosts=hosts,
        mode=value("sslmode", "PGSSLMODE").replace("_", "-"),
        root=value("sslrootcert", "PGSSLROOTCERT"),
        certificate=value("sslcert", "PGSSLCERT"),
        key=value("sslkey", "PGSSLKEY"),
    )


def _split_hosts(text: str) -> tuple[str, ...]:
    """Return the hosts of a list "a:1,b,[::1]:5" without their ports."""
    hosts = []
    for part in text.split(","):
        host = part[1:].partition("]")[0] if part.startswith("[") else part.partition(":")[0]
        hosts.append(unquote(host))
    return tuple(host for host in hosts if host)


def unverified_host(url: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the first host on another machine whose certificate is not checked, or None.

    Whoever controls the network between can then read and change everything, passwords too.
    """
    parameters = read_parameters(url, environ)
    if not url.startswith(("postgresql:", "postgres:")) or parameters.is_verified:
        return None
    return next((host for host in parameters.hosts if not _is_local(host)), None)


def _is_local(host: str) -> bool:
    if host.startswith(("/", "@")):  # a folder of sockets, an abstract socket
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        name = host.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")


def tls_options(url: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the arguments of `asyncpg.connect` that the URL alone does not give it.

    Raises ValueError with one line: `sslrootcert=system` in a mode that does not check the name, or
    a file of certificates that does not exist. Raises OSError and ssl.SSLError for a client's
    certificate that cannot be loaded.
    """
    parameters = read_parameters(url, environ)
    if parameters.root != SYSTEM:
        is_read = parameters.root and parameters.mode in _CHECKED_MODES
        if is_read and not Path(parameters.root).is_file():
            raise ValueError(f"sslrootcert: there is no file {parameters.root}")
        return {}
    if not parameters.is_verified:
        raise ValueError(f"sslrootcert=system needs sslmode={VERIFY_FULL}, not {parameters.mode}")
    context = ssl.create_default_context()
    if parameters.certificate:
        context.load_cert_chain(parameters.certificate, parameters.key or None)
    return {"ssl": context}
