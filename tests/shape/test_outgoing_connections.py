"""Only the outbound guard opens connections: no other room has the means to go around it."""

import ast
from collections.abc import Iterator

import pytest

from tests.shape.source_files import modules

# What opens a connection, resolves a name or loads certificates.
OPENERS = {
    *("httpx.AsyncClient", "httpx.Client", "httpx.get", "httpx.post", "httpx.request"),
    *("httpx.AsyncHTTPTransport", "httpx.HTTPTransport", "aiosmtplib.send"),
    *("asyncio.open_connection", "socket.create_connection", "socket.getaddrinfo"),
    *("socket.gethostbyname", "ssl.create_default_context", "ssl.SSLContext"),
    *("urllib.request.urlopen", "smtplib.SMTP", "smtplib.SMTP_SSL", "http.client.HTTPConnection"),
}
METHODS = {"create_connection", "getaddrinfo", "sock_connect", "load_verify_locations"}
BANNED_IMPORTS = {"urllib.request", "smtplib", "http.client", "requests", "aiohttp", "ftplib"}
EXEMPT_MODULES = {
    "sigma.cli.demo_server",  # talks to the sandbox that it has started itself
    "sigma.store.postgres_tls",  # builds a context for asyncpg: the database is a setting
}


def openers(source: str) -> Iterator[str]:
    """Yield what a module uses to open connections by itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in OPENERS or name.rpartition(".")[2] in METHODS:
                yield f"{node.lineno}: {name}"
            if name == "aiosmtplib.SMTP" and "sock" not in {k.arg for k in node.keywords}:
                yield f"{node.lineno}: {name} without a connected socket"
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        yield from (f"{name}" for name in names if name in BANNED_IMPORTS)


def test_only_the_outbound_room_opens_connections() -> None:
    found = [
        f"{name}:{opener}"
        for name, path in modules().items()
        if name.startswith("sigma.")
        and not name.startswith("sigma.outbound.")
        and name not in EXEMPT_MODULES
        for opener in openers(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "httpx.AsyncClient()",
        "asyncio.open_connection('a', 1)",
        "loop.create_connection(f, 'a', 1)",
        "aiosmtplib.SMTP('a', 25)",
        "import smtplib",
        "from urllib.request import urlopen",
        "ssl.create_default_context(cafile=path)",
    ],
)
def test_opener_is_found(source: str) -> None:
    assert list(openers(source))
