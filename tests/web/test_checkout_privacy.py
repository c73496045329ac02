"""What the payment page keeps for its client, and never shows to the next one on the device."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from sigma.services.accounts import shops
from sigma.services.billing import payments
from tests.web.checkout_harness import (
    ANSWERS,
    consent_box,
    open_client,
    pay,
    started_token,
    submit_form,
)
from tests.world import World

DECLINED_CARD = "2200000000000053"  # insufficient funds


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(world) as opened:
        yield opened


async def change_consent_text(world: World) -> None:
    await shops.save_seller(
        world.ctx,
        world.member,
        name=world.shop.name,
        seller=world.shop.seller,
        tz="Europe/Moscow",
        accent="",
        return_url="",
        consent_text="Согласен на всё другое: {data}",
    )


async def decline(world: World, client: httpx.AsyncClient, path: str) -> str:
    """Fill the form, have the card declined, return; return the path of the payment page."""
    submitted = await submit_form(client, path)
    bank_url = urlsplit(submitted.headers["location"]).path
    await world.pay_by_provider_id(bank_url.rpartition("/")[2], DECLINED_CARD)
    returned = await client.get(f"{path}/wait/{started_token(client, path)}")
    return str(returned.headers["location"])


async def test_consent_stays_ticked_after_an_error_while_its_text_is_unchanged(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    text_hash, is_ticked = consent_box((await client.get(path)).text)
    assert not is_ticked
    for value in (text_hash, "yes"):
        page = await client.post(path, data={"email": "client@", "consent": value, "nonce": "n"})
        assert page.status_code == 422
        assert consent_box(page.text) == (text_hash, True)
    page = await client.post(path, data={"email": "client@", "nonce": "n"})
    assert consent_box(page.text) == (text_hash, False)


async def test_changed_consent_text_needs_a_new_consent(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    text_hash, _ = consent_box((await client.get(path)).text)
    await change_consent_text(world)
    page = await client.post(path, data={**ANSWERS, "consent": text_hash, "nonce": "n"})
    assert page.status_code == 422
    assert "текст согласия изменился" in page.text
    new_hash, is_ticked = consent_box(page.text)
    assert (new_hash != text_hash, is_ticked) == (True, False)
    again = await client.post(path, data={**ANSWERS, "consent": new_hash, "nonce": "n"})
    assert again.status_code == 303


async def test_consent_is_not_ticked_after_a_decline_when_its_text_has_changed(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    returned = await decline(world, client, path)
    assert consent_box((await client.get(returned)).text)[1]
    await change_consent_text(world)
    assert not consent_box((await client.get(returned)).text)[1]
    assert not consent_box((await client.get(f"{returned}&lang=en")).text)[1]


@pytest.mark.parametrize("max_payments", [None, 5])
async def test_next_client_on_the_same_device_sees_nothing_of_the_former_one(
    world: World, client: httpx.AsyncClient, max_payments: int | None
) -> None:
    invoice = await world.create_invoice(max_payments=max_payments)
    path = f"/i/{invoice.token}"
    receipt = await pay(world, client, path)
    declined = await decline(world, client, path)
    await submit_form(client, path)  # and one that stays unfinished
    page = (await client.get(path)).text
    for secret in ("client@example.net", "765-43-21", "без лака", receipt, "/wait/", "/r/"):
        assert secret not in page
    assert not consent_box(page)[1]
    # The link of a declined payment shows nothing either after the next client has come.
    assert "client@example.net" not in (await client.get(declined)).text


async def test_next_client_on_the_same_device_gets_a_payment_of_their_own(
    world: World, client: httpx.AsyncClient
) -> None:
    invoice = await world.create_invoice(max_payments=None)
    await submit_form(client, f"/i/{invoice.token}")
    await submit_form(client, f"/i/{invoice.token}", email="next@example.net")
    listed = await payments.list_page(world.ctx, world.member, invoice_id=invoice.id)
    assert len(listed.data) == 2


async def test_decline_on_a_shared_link_keeps_the_answers_for_the_same_visit(
    world: World, client: httpx.AsyncClient
) -> None:
    invoice = await world.create_invoice(max_payments=None)
    returned = await decline(world, client, f"/i/{invoice.token}")
    page = (await client.get(returned)).text
    assert "Попробовать другую карту" in page
    assert 'value="client@example.net"' in page
    assert consent_box(page)[1]
    world.clock.advance(minutes=51)
    assert "client@example.net" not in (await client.get(returned)).text


async def test_card_number_in_an_answer_is_refused_and_not_echoed(
    world: World, client: httpx.AsyncClient
) -> None:
    invoice = await world.create_invoice()
    path = f"/i/{invoice.token}"
    card = "4111 1111 1111 1111"
    page = await submit_form(client, path, wish=f"карта {card}, завтра")
    assert page.status_code == 422
    assert "номер банковской карты" in page.text
    assert card not in page.text
    assert "карта ••••, завтра" in page.text
    listed = await payments.list_page(world.ctx, world.member, invoice_id=invoice.id)
    assert listed.data == []
