"""What an installation with given settings may connect to."""

import asyncio
from pathlib import Path

import pytest

from sigma.channels.email import MailRejectedError
from sigma.main import open_context
from sigma.outbound import http
from sigma.outbound.http import NoResponseError
from sigma.providers.base import ConnectionAccess, UnknownOutcomeError
from sigma.services.context import Context
from sigma.settings import load_settings
from tests.channels.test_email import MAIL
from tests.outbound.servers import Listener, http_server, listening

KEY = "m2VhK8s1QxTz7LpR4cNd9WbY3fGj6UaE"  # pragma: allowlist secret

ANSWER = b'{"account_id": "100500"}'
OK = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)


async def _call_bank(ctx: Context, server: Listener) -> str:
    access = ConnectionAccess("100500", "s", f"http://127.0.0.1:{server.port}/v3", timeout_s=5)
    return await ctx.providers["yookassa"].describe_account(access)


async def test_bank_on_this_machine_must_be_an_exception(sqlite_database_url: str) -> None:
    common = {
        "SIGMA_SECRET_KEY": KEY,
        "SIGMA_DATABASE_URL": sqlite_database_url,
    }
    async with listening(http_server(OK)) as server:
        async with open_context(load_settings(common, dotenv=None)) as ctx:
            with pytest.raises(UnknownOutcomeError):
                await _call_bank(ctx, server)
        assert server.connections == 0
        allowed = common | {"SIGMA_OUTBOUND_ALLOW": f"127.0.0.1:{server.port}"}
        async with open_context(load_settings(allowed, dotenv=None)) as ctx:
            assert await _call_bank(ctx, server) == "100500"


async def test_servers_of_the_settings_are_exempt_for_the_installation_and_not_for_shops(
    sqlite_database_url: str, tmp_path: Path
) -> None:
    commands: list[bytes] = []

    async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        commands.append(await reader.readline())
        writer.write(b"421 busy\r\n")

    async with listening(smtp) as mail, listening(http_server(OK)) as vk:
        mail_url, vk_url = f"smtp://127.0.0.1:{mail.port}", f"http://127.0.0.1:{vk.port}/vk"
        settings = load_settings(
            {
                "SIGMA_SECRET_KEY": KEY,
                "SIGMA_DATABASE_URL": sqlite_database_url,
                "SIGMA_SMTP_URL": mail_url,
                "SIGMA_VK_API_URL": vk_url,
            },
            dotenv=None,
        )
        async with open_context(settings) as ctx:
            own_server, shop_server = ctx.mailer_factory(""), ctx.mailer_factory(mail_url)
            assert own_server is not None
            assert shop_server is not None
            with pytest.raises(MailRejectedError, match="421"):
                await own_server.send(MAIL)
            with pytest.raises(MailRejectedError, match="no_connection"):
                await shop_server.send(MAIL)
            for server in (mail, vk):
                with pytest.raises(UnknownOutcomeError):
                    await _call_bank(ctx, server)
        assert (mail.connections, vk.connections) == (1, 0)
        assert len(commands) == 1


async def test_request_needs_a_url(sqlite_database_url: str) -> None:
    common = {
        "SIGMA_SECRET_KEY": KEY,
        "SIGMA_DATABASE_URL": sqlite_database_url,
    }
    async with (
        open_context(load_settings(common, dotenv=None)) as ctx,
        http.open_client(ctx.outbound) as client,
    ):
        for url in ("", "nowhere", "ftp://127.0.0.1", "https://[::1", "https://a\nb"):
            with pytest.raises(NoResponseError) as caught:
                await http.send(client, "GET", url, timeout_s=5, max_bytes=1)
            assert not caught.value.is_sent
