"""Erasure and export of one client: nothing is left outside the named books, nothing is missing."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, select

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.invoice import Invoice, InvoiceItem
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.idempotency import StoredResponse
from sigma.domain.messaging.message import MessageBody, search_stems
from sigma.domain.messaging.vk_order import OrderContent, VkOrder
from sigma.domain.money import Money
from sigma.services.billing import acquirer_notices, payments, refunds
from sigma.services.checkout import checkout
from sigma.services.conversations import history_sync, inbox, order_codec, outbox, search_index
from sigma.services.invoice_cards import payment_links
from sigma.services.personal_data import client_erasure, client_export, clients
from sigma.services.platform import audit_verification
from sigma.store import changes
from sigma.store.billing import mails as mail_rows
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import HashPurpose
from sigma.store.engine.statements import statement
from sigma.store.personal_data import erasures
from sigma.store.schema.all_tables import ALL_TABLES
from sigma.store.schema.messaging_tables import search_tokens
from tests.conversation_invoices import get_card, issue_and_send
from tests.vk_world import VkWorld

NAME, VK_NAME = "Аделаида Квантова", "Ада Квантова"
EMAIL, PHONE = "adelaida.kvantova@example.net", "+79161230077"
WORDS = ("Перламутровый", "Шафрановый", "Изумрудный", "Кобальтовый")
IP, BROWSER = "198.51.100.77", "Netscape/4.77"
ADDRESS, REMARK = "Переулок Хрустальный, 17", "без хрустящей корочки"
PHOTO = "https://vk.example/adelaida-77.jpg"
TRACES = (
    *(NAME, VK_NAME, EMAIL, PHONE, "916 123-00-77", "9161230077", IP, BROWSER, ADDRESS, REMARK),
    *(PHOTO, "a***@example.net", *WORDS),
)
QUESTIONS = (
    Question("email", QuestionKind.EMAIL, required=True),
    Question("phone", QuestionKind.PHONE),
    Question("name", QuestionKind.NAME),
    Question("address", QuestionKind.ADDRESS),
    Question("wish", QuestionKind.TEXT, f"{NAME}, пожелания", show_on_receipt=True),
)
ANSWERS = {"email": EMAIL, "phone": PHONE, "name": NAME, "address": ADDRESS, "wish": REMARK}


async def plant(world: VkWorld) -> tuple[Invoice, Payment]:
    """Leave the client's data in every place; return the invoice and its captured payment."""
    ctx = world.ctx
    await world.write_as_client(f"{WORDS[0]} маникюр")
    await world.poll_events()
    conversation = replace(await world.conversation(), name=VK_NAME, photo_url=PHOTO)
    await changes.commit(ctx.db, Change((conversation,)), ctx.now_us())
    await world.post_message(f"{WORDS[1]} лак есть, {NAME}")
    invoice = await issue_and_send(
        world,
        title=f"Маникюр для {VK_NAME}",
        description=f"Позвонить {PHONE} или 8 (916) 123-00-77, {EMAIL.upper()}",
        items=(InvoiceItem(f"Маникюр, {NAME}", "1", Money(150_000)),),
        metadata={"customer": EMAIL, "order": "42"},
        questions=QUESTIONS,
        return_url=f"https://example.com/?client={EMAIL}",
    )
    card = await get_card(world, invoice)
    form = world.pay_form(**ANSWERS)
    form = replace(
        form,
        ip=IP,
        user_agent=BROWSER,
        signature=payment_links.sign(ctx, card.id),
        page_url=f"http://127.0.0.1:8000/i/x?name={WORDS[3]}",
    )
    payment = await checkout.start(ctx, invoice.token, form)
    await world.pay(payment)
    notice = {
        "type": "notification",
        "event": "payment.succeeded",
        "object": {
            "id": payment.provider_id,
            "status": "succeeded",
            "metadata": {},
            "description": f"{NAME} {EMAIL}",
        },
    }
    await acquirer_notices.accept(ctx, world.connection, json.dumps(notice).encode())
    await world.run_jobs()
    payment = await payments.advance(ctx, payment.id)
    await refunds.request(ctx, world.member, payment.id, Money(100), f"{NAME} передумала")
    await world.run_jobs()
    async with ctx.db.read() as tx:
        (mail, *_) = await mail_rows.list_for_payment(tx, payment.id)
    mail = replace(mail, recipient_masked="a***@example.net", server_reply=f"250 for {EMAIL}")
    order_id = ctx.new_id("ord", world.shop.id)
    content = OrderContent(recipient_name=NAME, recipient_phone=PHONE, address=ADDRESS)
    order = VkOrder(
        id=order_id,
        shop_id=world.shop.id,
        connection_id=world.community_id,
        conversation_id=(await world.conversation()).id,
        vk_order_id=31,
        vk_user_id=world.client_id,
        display_id="777-31",
        amount_minor=450_000,
        currency="RUB",
        body_encrypted=order_codec.encrypt_content(ctx.cipher, order_id, content),
        created_at_us=ctx.now_us(),
    )
    response = StoredResponse(
        world.shop.id, "key-1", "f", 201, json.dumps({"title": f"Для {NAME}"}), ctx.now_us()
    )
    await changes.commit(ctx.db, Change((mail, order), response=response), ctx.now_us())
    # Events that wait, and a job of the conversation.
    await world.write_as_client(f"{WORDS[2]} оттенок")
    for event in await world.take_events():
        await world.deliver_callback(event)
    return invoice, payment


