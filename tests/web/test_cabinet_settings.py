"""Settings pages: shop, connections, mail, API keys; stored values, errors, hidden secrets."""

import copy
import re
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.errors import RefusedError
from sigma.services.accounts import api_keys, shops
from sigma.services.billing import connections
from sigma.store.encrypted_columns import EncryptedColumn
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_error,
    field_value,
    open_browser,
    visible_text,
)
from tests.world import World

SHOP = {
    "name": "Студия",
    "kind": "ip",
    "full_name": "ИП Проверкин Пётр Петрович",
    "inn": "500100732259",
    "ogrn": "325774600000039",
    "address": "117312, Москва",
    "phone": "8 916 123-45-67",
    "email": "shop@example.com",
    "offer_url": "",
    "policy_url": "",
    "refund_terms": "Вернём.\r\nЗа 10 дней.",
    "consent_text": "",
    "tz": "Asia/Omsk",
    "accent": "#0a7d4f",
    "return_url": "https://vk.me/studio",
    "locale": "ru",
}


async def test_shop_settings_are_stored_and_shown(
    world: World, owner_browser: CabinetBrowser
) -> None:
    saved = await owner_browser.submit("/settings/shop", **SHOP)
    assert saved.headers["location"] == "/settings/shop"
    page = await owner_browser.open("/settings/shop")
    assert "Магазин сохранён" in page.text
    assert field_value(page.text, "phone").replace("\xa0", " ") == "+7 916 123-45-67"
    shop = await shops.get(world.ctx, world.member)
    assert (shop.tz, shop.accent, shop.seller.phone) == ("Asia/Omsk", "#0a7d4f", "+79161234567")
    assert shop.seller.refund_terms == "Вернём.\nЗа 10 дней."


async def test_invalid_shop_settings_show_errors_and_keep_the_input(
    owner_browser: CabinetBrowser,
) -> None:
    wrong = {
        "inn": "500100732258",
        "ogrn": "325774600000038",
        "email": "<b>",
        "phone": "12",
        "accent": "red",
        "return_url": "vk.me",
        "tz": "Mars/Base",
    }
    response = await owner_browser.submit("/settings/shop", **SHOP | wrong)
    assert response.status_code == 422
    assert "контрольная сумма не сходится" in field_error(response.text, "inn")
    assert "ОГРНИП" in field_error(response.text, "ogrn")
    assert all(field_error(response.text, name) for name in wrong)
    for name in ("inn", "ogrn", "email", "phone", "accent", "return_url"):
        assert field_value(response.text, name) == wrong[name]
    assert not field_error(response.text, "name")
    assert 'aria-describedby="inn-error inn-hint" aria-invalid="true"' in response.text


async def test_shop_texts_are_cleaned_and_refuse_card_numbers(
    owner_browser: CabinetBrowser,
) -> None:
    card = "4111 1111 1111 1111"
    wrong = {"name": "\u3164\u202e", "refund_terms": f"На карту {card}", "consent_text": card}
    response = await owner_browser.submit("/settings/shop", **SHOP | wrong)
    assert response.status_code == 422
    assert "Заполните" in field_error(response.text, "name")
    for name in ("refund_terms", "consent_text"):
        assert "номер банковской карты" in field_error(response.text, name)
    assert card not in response.text
    assert "На карту ••••" in response.text


async def test_self_employed_seller_needs_no_ogrn(
    world: World, owner_browser: CabinetBrowser
) -> None:
    saved = await owner_browser.submit("/settings/shop", **SHOP | {"kind": "npd"})
    assert saved.status_code == 303
    assert (await shops.get(world.ctx, world.member)).seller.ogrn == ""


