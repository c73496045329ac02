"""Customers in the cabinet: the list, the search, one customer, merge and split."""

import re

import pytest

from sigma.domain.accounts.member import Role
from sigma.services.platform import audit_log
from tests.conversation_invoices import start_conversation
from tests.customer_rows import add_customers
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_error,
    field_value,
    set_role,
    visible_text,
)
from tests.world import World

CUSTOMER = re.compile(r'href="/customers/(cus_\w+)"')


def listed(html: str) -> list[str]:
    """Return the customers of a list, in its order."""
    return list(dict.fromkeys(CUSTOMER.findall(html)))


async def paid_customer(world: World, payer: str = "browser-1", **answers: str) -> str:
    """Let a client pay; return the customer's id."""
    payment = await world.complete_payment(None, payer=payer, **answers)
    assert payment.customer_id is not None
    return payment.customer_id


async def test_list_shows_contacts_and_sums_of_each_currency(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await paid_customer(world)
    await paid_customer(world, "browser-2")
    page = await owner_browser.open("/customers")
    text = visible_text(page.text).replace("\xa0", " ")
    assert len(listed(page.text)) == 1
    assert "client@example.net" in text
    assert "+7 916 765-43-21" in text
    assert "3 000 ₽" in text or "3 000,00 ₽" in text


async def test_list_has_50_rows_and_a_next_page(
    world: World, owner_browser: CabinetBrowser
) -> None:
    ids = await add_customers(world, 60)
    page = await owner_browser.open("/customers")
    assert len(listed(page.text)) == 50
    more = re.search(r'href="(/customers\?cursor=[^"]+)"', page.text)
    assert more is not None
    rest = listed((await owner_browser.open(more[1].replace("&amp;", "&"))).text)
    assert {*listed(page.text), *rest} == set(ids)
    assert len(rest) == 10


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "query",
    [
        "client3@example.net",
        "CLIENT3@EXAMPLE.NET",
        "8 (916) 000-00-03",
        "+79160000003",
        "id100003",
        "https://vk.com/id100003",
        "100003",
    ],
)
async def test_customer_is_found_by_a_contact_in_any_spelling(
    world: World, owner_browser: CabinetBrowser, query: str
) -> None:
    ids = await add_customers(world, 5)
    page = await owner_browser.open(f"/customers?q={query.replace('+', '%2B')}")
    assert listed(page.text) == [ids[3]]


async def test_customer_is_found_by_the_beginnings_of_words_and_by_tag(
    world: World, owner_browser: CabinetBrowser
) -> None:
    first, second, _ = await add_customers(world, 3)
    await owner_browser.open(f"/customers/{first}")
    saved = await owner_browser.submit(
        f"/customers/{first}", name="Артём Щёголев", notes="", tags="Опт, постоянный"
    )
    assert saved.status_code == 303
    await owner_browser.submit(f"/customers/{second}", name="Артур Щукин", notes="", tags="")
    for query, expected in (
        ("q=артем", [first]),
        ("q=щего арте", [first]),
        ("q=арт", [second, first]),
        ("q=арту щего", []),
        ("tag=опт", [first]),
        ("tag=розница", []),
        ("q=щук&tag=опт", []),
    ):
        assert listed((await owner_browser.open(f"/customers?{query}")).text) == expected, query


async def test_notes_are_stored_encrypted_and_their_change_is_recorded(
    world: World, owner_browser: CabinetBrowser
) -> None:
    (customer_id,) = await add_customers(world, 1)
    here = f"/customers/{customer_id}"
    await owner_browser.open(here)
    form = {"name": "Анна", "notes": "Аллергия на\nлак", "tags": "vip"}
    assert (await owner_browser.submit(here, **form)).headers["location"] == here
    page = await owner_browser.open(here)
    assert field_value(page.text, "name") == "Анна"
    assert "Аллергия на" in page.text
    entry = (await audit_log.list_page(world.ctx, world.member)).data[0]
    assert (entry.deed, entry.subject) == ("customer.changed", customer_id)
    assert "Аллергия" not in entry.detail
    refused = await owner_browser.submit(here, **(form | {"notes": "4111 1111 1111 1111"}))
    assert refused.status_code == 422
    assert field_error(refused.text, "notes")
    refused = await owner_browser.submit(here, **(form | {"tags": "я" * 41}))
    assert field_error(refused.text, "tags")