async def dump(world: VkWorld) -> dict[str, str]:
    """Return "table.column" → all its values as text; encrypted ones decrypted."""
    encrypted = {str(column): column for column in EncryptedColumn}
    dumped: dict[str, str] = {}
    async with world.ctx.db.read() as tx:
        for table in ALL_TABLES.sorted_tables:
            rows = await tx.fetch_all(statement(select(table)))
            for column in table.columns:
                name = f"{table.name}.{column.name}"
                values = [row[column.name] for row in rows]
                if name in encrypted and name != EncryptedColumn.INSTALLATION_KEY:
                    values = [
                        world.ctx.cipher.decrypt(value, encrypted[name], row["id"])
                        for value, row in zip(values, rows, strict=True)
                        if value
                    ]
                if isinstance(column.type, LargeBinary):
                    values = [value.decode("utf-8", "replace") for value in values]
                dumped[name] = json.dumps(values, ensure_ascii=False, default=str)
    return dumped


def traces(dumped: dict[str, str], *more: str) -> dict[str, list[str]]:
    """Return column → the client's data that are still in it."""
    found = {
        name: [one for one in (*TRACES, *more) if one.casefold() in text.casefold()]
        for name, text in dumped.items()
    }
    return {name: values for name, values in found.items() if values}


async def erase_everything(world: VkWorld, subject_id: str) -> None:
    """Erase by all identifiers that are offered."""
    offered = await clients.find(world.ctx, world.member, subject_id)
    await client_erasure.erase(world.ctx, world.member, subject_id, {one.key for one in offered})


@pytest.mark.both_databases
async def test_erased_client_leaves_no_trace_outside_the_books(vk_world: VkWorld) -> None:
    ctx = vk_world.ctx
    _invoice, payment = await plant(vk_world)
    before = await dump(vk_world)
    planted = {value for values in traces(before).values() for value in values}
    assert planted >= set(TRACES) - {"916 123-00-77"}, "every trace was planted somewhere"
    hashes = [
        ctx.cipher.keyed_hash(HashPurpose.CONTACT, vk_world.shop.id, "email", EMAIL),
        ctx.cipher.keyed_hash(HashPurpose.PAYER, "browser-1"),
    ]
    assert traces(before, *hashes).keys() >= {"answers.email_hash", "payments.payer_hash"}
    message_ids = [message.id for message in await vk_world.messages()]
    await erase_everything(vk_world, payment.id)
    after = await dump(vk_world)
    assert traces(after, *hashes, *message_ids) == {}
    vk_id = str(vk_world.client_id)
    assert {name for name, text in after.items() if f"peer:{vk_id}" in text} == set()
    for name in ("conversations.peer_id", "vk_orders.vk_user_id"):
        assert vk_id not in after[name]
    await expect_no_search_words(vk_world)
    # The books: sums, dates, numbers, what was sold, the mask of the card.
    left = after["invoices.title"] + after["payments.method"] + after["receipts.body"]
    for text in ("Маникюр для […]", "220247******2987", "150000"):
        assert text in left, text
    assert "42" in after["invoices.metadata"]
    assert str(payment.amount.minor) in after["payments.amount_minor"]
    assert (await payments.get(ctx, vk_world.member, payment.id)).status == payment.status
    results = await audit_verification.verify(ctx)
    assert sum(result.fault_count for result in results) == 0
    log = (await list_erasures(vk_world))[0]
    assert (log.reason, log.actor) == ("request", vk_world.member.actor)
    assert log.counts["answers"] == 1
    assert log.counts["messages"] >= 3


