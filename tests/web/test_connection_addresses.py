"""The addresses in the settings: what a form may connect to, and with which secret."""

from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape

import pytest

from sigma.channels.email import SmtpMailer
from sigma.domain.billing.connection import Connection
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.services.accounts import shops
from sigma.services.billing import connections
from sigma.store import changes
from tests.outbound.local import local_mailer
from tests.outbound.servers import (
    ScriptedResolver,
    guard,
    http_server,
    listening,
    make_authority,
    pem_with_extensions,
)
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_error,
    field_value,
    open_browser,
    visible_text,
)
from tests.world import World

NO_CONNECTION = "Не удалось соединиться с почтовым сервером"


@pytest.fixture
async def strict_browser(world: World) -> AsyncIterator[CabinetBrowser]:
    """The owner's browser at an installation whose only exception is the sandbox."""
    port = world.sandbox.base_url.rpartition(":")[2]
    outbound = guard(f"127.0.0.1:{port}", resolve=ScriptedResolver([]))
    ctx = replace(
        world.ctx,
        outbound=outbound,
        mailer_factory=lambda url: SmtpMailer(url, outbound, timeout_s=0.2, total_timeout_s=1),
    )
    async with open_browser(ctx) as browser:
        await browser.sign_in("owner@example.org", world.password)
        yield browser


@pytest.fixture
async def impatient_browser(world: World) -> AsyncIterator[CabinetBrowser]:
    """The owner's browser at an installation that waits only a moment for mail servers."""
    ctx = replace(world.ctx, mailer_factory=lambda url: local_mailer(url, timeout_s=0.2))
    async with open_browser(ctx) as browser:
        await browser.sign_in("owner@example.org", world.password)
        yield browser


def connection_form(world: World, **changed: str) -> dict[str, str]:
    """Return the stored connection's form, without the secret."""
    form = {
        "account": world.account,
        "base_url": f"{world.sandbox.base_url}/bank/v3",
        "two_stage": "0",
        "timeout_s": "",
        "ca_certificates": "",
        "secret": "",
    }
    return form | changed


async def _stored(world: World) -> Connection:
    return await connections.get(world.ctx, world.member, world.connection.id)


async def test_stored_secret_is_never_sent_to_a_new_address(
    world: World, owner_browser: CabinetBrowser
) -> None:
    url, heads = f"/settings/connections/{world.connection.id}", list[str]()
    before = await _stored(world)
    async with listening(http_server(b"HTTP/1.1 401 X\r\n\r\n", heads)) as thief:
        thief_url = f"http://127.0.0.1:{thief.port}/v3"
        for changed in (
            {"base_url": thief_url},
            {"base_url": thief_url, "account": "1"},
            {"base_url": ""},  # another one, too: the acquirer's own
            {"ca_certificates": make_authority().pem},
        ):
            response = await owner_browser.submit(url, **connection_form(world, **changed))
            assert response.status_code == 422
            assert "ещё раз" in field_error(response.text, "secret")
            assert "Оставьте пустым" not in visible_text(response.text), "it contradicts the error"
            assert "<details open>" in response.text, "what was changed is shown"
        await owner_browser.submit(f"{url}/check")
        with pytest.raises(RefusedError) as caught:  # every other door uses the same service
            await world.save_connection(secret=None, base_url=thief_url)
        assert [problem.code for problem in caught.value.problems] == ["secret_again"]
        assert heads == []
        after = await _stored(world)
        assert (after.settings, after.secret_encrypted) == (
            before.settings,
            before.secret_encrypted,
        )

        typed = connection_form(world, base_url=thief_url, secret="typed-anew")
        assert (await owner_browser.submit(url, **typed)).status_code == 303
        assert len(heads) == 1  # the secret that was typed for this address