async def test_card_shows_payments_refunds_answers_and_invoices(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    conversation_id = await start_conversation(vk_world)
    conversation = await vk_world.conversation()
    here = f"/customers/{conversation.customer_id}"
    issued = await vk_world.create_invoice(title="Педикюр", customer_id=conversation.customer_id)
    payment = await vk_world.complete_payment(issued)
    assert payment.customer_id == conversation.customer_id
    page = await vk_owner_browser.open(here)
    text = visible_text(page.text)
    for expected in ("без лака", "Педикюр", "client@example.net", conversation.name):
        assert expected in text, expected
    assert f'href="/inbox/{conversation_id}"' in page.text
    assert f'href="/payments/{payment.id}"' in page.text
    assert f'href="/invoices/{issued.id}"' in page.text
    assert f"/invoices/new?conversation={conversation_id}" in page.text


async def test_invoice_for_a_customer_belongs_to_the_customer(
    world: World, owner_browser: CabinetBrowser
) -> None:
    customer_id = await paid_customer(world)
    page = await owner_browser.open(f"/customers/{customer_id}")
    url = f"/invoices/new?customer={customer_id}"
    assert url in page.text
    page = await owner_browser.open(url)
    assert "Счёт для клиента" in visible_text(page.text)
    form = {"nonce": field_value(page.text, "nonce"), "do": "issue", "customer": customer_id}
    issued = await owner_browser.submit("/invoices/new", title="Стрижка", amount="900", **form)
    assert issued.status_code == 303
    assert "Стрижка" in visible_text((await owner_browser.open(f"/customers/{customer_id}")).text)


async def test_customers_are_merged_compared_undone_and_split(
    world: World, owner_browser: CabinetBrowser
) -> None:
    first = await paid_customer(world)
    second = await paid_customer(world, "browser-2", email="second@example.net")
    page = await owner_browser.open(f"/customers/{first}")
    assert "общий телефон" in visible_text(page.text)
    compare = f"/customers/{first}/merge?other={second}"
    assert compare in page.text
    assert "second@example.net" in (await owner_browser.open(compare)).text
    found = await owner_browser.open(f"/customers/{first}/merge?q=second@example.net")
    assert compare in found.text
    merged = await owner_browser.submit(f"/customers/{first}/merge", other=second)
    assert merged.headers["location"] == f"/customers/{first}"
    gone = await owner_browser.open(f"/customers/{second}")
    assert gone.headers["location"] == f"/customers/{first}"
    page = await owner_browser.open(f"/customers/{first}")
    assert "общий телефон" not in visible_text(page.text)
    undo = re.search(r'action="(/customers/moves/mov_\w+/undo)"', page.text)
    assert undo is not None
    undone = await owner_browser.submit(undo[1])
    assert undone.headers["location"] == f"/customers/{first}"
    assert (await owner_browser.open(f"/customers/{second}")).status_code == 200
    page = await owner_browser.open(f"/customers/{first}")
    keys = re.findall(r'name="identities" value="(cid_\w+)"', page.text)
    refused = await owner_browser.submit(f"/customers/{first}/split")
    assert refused.status_code == 422
    assert field_error(refused.text, "identities")
    split = await owner_browser.submit(f"/customers/{first}/split", identities=keys[0])
    assert split.status_code == 303
    assert split.headers["location"] != f"/customers/{first}"
    part = split.headers["location"]
    page = await owner_browser.open(part)
    assert "client@example.net" in page.text
    assert "Отделён от клиента" in visible_text(page.text)
    undo = re.search(r'action="(/customers/moves/mov_\w+/undo)"', page.text)
    assert undo is not None  # where the split has led to
    undone = await owner_browser.submit(undo[1])
    assert undone.headers["location"] == f"/customers/{first}"
    assert "client@example.net" in (await owner_browser.open(f"/customers/{first}")).text


async def test_dismissed_suggestion_does_not_come_back(
    world: World, owner_browser: CabinetBrowser
) -> None:
    first = await paid_customer(world)
    await paid_customer(world, "browser-2", email="second@example.net")
    page = await owner_browser.open(f"/customers/{first}")
    dismiss = re.search(r'action="(/customers/suggestions/sug_\w+/dismiss)"', page.text)
    assert dismiss is not None
    await owner_browser.submit(dismiss[1], back=first)
    await paid_customer(world, "browser-3", email="second@example.net")
    assert "общий телефон" not in visible_text(
        (await owner_browser.open(f"/customers/{first}")).text
    )


async def test_masked_role_sees_initials_and_no_contacts_notes_or_answers(
    world: World, owner_browser: CabinetBrowser
) -> None:
    customer_id = await paid_customer(world)
    here = f"/customers/{customer_id}"
    await owner_browser.open(here)
    await owner_browser.submit(here, name="Анна Кузнецова", notes="Капризная", tags="vip")
    await set_role(world.ctx, Role.ACCOUNTANT)
    for path in ("/customers", here):
        page = await owner_browser.open(path)
        assert "А. К." in page.text, path
        for text in ("Кузнецова", "client@example.net", "765-43", "Капризная", "vip", "без лака"):
            assert text not in page.text, (path, text)
    assert "/merge" not in (await owner_browser.open(here)).text


async def test_masked_role_has_no_customer_search(
    world: World, owner_browser: CabinetBrowser
) -> None:
    here = f"/customers/{await paid_customer(world)}"
    await owner_browser.submit(here, name="Анна Кузнецова", notes="", tags="vip")
    assert 'name="q"' in (await owner_browser.open("/customers")).text
    await set_role(world.ctx, Role.ACCOUNTANT)
    assert 'name="q"' not in (await owner_browser.open("/customers")).text
    for query in ("q=куз", "q=client@example.net", "q=8 916 765-43-21", "q=id77", "tag=vip"):
        page = await owner_browser.open(f"/customers?{query}")
        assert page.status_code == 403, query
        assert "А. К." not in page.text


async def test_card_lists_the_invoice_that_the_client_paid(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invoice = await world.create_invoice(title="Маникюр с росписью")
    assert invoice.customer_id is None
    payment = await world.complete_payment(invoice)
    page = await owner_browser.open(f"/customers/{payment.customer_id}")
    assert f'href="/invoices/{invoice.id}"' in page.text
    assert "Счетов нет" not in visible_text(page.text)


async def test_phones_stay_whole(world: World, owner_browser: CabinetBrowser) -> None:
    customer_id = await paid_customer(world)
    phone = '<span class="nowrap">+7\xa0916\xa0765-43-21</span>'
    for path in ("/customers", f"/customers/{customer_id}", f"/customers/{customer_id}/data"):
        assert phone in (await owner_browser.open(path)).text