async def expect_no_search_words(world: VkWorld) -> None:
    """Expect that the search index has no words of the client."""
    async with world.ctx.db.read() as tx:
        rows = await tx.fetch_all(statement(select(search_tokens)))
    stored = {row["token_hash"] for row in rows}
    for word in WORDS[:3]:
        for stem in search_stems(word):
            assert search_index.token_hash(world.ctx.cipher, world.shop.id, stem) not in stored


async def list_erasures(world: VkWorld) -> list[Any]:
    """Return the erasure log, the newest first."""
    async with world.ctx.db.read() as tx:
        return await erasures.list_for_shop(tx, world.shop.id, limit=10)


async def test_file_of_the_database_holds_no_erased_name(
    vk_world: VkWorld, sqlite_database_url: str
) -> None:
    _, payment = await plant(vk_world)
    path = Path(sqlite_database_url.removeprefix("sqlite:///"))
    await erase_everything(vk_world, payment.id)
    await vk_world.ctx.db.close()
    # Names of VK profiles, titles and masked addresses were plain text.
    parts = [part.read_bytes() for part in path.parent.glob(f"{path.name}*")]
    for text in (VK_NAME, PHOTO, "a***@example.net", EMAIL):
        assert not any(text.encode() in part for part in parts), text


async def test_erased_client_does_not_come_back_from_vk(vk_world: VkWorld) -> None:
    _, payment = await plant(vk_world)
    events = [
        {
            "type": "message_new",
            "event_id": "late-event",
            "group_id": vk_world.group_id,
            "v": "5.199",
            "object": {
                "message": {
                    "id": 9001,
                    "date": vk_world.ctx.now_us() // 1_000_000 - 60,
                    "peer_id": vk_world.client_id,
                    "from_id": vk_world.client_id,
                    "text": WORDS[0],
                    "conversation_message_id": 1,
                    "out": 0,
                    "attachments": [],
                    "fwd_messages": [],
                    "random_id": 0,
                    "important": False,
                    "is_hidden": False,
                    "version": 1,
                },
                "client_info": {},
            },
        }
    ]
    await erase_everything(vk_world, payment.id)
    await vk_world.deliver_callbacks(events)
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    await vk_world.run_jobs()
    assert traces(await dump(vk_world)) == {}
    vk_world.clock.advance(seconds=2)
    await vk_world.inject_vk_faults(vk_clock_offset_s=2)
    await vk_world.write_as_client("Здравствуйте ещё раз")
    await vk_world.poll_events()
    vk_world.clock.advance(minutes=1)
    await vk_world.run_jobs()
    assert await vk_world.texts() == ["Здравствуйте ещё раз"]


async def test_only_what_is_chosen_is_erased(vk_world: VkWorld) -> None:
    mine = await vk_world.complete_payment(payer="browser-1")
    other = await vk_world.complete_payment(payer="browser-2", email="other@example.net")
    offered = await clients.find(vk_world.ctx, vk_world.member, mine.id)
    same_phone = {str(one.kind): one for one in offered}
    assert same_phone["phone"].payment_count == 2
    assert same_phone["email"].payment_count == 1
    await client_erasure.erase(
        vk_world.ctx, vk_world.member, mine.id, {same_phone["email"].key, "phone:forged"}
    )
    dumped = await dump(vk_world)
    assert "client@example.net" not in dumped["answers.values_encrypted"]
    assert "other@example.net" in dumped["answers.values_encrypted"]
    found = await clients.find_by_contact(vk_world.ctx, vk_world.member, "8 916 765 43 21")
    assert found == other.id
    with pytest.raises(RefusedError):
        await clients.find_by_contact(vk_world.ctx, vk_world.member, "client@example.net")


