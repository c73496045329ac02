"""Settings of the shop: what is stored, what is refused in words, what is never shown again."""

import re

import pytest

from sigma.domain.errors import Refused
from sigma.services.accounts import api_keys, shops
from sigma.services.billing import connections
from tests.web.cabinet_stage import Browser, fault, field, words
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


async def test_the_shop_is_stored_and_shown(world: World, owner: Browser) -> None:
    saved = await owner.send("/settings/shop", **SHOP)
    assert saved.headers["location"] == "/settings/shop"
    page = await owner.open("/settings/shop")
    assert "Магазин сохранён" in page.text
    assert field(page.text, "phone").replace("\xa0", " ") == "+7 916 123-45-67"
    shop = await shops.get(world.ctx, world.member)
    assert (shop.tz, shop.accent, shop.seller.phone) == ("Asia/Omsk", "#0a7d4f", "+79161234567")
    assert shop.seller.refund_terms == "Вернём.\nЗа 10 дней."


async def test_wrong_requisites_are_named_beside_their_fields_and_stay(owner: Browser) -> None:
    wrong = {
        "inn": "500100732258",
        "ogrn": "325774600000038",
        "email": "<b>",
        "phone": "12",
        "accent": "red",
        "return_url": "vk.me",
        "tz": "Mars/Base",
    }
    answer = await owner.send("/settings/shop", **SHOP | wrong)
    assert answer.status_code == 422
    assert "контрольная сумма не сходится" in fault(answer.text, "inn")
    assert "ОГРНИП" in fault(answer.text, "ogrn")
    assert all(fault(answer.text, name) for name in wrong)
    for name in ("inn", "ogrn", "email", "phone", "accent", "return_url"):
        assert field(answer.text, name) == wrong[name]
    assert not fault(answer.text, "name")
    assert 'aria-describedby="inn-error inn-hint" aria-invalid="true"' in answer.text


async def test_a_self_employed_person_needs_no_registration_number(
    world: World, owner: Browser
) -> None:
    saved = await owner.send("/settings/shop", **SHOP | {"kind": "npd"})
    assert saved.status_code == 303
    assert (await shops.get(world.ctx, world.member)).seller.ogrn == ""


