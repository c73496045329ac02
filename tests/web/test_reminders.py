"""Pages of reminders and of sending an invoice by e-mail; the stop link of mail programs."""

from urllib.parse import urlsplit

import pytest

from sigma.domain.billing.mail import Mail, mark_canceled, mark_rejected, mask_email
from sigma.domain.change import Change
from sigma.services.billing import invoice_mails
from sigma.services.reminders import settings as reminder_settings
from sigma.services.reminders import stops
from sigma.store import changes
from sigma.store.billing import reminders
from tests.customer_rows import add_customers
from tests.web.cabinet_harness import CabinetBrowser, open_browser, visible_text
from tests.world import World

URL = "/settings/reminders"


async def test_switches_are_off_by_default_and_saved(
    owner_browser: CabinetBrowser, world: World
) -> None:
    page = await owner_browser.open(URL)
    assert page.status_code == 200
    assert page.text.count('type="checkbox"') == 3
    assert " checked" not in page.text
    text = visible_text(page.text)
    assert "Напоминаем: счёт «Маникюр» на" in text
    assert "Осталось доплатить" in text
    saved = await owner_browser.submit(URL, opened="1")
    assert saved.status_code == 303
    settings = await reminder_settings.get(world.ctx, world.member)
    assert (settings.opened, settings.expires, settings.rest) == (True, False, False)


async def test_invoice_is_mailed_from_its_page(owner_browser: CabinetBrowser, world: World) -> None:
    invoice = await world.create_invoice()
    url = f"/invoices/{invoice.id}"
    refused = await owner_browser.submit(f"{url}/mail", email="не адрес")
    assert refused.status_code == 422
    assert 'value="не адрес"' in refused.text
    sent = await owner_browser.submit(f"{url}/mail", email="reader@example.net")
    assert sent.status_code == 303
    page = visible_text((await owner_browser.open(url)).text)
    assert "reader@example.net" in page
    assert "В очереди" in page
    await owner_browser.submit(URL, opened="1")
    await reminder_settings.set_silenced(world.ctx, world.member, invoice.id, is_silenced=True)
    page = visible_text((await owner_browser.open(url)).text)
    assert "Об этом счёте Sigma не напоминает." in page
    await owner_browser.submit(f"{url}/reminders")
    assert not await reminder_settings.is_silenced(world.ctx, world.member, invoice.id)


async def test_mail_program_stops_letters_by_one_post(
    world: World,
) -> None:
    """RFC 8058: from another origin, without cookies; a GET changes nothing."""
    (client_hash, *_) = stops.email_hashes(world.ctx, world.shop.id, "reader@example.net")
    path = urlsplit(stops.stop_url(world.ctx, world.shop.id, client_hash)).path
    headers = {"origin": "https://mail.example", "sec-fetch-site": "cross-site"}
    async with open_browser(world.ctx) as stranger:
        http = stranger.http
        assert "Больше не напоминать?" in (await http.get(path)).text
        assert not await stops.is_stopped(world.ctx, client_hash)
        body = {"List-Unsubscribe": "One-Click"}
        assert (await http.post(path, data=body, headers=headers)).status_code == 200
        assert await stops.is_stopped(world.ctx, client_hash)
        assert "Больше не напоминаем" in (await http.get(path)).text
        forged = path[:-1] + ("A" if path[-1] != "A" else "B")
        for wrong in (forged, path.replace(client_hash, "0" * 40), "/stop/a/b/c", "/stop/a/b/é"):
            assert (await http.post(wrong, data=body)).status_code == 404
        assert (await http.post(path, data={"do": "resume"})).status_code == 200
    assert not await stops.is_stopped(world.ctx, client_hash)
    invoice = await world.create_invoice()
    await invoice_mails.send(world.ctx, world.member, invoice.id, "reader@example.net")


