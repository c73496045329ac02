"""Stored rows: codecs, versions, unique constraints and single-row queries, on both databases."""

from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
from sqlalchemy import select

from sigma.domain.accounts.api_key import ApiKey
from sigma.domain.accounts.member import Role, Scope, User
from sigma.domain.accounts.session import Proof, StoredSession
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import payment as payment_domain
from sigma.domain.billing.acquirer_notice import AcquirerNotice
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.catalogue.photo import Photo
from sigma.domain.catalogue.service import Service
from sigma.domain.change import Change, TimelineEvent, VersionedRow
from sigma.domain.idempotency import StoredResponse
from sigma.domain.ledger import capture_entry
from sigma.domain.messaging.card import Card
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Message
from sigma.domain.messaging.vk_event import VkEvent
from sigma.domain.messaging.vk_order import VkOrder
from sigma.domain.money import Money
from sigma.store import changes
from sigma.store.accounts import api_keys, members, sessions, shops, users
from sigma.store.billing import (
    acquirer_notices,
    answers,
    connections,
    invoices,
    ledger,
    mails,
    payments,
    receipts,
    refunds,
    timeline,
)
from sigma.store.catalogue import photos, services
from sigma.store.engine.interface import ConflictError, Database, StaleError
from sigma.store.engine.statements import statement
from sigma.store.messaging import cards, communities, conversations, messages, vk_events, vk_orders
from sigma.store.schema.messaging_tables import vk_events as vk_event_table
from tests.store.factories import (
    CONNECTION,
    FILLED_ROWS,
    INVOICE,
    NOW_US,
    PAYMENT,
    REFUND,
    SHOP,
    insert_rows,
    plain_invoice,
    plain_payment,
)
from tests.store.messaging_factories import MESSAGING_ROWS, plain_vk_event

pytestmark = pytest.mark.both_databases


CODECS: dict[type, Any] = {
    Shop: shops.CODEC,
    Connection: connections.CODEC,
    Invoice: invoices.CODEC,
    Payment: payments.CODEC,
    Refund: refunds.CODEC,
    Receipt: receipts.CODEC,
    Answers: answers.CODEC,
    Consent: answers.CONSENT_CODEC,
    Mail: mails.CODEC,
    TimelineEvent: timeline.CODEC,
    AcquirerNotice: acquirer_notices.CODEC,
    Community: communities.CODEC,
    Conversation: conversations.CODEC,
    Message: messages.CODEC,
    Service: services.CODEC,
    Photo: photos.CODEC,
    Card: cards.CODEC,
    VkEvent: vk_events.CODEC,
    VkOrder: vk_orders.CODEC,
}


@pytest.fixture
def db(sigma_db: Database) -> Database:
    """Return a database with Sigma's tables, all empty."""
    return sigma_db


async def read_back(db: Database, row: VersionedRow) -> Any:
    codec = CODECS[type(row)]
    async with db.read() as tx:
        columns = await tx.fetch_one(codec.select_by_id, id=row.id)
    assert columns is not None
    return codec.from_row(columns)


@pytest.mark.parametrize("row", [*FILLED_ROWS, *MESSAGING_ROWS], ids=lambda row: type(row).__name__)
def test_sample_rows_have_no_field_left_at_its_default(row: Any) -> None:
    for field in fields(row):
        factory_or_value = field.default if field.default is not MISSING else field.default_factory
        default = factory_or_value() if callable(factory_or_value) else factory_or_value
        if field.name != "version" and default is not MISSING and field.name != "max_payments":
            assert getattr(row, field.name) != default, field.name


async def test_every_row_is_read_back_unchanged(db: Database) -> None:
    await insert_rows(db, *FILLED_ROWS, *MESSAGING_ROWS)
    for row in (*FILLED_ROWS, *MESSAGING_ROWS):
        assert await read_back(db, row) == replace(row, version=1)