async def test_same_address_in_another_spelling_keeps_the_secret(
    world: World, owner_browser: CabinetBrowser
) -> None:
    url = f"/settings/connections/{world.connection.id}"
    spelling = f"{world.sandbox.base_url}/bank/v3/".replace("http", "HTTP")
    response = await owner_browser.submit(url, **connection_form(world, base_url=spelling))
    assert response.status_code == 303
    assert (await _stored(world)).settings["base_url"] == f"{world.sandbox.base_url}/bank/v3"


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        *(("http://api.example.ru/v3", "https://"), ("https://localhost/v3", "публичный")),
        *(("https://127.0.0.1/v3", "публичный"), ("https://10.0.0.1/v3", "публичный")),
        *(("https://169.254.169.254/v3", "публичный"), ("https://[::1]/v3", "публичный")),
        *(("https://[::ffff:10.0.0.1]/v3", "публичный"), ("https://db.internal/v3", "публичный")),
        *(("https://127.1/v3", "http"), ("https://2130706433/v3", "http"), ("ftp://x/v3", "http")),
        *(("https://api.example.ru:22/v3", "порт"), ("https://api.example.ru:99999/v3", "порт")),
        *(("https://api.example.ru/v3/payments", "/v3"), ("https://api.example.ru/", "/v3")),
        *(("https://api.example.ru/admin/v3", "/v3"), ("https://api.example.ru/v3?a=b", "/v3")),
        *(("https://me:pass@api.example.ru/v3", "http"), ("https://api.example.ru/v3#x", "http")),
        *(("https://[::1", "http"), ("https://a b/v3", "http"), ("/proc/self/fd/6", "http")),
        ("http://127.0.0.1:1/v3", "https://"),
    ],
)
async def test_address_that_may_not_be_called_is_an_error_of_its_field(
    world: World, strict_browser: CabinetBrowser, base_url: str, words: str
) -> None:
    form = connection_form(world, base_url=base_url, secret="s", provider="yookassa")
    response = await strict_browser.submit("/settings/connections/new", **form)
    assert response.status_code == 422
    assert words in field_error(response.text, "base_url")
    assert field_value(response.text, "base_url") == base_url


async def test_exception_of_the_installation_may_be_called(
    world: World, strict_browser: CabinetBrowser
) -> None:
    url = f"/settings/connections/{world.connection.id}"
    response = await strict_browser.submit(url, **connection_form(world, secret="test_secret"))
    assert response.status_code == 303


async def test_answer_of_another_server_is_never_shown(
    world: World, owner_browser: CabinetBrowser
) -> None:
    answer = b'{"account_id": "root-0-0", "status": "enabled", "description": "inner-secret"}'
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(answer)}\r\n\r\n".encode()
    url = f"/settings/connections/{world.connection.id}"
    for response in (head + answer, head.replace(b"200 OK", b"403 X") + answer):
        async with listening(http_server(response)) as server:
            form = connection_form(world, base_url=f"http://127.0.0.1:{server.port}/v3", secret="s")
            await owner_browser.submit(url, **form)
        page = (await owner_browser.open(url)).text
        assert "root-0-0" not in page
        assert "inner-secret" not in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *(("/proc/self/fd/6", "не путь к файлу"), ("/etc/ssl/ca.pem", "не путь к файлу")),
        *(("ca.crt", "не путь к файлу"), ("file:///etc/passwd", "не путь к файлу")),
        *(("C:\\certs\\ca.cer", "не путь к файлу"), ("hello", "не сертификаты PEM")),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "не сертификаты PEM"),
        (make_authority().private_key_pem, "закрытый ключ"),
        (make_authority(expires_in_days=-1).pem, "истёк"),
        (make_authority().pem * 60, "Слишком много"),
        # A second extension with the same number, and a kind of name that x509 does not know.
        (pem_with_extensions(("1.2.3.5", b"a"), ("1.2.3.6", b"b"), equal=True), "не сертификаты"),
        (pem_with_extensions(("2.5.29.17", b"\x30\x04\xa3\x02\x30\x00")), "не сертификаты PEM"),
        (pem_with_extensions(("2.5.29.19", b"\x01")), "не сертификаты PEM"),
    ],
    ids=range(13),
)
async def test_text_that_is_no_certificate_is_an_error_of_its_field(
    world: World, owner_browser: CabinetBrowser, text: str, words: str
) -> None:
    form = connection_form(world, ca_certificates=text, secret="s", provider="yookassa")
    response = await owner_browser.submit("/settings/connections/new", **form)
    assert response.status_code == 422
    assert words in field_error(response.text, "ca_certificates")


