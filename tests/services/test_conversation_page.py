"""The conversation page: message authors, invoices, payments, earlier and unreadable messages."""

from sigma.domain.change import Change
from sigma.domain.messaging.message import Message, MessageBody
from sigma.services.conversations import conversation_page, inbox, message_codec, outbox
from sigma.store import changes
from tests.services.conversation_rows import add_conversation, add_operator
from tests.vk_world import VkWorld


async def test_conversation_page_shows_authors_invoices_and_payments(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    colleague = await add_operator(vk_world)
    conversation = await vk_world.conversation()
    await outbox.post(
        vk_world.ctx, colleague, conversation.id, "Добрый день", idempotency_key="key-of-anna"
    )
    await vk_world.post_message("Слушаю вас")
    await vk_world.reply_in_vk("Пишу с телефона")
    await vk_world.poll_events()
    invoice = await vk_world.create_invoice(conversation_id=conversation.id)
    paid = await vk_world.complete_payment(invoice)
    page = await conversation_page.load_page(vk_world.ctx, vk_world.member, conversation.id)
    messages = [
        (message.body.text, message.author_kind, message.author_name)
        for message in page.message_page.messages
        if message.body
    ]
    assert messages[0] == ("Здравствуйте", "client", "")
    assert ("Добрый день", "other", "Анна") in messages
    assert ("Слушаю вас", "me", "") in messages
    assert ("Пишу с телефона", "vk", "") in messages
    assert [related.id for related, _ in page.invoices] == [invoice.id]
    [related_payment] = page.payments
    assert related_payment.payment.id == paid.id
    assert related_payment.invoice_number == invoice.number
    assert page.profile_url.endswith(f"/id{vk_world.client_id}")


async def test_earlier_messages_are_loaded_page_by_page(vk_world: VkWorld) -> None:
    anna = await add_conversation(vk_world, "Анна")
    message_count = conversation_page.MESSAGES_PER_PAGE + 5
    cipher, body = vk_world.ctx.cipher, MessageBody("привет")
    rows = tuple(
        Message(
            id=f"msg_{n:04}",
            shop_id=vk_world.shop.id,
            conversation_id=anna.id,
            is_outgoing=False,
            author="client",
            body_encrypted=message_codec.encrypt_body(cipher, f"msg_{n:04}", body),
            written_at_us=n,
            position=n,
            cmid=n,
        )
        for n in range(1, message_count + 1)
    )
    await changes.commit(vk_world.ctx.db, Change(rows), vk_world.ctx.now_us())
    page = await conversation_page.load_page(vk_world.ctx, vk_world.member, anna.id)
    assert [view.message.position for view in page.message_page.messages] == list(
        range(6, message_count + 1)
    )
    assert page.message_page.next_before == 6
    earlier = await conversation_page.load_messages(
        vk_world.ctx, vk_world.member, anna.id, page.message_page.next_before
    )
    assert [view.message.position for view in earlier.messages] == [1, 2, 3, 4, 5]
    assert earlier.next_before is None


async def test_undecryptable_message_does_not_hide_the_others(vk_world: VkWorld) -> None:
    anna = await add_conversation(vk_world, "Анна", preview_encrypted="gAAAA-of-another-key")
    readable = message_codec.encrypt_body(vk_world.ctx.cipher, "msg_2", MessageBody("цело"))
    rows = tuple(
        Message(f"msg_{n}", vk_world.shop.id, anna.id, False, "client", encrypted, n, n, cmid=n)
        for n, encrypted in ((1, "broken"), (2, readable))
    )
    await changes.commit(vk_world.ctx.db, Change(rows), vk_world.ctx.now_us())
    [row] = (await inbox.list_conversations(vk_world.ctx, vk_world.member)).rows
    assert row.preview is None
    messages = (
        await conversation_page.load_page(vk_world.ctx, vk_world.member, anna.id)
    ).message_page.messages
    assert [view.body.text if view.body else None for view in messages] == [None, "цело"]