async def test_every_row_is_updated_and_gets_next_version(db: Database) -> None:
    await insert_rows(db, *FILLED_ROWS, *MESSAGING_ROWS)
    versioned_rows = [replace(row, version=1) for row in (*FILLED_ROWS, *MESSAGING_ROWS)]
    await insert_rows(db, *versioned_rows)
    for row in (*FILLED_ROWS, *MESSAGING_ROWS):
        assert await read_back(db, row) == replace(row, version=2)


async def test_row_with_defaults_is_read_back_unchanged(db_with_shop: Database) -> None:
    payment = plain_payment(1)
    await insert_rows(db_with_shop, plain_invoice(1), payment)
    assert await read_back(db_with_shop, payment) == replace(payment, version=1)
    assert await read_back(db_with_shop, plain_invoice(1)) == plain_invoice(1, version=1)


async def test_update_with_stale_version_is_refused(db: Database) -> None:
    await insert_rows(db, *FILLED_ROWS, *MESSAGING_ROWS)
    for row in (*FILLED_ROWS, *MESSAGING_ROWS):
        with pytest.raises(StaleError):
            await insert_rows(db, replace(row, version=5))
        with pytest.raises(ConflictError):
            await insert_rows(db, row)  # an insert of the same id is refused too
        assert (await read_back(db, row)).version == 1


@pytest.mark.parametrize(
    ("rows", "constraint"),
    [
        ((replace(INVOICE, id="inv_2", number=43),), "uq_invoices_token"),
        ((replace(INVOICE, id="inv_2", token="t2"),), "uq_invoices_number"),
        (
            (replace(PAYMENT, id="pay_2", operation_key="o", form_nonce="n", provider_id="p"),),
            "uq_payments_token",
        ),
        (
            (replace(PAYMENT, id="pay_2", token="t", form_nonce="n", provider_id="p"),),
            "uq_payments_operation_key",
        ),
        (
            (replace(PAYMENT, id="pay_2", token="t", form_nonce="n", operation_key="o"),),
            "uq_payments_provider_id",
        ),
        (
            (replace(PAYMENT, id="pay_2", token="t", operation_key="o", provider_id="p"),),
            "uq_payments_form",
        ),
        ((replace(REFUND, id="ref_2", provider_id="p"),), "uq_refunds_operation_key"),
        ((replace(REFUND, id="ref_2", operation_key="o"),), "uq_refunds_provider_id"),
        ((replace(FILLED_ROWS[5], id="rcp_2", token="t"),), "uq_receipts_payment"),
        ((replace(FILLED_ROWS[8], id="mail_2"),), "uq_mails_number"),
        ((replace(FILLED_ROWS[10], id="ntc_2"),), "uq_acquirer_notices_digest"),
    ],
)
async def test_unique_constraint_refuses_duplicate_row(
    db: Database, rows: tuple[VersionedRow, ...], constraint: str
) -> None:
    await insert_rows(db, *FILLED_ROWS, *MESSAGING_ROWS)
    with pytest.raises(ConflictError) as caught:
        await insert_rows(db, *rows)
    assert caught.value.constraint == constraint


async def test_payments_without_provider_id_do_not_conflict(db_with_shop: Database) -> None:
    await insert_rows(db_with_shop, plain_invoice(1), plain_payment(1), plain_payment(2))


async def test_ledger_entry_is_booked_once(db: Database) -> None:
    await insert_rows(db, *FILLED_ROWS, *MESSAGING_ROWS)
    entry = capture_entry(
        payment_id="pay_1",
        shop_id="shp_1",
        booked_at_us=NOW_US,
        amount=Money(5),
        income=None,
        is_refund_due=True,
    )
    await changes.commit(db, Change(entries=(entry,)), NOW_US)
    with pytest.raises(ConflictError) as caught:
        await changes.commit(db, Change(entries=(entry,)), NOW_US)
    assert caught.value.constraint == "pk_ledger"
    async with db.read() as tx:
        assert await ledger.is_refund_due(tx, "pay_1")
        assert not await ledger.is_refund_due(tx, "pay_2")