async def test_invoice_for_a_customer_is_mailed_to_the_address_of_the_card(
    owner_browser: CabinetBrowser, world: World
) -> None:
    (customer_id,) = await add_customers(world, 1)
    invoice = await world.create_invoice(customer_id=customer_id)
    url = f"/invoices/{invoice.id}"
    assert f"Отправить на {mask_email('client0@example.net')}" in visible_text(
        (await owner_browser.open(url)).text
    )
    sent = await owner_browser.submit(f"{url}/mail", to_client="1")
    assert sent.status_code == 303
    (entry,) = await invoice_mails.list_for_invoice(world.ctx, world.member, invoice.id)
    assert entry.address == "client0@example.net"
    (client_hash, *_) = stops.email_hashes(world.ctx, world.shop.id, entry.address)
    stop_url = stops.stop_url(world.ctx, world.shop.id, client_hash)
    await stops.stop(world.ctx, *urlsplit(stop_url).path.split("/")[-3:])
    refused = await owner_browser.submit(f"{url}/mail", to_client="1")
    assert refused.status_code == 409
    assert "Клиент отказался от писем" in visible_text(refused.text)
    assert 'value="client"' not in refused.text


async def test_invoice_without_a_client_address_says_so(
    owner_browser: CabinetBrowser, world: World
) -> None:
    url = f"/invoices/{(await world.create_invoice()).id}"
    assert "Отправить на" not in visible_text((await owner_browser.open(url)).text)
    refused = await owner_browser.submit(f"{url}/mail", to_client="1")
    assert refused.status_code == 409
    text = visible_text(refused.text)
    assert "Клиент не оставил e-mail" in text
    assert "ссылку на квитанцию" not in text
    refused = await owner_browser.submit(f"{url}/mail", email="client")
    assert refused.status_code == 422
    assert 'value="client"' in refused.text


async def test_draft_with_an_address_says_that_no_letter_was_sent(
    owner_browser: CabinetBrowser, world: World
) -> None:
    saved = await owner_browser.submit(
        "/invoices/new", title="Маникюр", amount="1500", email="reader@example.net", do="draft"
    )
    assert saved.status_code == 303
    page = visible_text((await owner_browser.open(saved.headers["location"])).text)
    assert "Письмо не отправлено" in page
    assert "Клиенту он не виден" not in page


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("no_server", "Почтовый сервер не настроен. Настроить почту"),
        ("no_connection", "Не удалось соединиться с почтовым сервером."),
        ("550 5.1.1 unknown user", "550 5.1.1 unknown user"),
    ],
)
async def test_seller_reads_why_a_letter_was_not_sent(
    owner_browser: CabinetBrowser, world: World, reply: str, text: str
) -> None:
    invoice = await world.create_invoice()
    mail = await invoice_mails.send(world.ctx, world.member, invoice.id, "reader@example.net")
    failed = mark_rejected(mail, "r•••@example.net", reply, is_permanent=True)
    await _store(world, failed)
    page = visible_text((await owner_browser.open(f"/invoices/{invoice.id}")).text)
    assert text in page
    assert "no_" not in page


async def test_seller_reads_that_the_client_refused_a_letter_in_the_queue(
    owner_browser: CabinetBrowser, world: World
) -> None:
    invoice = await world.create_invoice()
    mail = await invoice_mails.send(world.ctx, world.member, invoice.id, "reader@example.net")
    await _store(world, mark_canceled(mail, "mail_stopped"))
    page = visible_text((await owner_browser.open(f"/invoices/{invoice.id}")).text)
    assert "Клиент отказался от писем со счетами." in page


async def _store(world: World, mail: Mail) -> None:
    async with world.ctx.db.write() as tx:
        await changes.write(tx, Change((mail,)), world.ctx.now_us())


async def test_invoice_says_why_nobody_will_be_reminded(
    owner_browser: CabinetBrowser, world: World
) -> None:
    invoice = await world.create_invoice()
    url = f"/invoices/{invoice.id}"

    async def text() -> str:
        return visible_text((await owner_browser.open(url)).text)

    assert "Напоминания" not in await text()
    await owner_browser.submit(URL, expires="1")
    assert "Напомнить некому: счёт не отправлен" in await text()
    await owner_browser.submit(f"{url}/mail", email="reader@example.net")
    assert "Включённые напоминания к этому счёту не подходят" in await text()
    await owner_browser.submit(URL, opened="1")
    assert "Sigma напомнит сама" in await text()
    (client_hash, *_) = stops.email_hashes(world.ctx, world.shop.id, "reader@example.net")
    async with world.ctx.db.write() as tx:
        await tx.write_all([reminders.stop(client_hash, world.shop.id, world.ctx.now_us())])
    assert "Клиент отказался от напоминаний." in await text()
    assert "Sigma напомнит сама" not in await text()