async def test_new_connection_is_checked_and_its_secret_is_never_shown(
    world: World, owner_browser: CabinetBrowser
) -> None:
    form = {
        "provider": "yookassa",
        "title": "Вторая",
        "account": "900001",
        "secret": "test_very_secret",
        "two_stage": "1",
        "base_url": f"{world.sandbox.base_url}/bank/v3",
        "timeout_s": "2,5",
        "ca_bundle": "",
    }
    added = await owner_browser.submit("/settings/connections/new", **form)
    url = added.headers["location"]
    page = await owner_browser.open(url)
    assert "ключ верный" in page.text
    assert field_value(page.text, "account") == "900001"
    assert field_value(page.text, "timeout_s") == "2.5"
    connection_id = url.rsplit("/", 1)[1]
    assert f"http://127.0.0.1:8000/hooks/yookassa/{connection_id}" in page.text
    assert "HTTP-уведомления" in page.text

    saved = await owner_browser.submit(url, **form | {"title": "Другая", "secret": ""})
    assert saved.status_code == 303
    page = await owner_browser.open(url)
    assert "ключ верный" in page.text, "an empty secret keeps the stored one"
    listed = await owner_browser.open("/settings/connections")
    assert "Другая" in listed.text
    assert "test_very_secret" not in page.text + listed.text
    assert (await connections.get(world.ctx, world.member, connection_id)).two_stage


async def test_two_stage_is_offered_only_where_the_acquirer_supports_it(
    world: World, owner_browser: CabinetBrowser
) -> None:
    url = f"/settings/connections/{world.connection.id}"
    assert 'name="two_stage"' in (await owner_browser.open(url)).text
    one_stage: Any = copy.copy(world.ctx.providers["yookassa"])
    one_stage.capabilities = replace(one_stage.capabilities, two_stage=False)
    async with open_browser(replace(world.ctx, providers={"yookassa": one_stage})) as browser:
        await browser.sign_in("owner@example.org", world.password)
        assert 'name="two_stage"' not in (await browser.open(url)).text
        forged = await browser.submit(url, account=world.account, secret="", two_stage="1")
    assert forged.status_code == 422


async def test_wrong_connection_secret_shows_an_error(
    world: World, owner_browser: CabinetBrowser
) -> None:
    url = f"/settings/connections/{world.connection.id}"
    bank = f"{world.sandbox.base_url}/bank/v3"
    form = {"account": world.account, "base_url": bank, "two_stage": "0"}
    await owner_browser.submit(url, **form, secret="live_wrong")
    page = await owner_browser.open(url)
    assert "Неверный номер магазина или секретный ключ" in page.text
    checked = await owner_browser.submit(f"{url}/check")
    assert checked.headers["location"] == url


async def test_unreachable_acquirer_shows_an_error(
    world: World, owner_browser: CabinetBrowser
) -> None:
    url = f"/settings/connections/{world.connection.id}"
    form = {"account": world.account, "base_url": "http://127.0.0.1:9/v3", "two_stage": "0"}
    await owner_browser.submit(url, **form, secret="test_secret")
    assert "Эквайер не ответил" in (await owner_browser.open(url)).text


async def test_invalid_connection_form_keeps_the_input_but_not_the_secret(
    owner_browser: CabinetBrowser,
) -> None:
    form = {"account": "", "base_url": "ftp://x", "timeout_s": "", "title": "Моя", "two_stage": "1"}
    response = await owner_browser.submit("/settings/connections/new", **form, secret="test_typed")
    assert response.status_code == 422
    assert field_error(response.text, "account")
    assert field_error(response.text, "base_url")
    assert field_value(response.text, "title") == "Моя"
    assert "test_typed" not in response.text
    bad_timeout = await owner_browser.submit(
        "/settings/connections/new", **form | {"timeout_s": "soon"}
    )
    assert "от 1 до 120" in field_error(bad_timeout.text, "timeout_s")


