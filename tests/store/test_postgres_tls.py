"""TLS to PostgreSQL: what a URL means, and which certificates a connection accepts."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sigma.store.engine.interface import UnreachableError
from sigma.store.engine.postgres import open_postgres
from sigma.store.postgres_tls import read_parameters, tls_options, unverified_host
from sigma.store.schema import migrate
from tests.outbound.servers import Authority, make_authority, server_context

SSL_REQUEST = struct.pack("!II", 8, 80877103)


@pytest.mark.parametrize(
    ("url", "environ", "host"),
    [
        ("postgresql://sigma:p@127.0.0.1/sigma", {}, None),
        ("postgresql://sigma@127.8.8.8:5433/sigma", {}, None),
        ("postgresql://sigma@[::1]:5433/sigma", {}, None),
        ("postgresql://sigma@LocalHost./sigma", {}, None),
        ("postgresql:///sigma", {}, None),
        ("postgresql://sigma@/sigma?host=/run/postgresql", {}, None),
        ("postgresql://%2Frun%2Fpostgresql/sigma", {}, None),
        ("sqlite:////var/lib/sigma/sigma.db", {"PGHOST": "db"}, None),
        ("postgresql://sigma:p@db/sigma", {}, "db"),
        ("postgres://sigma:p%40x@10.0.0.5:5432/sigma", {}, "10.0.0.5"),
        ("postgresql://sigma@[2001:db8::1]/sigma", {}, "2001:db8::1"),
        ("postgresql://localhost,db2:6000/sigma", {}, "db2"),
        ("postgresql:///sigma?host=db.example.org", {}, "db.example.org"),
        ("postgresql:///sigma", {"PGHOST": "db"}, "db"),
        ("postgresql:///sigma?service=main", {}, "service"),
        ("postgresql://localhost.example.org/sigma", {}, "localhost.example.org"),
        ("postgresql://db/sigma?sslmode=require", {}, "db"),
        ("postgresql://db/sigma?sslmode=verify-ca&sslrootcert=/ca.pem", {}, "db"),
        ("postgresql://db/sigma?sslrootcert=/ca.pem", {}, "db"),
        ("postgresql://db/sigma?sslmode=verify-full&sslrootcert=/ca.pem", {}, None),
        ("postgresql://db/sigma?sslrootcert=system", {}, None),
        ("postgresql://db/sigma", {"PGSSLMODE": "verify-full"}, None),
        ("postgresql://db/sigma?sslmode=disable", {"PGSSLMODE": "verify-full"}, "db"),
    ],
)
def test_server_on_another_machine_is_verified_or_named(
    url: str, environ: dict[str, str], host: str | None
) -> None:
    assert unverified_host(url, environ) == host


def test_weaker_mode_with_the_system_authorities_is_refused() -> None:
    with pytest.raises(ValueError, match="needs sslmode=verify-full, not require"):
        tls_options("postgresql://db/sigma?sslmode=require&sslrootcert=system", {})
    assert read_parameters("postgresql://db/x?sslmode=verify_full", {}).is_verified


@dataclass
class FakePostgres:
    """A server that offers TLS and hangs up after the first message. `messages`: how many came."""

    port: int
    messages: int = 0


@asynccontextmanager
async def fake_postgres(
    authority: Authority, folder: Path, name: str
) -> AsyncIterator[FakePostgres]:
    """Run a server with a certificate for `name` on the loopback interface."""
    tls = server_context(authority, folder, name)
    fake = FakePostgres(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(8) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(tls)
                if await reader.read(1):
                    fake.messages += 1
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    async with server:
        yield fake


async def connect(fake: FakePostgres, parameters: str) -> str:
    """Connect to the server; return the message of the error, which always comes."""
    url = f"postgresql://sigma:secret@localhost:{fake.port}/sigma?{parameters}"
    with pytest.raises(UnreachableError) as caught:
        await open_postgres(url, pool_size=1)
    with pytest.raises(UnreachableError):
        await asyncio.to_thread(migrate.current_revision, url)
    return str(caught.value)


async def test_only_a_certificate_of_the_trusted_authority_for_this_host_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, other = make_authority(), make_authority()
    (tmp_path / "ca.pem").write_text(trusted.pem)
    full = f"sslmode=verify-full&sslrootcert={tmp_path}/ca.pem"
    async with fake_postgres(trusted, tmp_path, "localhost") as fake:
        await connect(fake, full)
        assert fake.messages == 2, "the right certificate: the start message was sent"
        assert "there is no file" in await connect(fake, "sslmode=verify-full&sslrootcert=/no.pem")
        assert "needs sslmode" in await connect(fake, "sslmode=require&sslrootcert=system")
        assert "CERTIFICATE_VERIFY_FAILED" in await connect(fake, "sslrootcert=system")
        assert fake.messages == 2
        monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/ca.pem")
        await connect(fake, "sslrootcert=system")
        assert fake.messages == 4, "an authority of the operating system"
    async with fake_postgres(other, tmp_path, "localhost") as fake:
        assert "CERTIFICATE_VERIFY_FAILED" in await connect(fake, full)
        assert fake.messages == 0
        await connect(fake, "sslmode=prefer")
        assert fake.messages == 2, "what the warning is about: any certificate will do"
    async with fake_postgres(trusted, tmp_path, "db.example.org") as fake:
        assert "CERTIFICATE_VERIFY_FAILED" in await connect(fake, full)
        assert fake.messages == 0
