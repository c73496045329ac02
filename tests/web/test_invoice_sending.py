"""Sending an issued invoice: choosing the conversation, repeated and refused sending."""

from sigma.services.billing import invoices
from tests.conversation_invoices import open_payment_link, start_conversation
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import CabinetBrowser, visible_text


async def test_invoice_is_sent_to_a_conversation_from_its_page(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    url = f"/inbox/{await start_conversation(vk_world)}"
    invoice = await vk_world.create_invoice()
    page = await vk_owner_browser.open(f"/invoices/{invoice.id}")
    assert f'href="/invoices/{invoice.id}/send"' in page.text
    send_page = await vk_owner_browser.open(f"/invoices/{invoice.id}/send")
    action = f"/invoices/{invoice.id}/send/{url.removeprefix('/inbox/')}"
    assert f'action="{action}"' in send_page.text
    for _ in range(2):
        assert (await vk_owner_browser.submit(action)).headers["location"] == url
    await vk_world.run_jobs()
    assert len(await vk_world.vk_texts()) == 2
    send_page = await vk_owner_browser.open(f"/invoices/{invoice.id}/send")
    assert "Уже отправлен" in visible_text(send_page.text)
    assert f'action="{action}"' not in send_page.text
    await open_payment_link(vk_world, invoice)
    page = await vk_owner_browser.open(f"/invoices/{invoice.id}")
    assert f'href="{url}"' in page.text
    assert "Открыт, не оплачен, открыт" in visible_text(page.text)
    search_page = await vk_owner_browser.open(f"/invoices/{invoice.id}/send?q=никто")
    assert "Диалог не найден" in visible_text(search_page.text)


async def test_sending_a_void_invoice_is_refused_with_the_reason(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    conversation_id = await start_conversation(vk_world)
    invoice = await vk_world.create_invoice()
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    page = await vk_owner_browser.open(f"/invoices/{invoice.id}")
    assert f"/invoices/{invoice.id}/send" not in page.text
    response = await vk_owner_browser.submit(f"/invoices/{invoice.id}/send/{conversation_id}")
    assert response.status_code == 409
    assert "отмен" in visible_text(response.text)
    await vk_world.run_jobs()
    assert len(await vk_world.vk_texts()) == 1