async def test_connection_is_switched_off_and_on(
    world: World, owner_browser: CabinetBrowser
) -> None:
    url = f"/settings/connections/{world.connection.id}"
    await owner_browser.submit(f"{url}/switch", active="0")
    assert (
        "Новые платежи через это подключение не принимаются" in (await owner_browser.open(url)).text
    )
    await owner_browser.submit(f"{url}/switch", active="1")
    connection = await connections.get(world.ctx, world.member, world.connection.id)
    assert connection.status == "active"


async def test_unknown_connection_is_not_found(owner_browser: CabinetBrowser) -> None:
    for path in ("", "/check", "/switch"):
        response = await owner_browser.submit(
            f"/settings/connections/con_nope{path}", active="0", account="1"
        )
        assert response.status_code == 404


async def test_mail_server_url_is_encrypted_and_never_shown(
    world: World, owner_browser: CabinetBrowser
) -> None:
    url = f"smtp://me:pass-word@127.0.0.1:{world.sandbox.smtp_port}"
    form = {"from_name": "Студия", "reply_to": "me@example.org"}
    await owner_browser.submit("/settings/mail", **form, smtp_url=url)
    page = await owner_browser.open("/settings/mail")
    assert "Письма отправляются через ваш сервер" in page.text
    assert "pass-word" not in page.text
    await owner_browser.submit("/settings/mail", **form, smtp_url="")
    shop = await shops.get(world.ctx, world.member)
    encrypted_url = shop.smtp_url_encrypted
    assert "pass-word" not in encrypted_url
    assert world.ctx.cipher.decrypt(encrypted_url, EncryptedColumn.SHOP_SMTP_URL, shop.id) == url
    await owner_browser.submit("/settings/mail", **form, smtp_url="", forget_smtp="1")
    assert (await shops.get(world.ctx, world.member)).smtp_url_encrypted == ""


async def test_invalid_mail_settings_show_errors(owner_browser: CabinetBrowser) -> None:
    response = await owner_browser.submit(
        "/settings/mail", from_name="Студия", reply_to="me", smtp_url="http://secret@x"
    )
    assert response.status_code == 422
    assert field_error(response.text, "reply_to")
    assert "smtp://" in field_error(response.text, "smtp_url")
    assert "secret@x" not in response.text


async def test_sending_a_test_mail_shows_the_server_response(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.submit("/settings/mail/test")
    page = visible_text((await owner_browser.open("/settings/mail")).text)
    assert "Сервер принял письмо для o***@example.org. Его ответ: 2" in page
    await owner_browser.submit(
        "/settings/mail", from_name="", reply_to="", smtp_url="smtp://127.0.0.1:9"
    )
    await owner_browser.submit("/settings/mail/test")
    page = visible_text((await owner_browser.open("/settings/mail")).text)
    assert "Не удалось соединиться с почтовым сервером" in page
    assert "127.0.0.1" not in page  # neither the address nor the reason: it is in the log


async def test_api_key_is_shown_once_and_revoked_at_once(
    world: World, owner_browser: CabinetBrowser
) -> None:
    created = await owner_browser.submit(
        "/settings/keys", name="Бот записи", scope="invoices:write"
    )
    assert created.status_code == 201
    match = re.search(r'value="(sk_[^"]+)"', created.text)
    assert match
    secret = match[1]
    member = await api_keys.authenticate(world.ctx, secret)
    page = await owner_browser.open("/settings/keys")
    assert secret not in page.text
    assert secret[:9] in page.text
    await owner_browser.submit(f"/settings/keys/{member.actor}/revoke")
    page = await owner_browser.open("/settings/keys")
    assert "Ключ отозван" in page.text
    assert "1 отозванный ключ" in page.text
    with pytest.raises(RefusedError):
        await api_keys.authenticate(world.ctx, secret)


async def test_api_key_without_a_name_shows_an_error(owner_browser: CabinetBrowser) -> None:
    response = await owner_browser.submit("/settings/keys", name=" ")
    assert response.status_code == 422
    assert field_error(response.text, "name") == "Заполните это поле."