async def test_a_connection_is_checked_when_it_is_added_and_its_secret_is_never_shown(
    world: World, owner: Browser
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
    added = await owner.send("/settings/connections/new", **form)
    url = added.headers["location"]
    page = await owner.open(url)
    assert "ключ подходит" in page.text
    assert field(page.text, "account") == "900001"
    assert field(page.text, "timeout_s") == "2.5"
    made = url.rsplit("/", 1)[1]
    assert f"http://127.0.0.1:8000/hooks/yookassa/{made}" in page.text
    assert "HTTP-уведомления" in page.text

    kept = await owner.send(url, **form | {"title": "Другая", "secret": ""})
    assert kept.status_code == 303
    page = await owner.open(url)
    assert "ключ подходит" in page.text, "an empty secret keeps the stored one"
    listed = await owner.open("/settings/connections")
    assert "Другая" in listed.text
    assert "test_very_secret" not in page.text + listed.text
    assert (await connections.get(world.ctx, world.member, made)).two_stage


async def test_a_wrong_secret_is_told_in_words(world: World, owner: Browser) -> None:
    url = f"/settings/connections/{world.connection.id}"
    bank = f"{world.sandbox.base_url}/bank/v3"
    form = {"account": world.account, "base_url": bank, "two_stage": "0"}
    await owner.send(url, **form, secret="live_wrong")
    page = await owner.open(url)
    assert "не подходят друг к другу" in page.text
    checked = await owner.send(f"{url}/check")
    assert checked.headers["location"] == url


async def test_a_silent_acquirer_is_told_in_words(world: World, owner: Browser) -> None:
    url = f"/settings/connections/{world.connection.id}"
    form = {"account": world.account, "base_url": "http://127.0.0.1:9/v3", "two_stage": "0"}
    await owner.send(url, **form, secret="")
    assert "Эквайер не ответил" in (await owner.open(url)).text


async def test_a_refused_connection_keeps_what_was_typed_but_not_the_secret(
    owner: Browser,
) -> None:
    form = {"account": "", "base_url": "ftp://x", "timeout_s": "", "title": "Моя", "two_stage": "1"}
    answer = await owner.send("/settings/connections/new", **form, secret="test_typed")
    assert answer.status_code == 422
    assert fault(answer.text, "account")
    assert fault(answer.text, "base_url")
    assert field(answer.text, "title") == "Моя"
    assert "test_typed" not in answer.text
    slow = await owner.send("/settings/connections/new", **form | {"timeout_s": "soon"})
    assert "от 1 до 120" in fault(slow.text, "timeout_s")


async def test_a_connection_is_switched_off_and_on(world: World, owner: Browser) -> None:
    url = f"/settings/connections/{world.connection.id}"
    await owner.send(f"{url}/switch", active="0")
    assert "Новые оплаты через это подключение не принимаются" in (await owner.open(url)).text
    await owner.send(f"{url}/switch", active="1")
    found = await connections.get(world.ctx, world.member, world.connection.id)
    assert found.status == "active"


async def test_another_shops_connection_is_not_there(owner: Browser) -> None:
    for path in ("", "/check", "/switch"):
        sent = await owner.send(f"/settings/connections/con_nope{path}", active="0", account="1")
        assert sent.status_code == 404


async def test_the_mail_server_is_kept_sealed_and_never_shown(world: World, owner: Browser) -> None:
    url = f"smtp://me:pass-word@127.0.0.1:{world.sandbox.smtp_port}"
    form = {"from_name": "Студия", "reply_to": "me@example.org"}
    await owner.send("/settings/mail", **form, smtp_url=url)
    page = await owner.open("/settings/mail")
    assert "Письма уходят через ваш сервер" in page.text
    assert "pass-word" not in page.text
    await owner.send("/settings/mail", **form, smtp_url="")
    kept = (await shops.get(world.ctx, world.member)).smtp_sealed
    assert "pass-word" not in kept
    assert world.ctx.sealer.open(kept) == url
    await owner.send("/settings/mail", **form, smtp_url="", forget_smtp="1")
    assert (await shops.get(world.ctx, world.member)).smtp_sealed == ""


async def test_wrong_mail_settings_are_named(owner: Browser) -> None:
    answer = await owner.send(
        "/settings/mail", from_name="Студия", reply_to="me", smtp_url="http://secret@x"
    )
    assert answer.status_code == 422
    assert fault(answer.text, "reply_to")
    assert "smtp://" in fault(answer.text, "smtp_url")
    assert "secret@x" not in answer.text


async def test_a_test_letter_tells_what_the_server_said(world: World, owner: Browser) -> None:
    await owner.send("/settings/mail/test")
    page = words((await owner.open("/settings/mail")).text)
    assert "Письмо принято сервером для o***@example.org. Ответ сервера: 2" in page
    await owner.send("/settings/mail", from_name="", reply_to="", smtp_url="smtp://127.0.0.1:9")
    await owner.send("/settings/mail/test")
    page = words((await owner.open("/settings/mail")).text)
    assert "Сервер пока не принял письмо" in page


async def test_a_key_is_shown_once_and_revoked_at_once(world: World, owner: Browser) -> None:
    made = await owner.send("/settings/keys", name="Бот записи")
    assert made.status_code == 201
    found = re.search(r'value="(sk_[^"]+)"', made.text)
    assert found
    secret = found[1]
    member = await api_keys.authenticate(world.ctx, secret)
    page = await owner.open("/settings/keys")
    assert secret not in page.text
    assert secret[:9] in page.text
    await owner.send(f"/settings/keys/{member.actor}/revoke")
    page = await owner.open("/settings/keys")
    assert "Ключ отозван" in page.text
    assert "1 отозванный ключ" in page.text
    with pytest.raises(Refused):
        await api_keys.authenticate(world.ctx, secret)


async def test_a_key_without_a_name_is_refused_beside_the_field(owner: Browser) -> None:
    answer = await owner.send("/settings/keys", name=" ")
    assert answer.status_code == 422
    assert fault(answer.text, "name") == "Заполните это поле."