async def test_unfinished_payment_prevents_the_erasure(vk_world: VkWorld) -> None:
    started = await vk_world.start_payment()
    before = await dump(vk_world)
    with pytest.raises(RefusedError) as refusal:
        await erase_everything(vk_world, started.id)
    assert [problem.code for problem in refusal.value.problems] == ["client_busy"]
    assert (await dump(vk_world))["answers.values_encrypted"] == before["answers.values_encrypted"]
    vk_world.clock.advance(days=2)  # the client has left
    await erase_everything(vk_world, started.id)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
async def test_low_roles_may_not_erase_or_export(vk_world: VkWorld, role: Role) -> None:
    payment = await vk_world.complete_payment()
    member = Member("usr_x", vk_world.shop.id, role)
    key = {f"payment:{payment.id}"}
    for call in (
        client_erasure.erase(vk_world.ctx, member, payment.id, key),
        client_export.export(vk_world.ctx, member, payment.id, key, "ru"),
    ):
        with pytest.raises(RefusedError) as refusal:
            await call
        assert refusal.value.code == "forbidden"


async def test_client_of_another_shop_is_not_found(vk_world: VkWorld) -> None:
    payment = await vk_world.complete_payment()
    stranger = Member("usr_x", "shp_other", Role.OWNER)
    with pytest.raises(RefusedError) as refusal:
        await clients.find(vk_world.ctx, stranger, payment.id)
    assert refusal.value.code == "not_found"


async def test_export_opens_and_holds_everything(vk_world: VkWorld) -> None:
    _invoice, _payment = await plant(vk_world)
    await vk_world.run_jobs()
    offered = await clients.find(vk_world.ctx, vk_world.member, (await vk_world.conversation()).id)
    data = await client_export.export(
        vk_world.ctx,
        vk_world.member,
        (await vk_world.conversation()).id,
        {one.key for one in offered},
        "ru",
    )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}
    document = json.loads(files["client.json"])
    for name in (
        *("invoices", "payments", "refunds", "receipts", "answers", "consents", "letters"),
        *("conversations", "messages", "orders", "acquirer_notices"),
    ):
        assert document[name], name
    expected = {NAME, VK_NAME, EMAIL, PHONE, IP, BROWSER, ADDRESS, REMARK, PHOTO, *WORDS}
    assert {text for text in expected if text not in files["client.json"]} == set()
    assert {text for text in expected if text not in files["client.html"]} == set()
    assert document["payments"][0]["amount"] == {"value": "1500.00", "currency": "RUB"}
    assert document["refunds"][0]["amount"]["value"] == "1.00"
    assert document["identifiers"][0] == {"kind": "vk", "value": VK_NAME}
    rows = list(csv.DictReader(io.StringIO(files["messages.csv"]), delimiter=";"))
    assert any(WORDS[0] in row["text"] for row in rows)
    assert "<script" not in files["client.html"]


async def test_search_forgets_the_words_that_an_edit_removed(vk_world: VkWorld) -> None:
    message = await vk_world.write_as_client(f"{WORDS[0]} маникюр")
    await vk_world.write_as_client("Маникюр завтра")
    await vk_world.poll_events()

    async def found(query: str) -> int:
        page = await inbox.list_conversations(vk_world.ctx, vk_world.member, query=query)
        return len(page.rows)

    assert await found(WORDS[0]) == await found("маникюр") == 1
    await vk_world.call_vk_test_api(
        "edit",
        person_id=vk_world.client_id,
        group_id=vk_world.group_id,
        cmid=message["conversation_message_id"],
        text=f"{WORDS[1]} педикюр",
    )
    await vk_world.poll_events()
    assert await found(WORDS[0]) == 0
    assert await found(WORDS[1]) == 1
    assert await found("маникюр") == 1  # another message still has it
    reply = await vk_world.post_message(f"{WORDS[2]} лак")
    await vk_world.run_jobs()
    assert await found(WORDS[2]) == 1
    await outbox.edit(vk_world.ctx, reply.id, MessageBody(f"{WORDS[3]} лак"))
    assert (await found(WORDS[2]), await found(WORDS[3])) == (0, 1)