async def test_idempotent_response_is_stored_in_the_transaction_of_its_change(
    db_with_shop: Database,
) -> None:
    response = StoredResponse("shp_1", "key-1", "f" * 64, 201, '{"id":"inv_00001"}', NOW_US)
    await changes.commit(db_with_shop, Change((plain_invoice(1),), response=response), NOW_US)
    with pytest.raises(ConflictError) as caught:
        await changes.commit(db_with_shop, Change((plain_invoice(2),), response=response), NOW_US)
    assert caught.value.constraint == "pk_idempotency_records"
    async with db_with_shop.read() as tx:
        assert await invoices.get(tx, "inv_00002") is None


async def test_payment_list_contains_refunded_amount(db: Database) -> None:
    other_refunds = [
        replace(REFUND, id=f"ref_{n}", operation_key=f"o{n}", provider_id=None, status=status)
        for n, status in enumerate((*RefundStatus, RefundStatus.SUCCEEDED), 2)
    ]
    await insert_rows(db, *FILLED_ROWS)
    await insert_rows(db, *other_refunds)  # refunds follow their payment
    async with db.read() as tx:
        ((payment, number, title, refunded_minor),) = await payments.list_for_shop(tx, SHOP.id)
    assert (payment.id, number, title, refunded_minor) == ("pay_1", 42, INVOICE.title, 100)


async def test_payer_finds_own_latest_unfinished_payment(db_with_shop: Database) -> None:
    await insert_rows(
        db_with_shop,
        plain_invoice(1),
        plain_payment(1),
        plain_payment(2, created_at_us=NOW_US + 5),
        plain_payment(3, status=payment_domain.Status.FAILED, created_at_us=NOW_US + 6),
        plain_payment(4, payer_hash="another"),
    )
    async with db_with_shop.read() as tx:
        found = await payments.find_unfinished(
            tx, "inv_00001", "payer", created_after_us=NOW_US - 1
        )
        assert found is not None
        assert found.id == "pay_00002"
        assert (
            await payments.find_unfinished(tx, "inv_00001", "payer", created_after_us=NOW_US + 5)
            is None
        )
        assert (
            await payments.find_unfinished(tx, "inv_00001", "stranger", created_after_us=0) is None
        )


async def test_payment_page_data_is_read_by_one_query(db_with_shop: Database) -> None:
    authorized = payment_domain.Status.AUTHORIZED
    await insert_rows(
        db_with_shop, plain_invoice(1), plain_payment(1, status=authorized), plain_payment(2)
    )
    async with db_with_shop.read() as tx:
        found = await invoices.find_for_payment_page(tx, "token-1")
        assert await invoices.find_for_payment_page(tx, "no-such-token") is None
    assert found is not None
    invoice, shop, authorized_count, provider, settings, _ = found
    assert (invoice.id, shop, authorized_count) == ("inv_00001", replace(SHOP, version=1), 1)
    assert (provider, settings) == (None, {})  # the only connection is switched off