async def test_pasted_certificate_is_stored_and_shown_with_its_date(
    world: World, owner_browser: CabinetBrowser
) -> None:
    authority, other = make_authority(), make_authority(is_authority=False)
    pasted = f"# Наш корневой\r\n{authority.pem}\r\nmore\n{other.pem}".replace("\n", "\r\n")
    form = connection_form(world, ca_certificates=pasted, secret="test_secret")
    url = f"/settings/connections/{world.connection.id}"
    assert (await owner_browser.submit(url, **form)).status_code == 303
    assert (await _stored(world)).settings["ca_certificates"] == authority.pem + other.pem
    page = (await owner_browser.open(url)).text
    assert authority.pem in unescape(page).replace("\r\n", "\n")
    assert "Корневой: Test authority, действует до" in visible_text(page)
    assert "Сертификат сервера: Test authority, действует до" in visible_text(page)
    unchanged = connection_form(world, ca_certificates=authority.pem + other.pem)
    assert (await owner_browser.submit(url, **unchanged)).status_code == 303  # the secret stays


async def test_stored_path_of_a_certificate_file_is_not_opened_and_explained(
    world: World, owner_browser: CabinetBrowser
) -> None:
    with pytest.raises(RefusedError) as caught:
        await world.save_connection(secret="s", ca_bundle="/proc/self/fd/6")
    assert [problem.code for problem in caught.value.problems] == ["certificate_path"]
    path = world.connection.settings | {"ca_bundle": "/proc/self/fd/6"}
    with_path = Change((replace(await _stored(world), settings=path),))
    await changes.commit(world.ctx.db, with_path, world.ctx.now_us())
    url = f"/settings/connections/{world.connection.id}"
    assert (await owner_browser.submit(f"{url}/check")).status_code == 303
    page = (await owner_browser.open(url)).text
    assert "не путь к файлу" in field_error(page, "ca_certificates")
    await owner_browser.submit(url, **connection_form(world, secret="test_secret"))
    assert "ca_bundle" not in (await _stored(world)).settings


@pytest.mark.parametrize(
    "smtp_url",
    [
        *("smtp://x:99999", "smtp://[::1", "smtp://x:0", "smtp://", "smtps://a b", "smtp://127.1"),
        *("smtp://127.0.0.1:25", "smtps://127.0.0.1", "smtp://localhost", "smtps://10.0.0.1:465"),
        *("smtps://mail.example.ru:22", "smtps://mail.example.ru:6379", "http://mail.example.ru"),
        *("smtps://169.254.169.254", "smtps://[::1]", "smtps://db.internal", "smtps://2130706433"),
        "smtp://mail.example.ru?tls=no",
    ],
)
async def test_mail_server_that_may_not_be_called_is_an_error_of_its_field(
    world: World, strict_browser: CabinetBrowser, smtp_url: str
) -> None:
    form = {"from_name": "", "reply_to": "", "smtp_url": smtp_url}
    response = await strict_browser.submit("/settings/mail", **form)
    assert response.status_code == 422
    assert field_error(response.text, "smtp_url")
    assert (await shops.get(world.ctx, world.member)).smtp_url_encrypted == ""


async def test_ports_of_a_mail_server_cannot_be_told_apart(
    world: World, impatient_browser: CabinetBrowser
) -> None:
    """The result of the test mail is the same for a closed, a silent and another server's port."""
    pages = set()

    async def answer_ssh(reader: object, writer: object) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")  # type: ignore[attr-defined]

    async with listening() as closed:
        pass
    async with listening(answer_ssh) as ssh, listening() as silent:
        for port in (closed.port, ssh.port, silent.port):
            form = {"from_name": "", "reply_to": "", "smtp_url": f"smtp://127.0.0.1:{port}"}
            assert (await impatient_browser.submit("/settings/mail", **form)).status_code == 303
            await impatient_browser.submit("/settings/mail/test")
            page = visible_text((await impatient_browser.open("/settings/mail")).text)
            assert NO_CONNECTION in page
            assert "SSH" not in page
            pages.add(page)
    assert len(pages) == 1