async def test_sessions_and_api_keys_are_found_by_hash_until_expired_or_revoked(
    db_with_shop: Database,
) -> None:
    user = User("usr_1", "owner@example.org", "hash", "Пётр", "ru", NOW_US)
    key = ApiKey(
        id="key_1",
        shop_id=SHOP.id,
        name="Бот",
        prefix="sk_abc",
        secret_hash="hash-of-key",
        scopes=(Scope.INVOICES_READ, Scope.REFUNDS_WRITE),
        created_by=user.id,
        created_at_us=NOW_US,
        expires_at_us=NOW_US + 5,
        allowed_networks=("10.0.0.0/8", "2001:db8::/32"),
    )
    session = StoredSession(
        *("hash-of-cookie", user.id, SHOP.id, "csrf", NOW_US, NOW_US + 10, "ses_1"),
        used_at_us=NOW_US + 1,
        authenticated_at_us=NOW_US + 2,
        proofs=frozenset({Proof.PASSWORD, Proof.TOTP}),
        address="192.0.2.1",
        device_name="Chrome · Windows",
    )
    async with db_with_shop.write() as tx:
        await users.save(tx, user)
        await members.add(tx, SHOP.id, user.id, Role.ADMIN, NOW_US)
        await sessions.add(tx, session)
        await api_keys.add(tx, key)
    async with db_with_shop.read() as tx:
        assert await users.find_by_login(tx, "owner@example.org") == replace(user, version=1)
        assert await sessions.find(tx, "hash-of-cookie", NOW_US + 9) == (session, Role.ADMIN)
        assert await sessions.find(tx, "hash-of-cookie", NOW_US + 9, NOW_US + 1) is None, "idle"
        assert await sessions.list_open(tx, user.id, NOW_US + 9, NOW_US) == [session]
        assert await sessions.find(tx, "hash-of-cookie", NOW_US + 10) is None
        assert await sessions.find(tx, "another", NOW_US) is None
        found = await api_keys.find(tx, "hash-of-key")
        assert found == api_keys.KeyWithRights(key, Role.ADMIN, SHOP.refund_limits)
    async with db_with_shop.write() as tx:
        assert not await api_keys.revoke(tx, "another shop", "key_1", NOW_US)
        assert await api_keys.revoke(tx, SHOP.id, "key_1", NOW_US)
        assert not await api_keys.revoke(tx, SHOP.id, "key_1", NOW_US + 1)
    async with db_with_shop.read() as tx:
        assert await api_keys.find(tx, "hash-of-key") is None
        assert [k.revoked_at_us for k in await api_keys.list_for_shop(tx, SHOP.id)] == [NOW_US]


async def test_login_is_unique(db: Database) -> None:
    async with db.write() as tx:
        await users.save(tx, User("usr_1", "a@example.org", "", "", "ru", NOW_US))
    with pytest.raises(ConflictError) as caught:
        async with db.write() as tx:
            await users.save(tx, User("usr_2", "a@example.org", "", "", "ru", NOW_US))
    assert caught.value.constraint == "uq_users_login"


async def test_invoice_numbers_of_each_shop_have_no_gaps(db: Database) -> None:
    numbers = [await shops.next_invoice_number(db, "shp_1") for _ in range(3)]
    assert (numbers, await shops.next_invoice_number(db, "shp_2")) == ([1, 2, 3], 1)


async def test_first_shop_is_claimed_once(db: Database) -> None:
    async with db.write() as tx:
        assert await shops.claim_first_shop(tx)
    async with db.write() as tx:
        assert not await shops.claim_first_shop(tx)


async def test_repeated_vk_event_is_stored_once(db_with_shop: Database) -> None:
    repeated = plain_vk_event(2, digest="event-1")
    async with db_with_shop.write() as tx:
        await tx.write_all([vk_events.store_event(plain_vk_event(1))])
        await tx.write_all([vk_events.store_event(repeated)])
    async with db_with_shop.read() as tx:
        unprocessed = await vk_events.list_unprocessed(tx, CONNECTION.id, "peer:777")
    assert unprocessed == [replace(plain_vk_event(1), version=1)]


async def test_processed_vk_events_are_not_listed_and_deleted_later(db_with_shop: Database) -> None:
    other = plain_vk_event(4, conversation_key="group")
    await insert_rows(db_with_shop, *(plain_vk_event(n) for n in (3, 1, 2)), other)
    async with db_with_shop.write() as tx:
        await vk_events.mark_processed(tx, "vke_00002", NOW_US)
    async with db_with_shop.read() as tx:
        events = await vk_events.list_unprocessed(tx, CONNECTION.id, "peer:777")
    assert [event.id for event in events] == ["vke_00001", "vke_00003"]
    all_rows = statement(select(vk_event_table.c.id).order_by(vk_event_table.c.id))
    for before_us, count in ((NOW_US, 4), (NOW_US + 1, 3)):
        async with db_with_shop.write() as tx:
            await vk_events.delete_processed(tx, before_us, 10)
            assert len(await tx.fetch_all(all_rows)) == count
