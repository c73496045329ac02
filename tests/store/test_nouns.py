"""What is remembered, noun by noun, on both databases."""

from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from sigma.domain.accounts.member import Role, User
from sigma.domain.billing import payment as payment_domain
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.change import Change, Saved
from sigma.domain.ledger import capture_entry
from sigma.domain.money import Money
from sigma.store import changes
from sigma.store.accounts import shops, users
from sigma.store.accounts.users import ApiKey, SessionRow
from sigma.store.billing import connections, invoices, mails, payments, refunds
from sigma.store.billing import ledger as books
from sigma.store.catalogue import services
from sigma.store.engine.interface import Conflict, Database, Stale
from sigma.store.idempotency import Answered
from sigma.store.messaging import cards, communities, conversations
from tests.store.chat_nouns import CHAT
from tests.store.nouns import (
    FILLED,
    INVOICE,
    NOW,
    PAYMENT,
    REFUND,
    SHOP,
    plain_invoice,
    plain_payment,
    save,
)

CODECS = {
    "Shop": shops.CODEC,
    "Connection": connections.CODEC,
    "Invoice": invoices.CODEC,
    "Payment": payments.CODEC,
    "Refund": refunds.CODEC,
    "Receipt": payments.RECEIPT,
    "Answers": payments.ANSWERS,
    "Consent": payments.CONSENT,
    "Mail": mails.CODEC,
    "Happening": mails.HAPPENING,
    "Notice": connections.NOTICE,
    "Community": communities.CODEC,
    "Conversation": conversations.CODEC,
    "Message": conversations.MESSAGE,
    "Service": services.CODEC,
    "Photo": services.PHOTO,
    "Card": cards.CODEC,
    "Order": cards.ORDER,
}


@pytest.fixture
def db(house: Database) -> Database:
    """Sigma's own tables, empty."""
    return house


async def stored(db: Database, thing: Saved) -> Any:
    codec = CODECS[type(thing).__name__]
    async with db.read() as tx:
        row = await tx.fetch_one(codec.by_id, id=thing.id)
    assert row is not None
    return codec.from_row(row)


@pytest.mark.parametrize("thing", [*FILLED, *CHAT], ids=lambda thing: type(thing).__name__)
def test_the_objects_of_this_test_are_filled_to_the_last_field(thing: Any) -> None:
    for field in fields(thing):
        given = field.default if field.default is not MISSING else field.default_factory
        default = given() if callable(given) else given
        if field.name != "version" and default is not MISSING and field.name != "max_payments":
            assert getattr(thing, field.name) != default, field.name


async def test_every_noun_comes_back_as_it_was(db: Database) -> None:
    await save(db, *FILLED, *CHAT)
    for thing in (*FILLED, *CHAT):
        assert await stored(db, thing) == replace(thing, version=1)  # type: ignore[type-var]


async def test_every_noun_is_changed_as_a_whole(db: Database) -> None:
    await save(db, *FILLED, *CHAT)
    again = [replace(thing, version=1) for thing in (*FILLED, *CHAT)]  # type: ignore[type-var]
    await save(db, *again)
    for thing in (*FILLED, *CHAT):
        assert await stored(db, thing) == replace(thing, version=2)  # type: ignore[type-var]


async def test_nothing_filled_comes_back_as_nothing(shop_db: Database) -> None:
    bare = plain_payment(1)
    await save(shop_db, plain_invoice(1), bare)
    assert await stored(shop_db, bare) == replace(bare, version=1)
    assert await stored(shop_db, plain_invoice(1)) == plain_invoice(1, version=1)


async def test_a_row_changed_since_it_was_read_is_not_overwritten(db: Database) -> None:
    await save(db, *FILLED, *CHAT)
    for thing in (*FILLED, *CHAT):
        with pytest.raises(Stale):
            await save(db, replace(thing, version=5))  # type: ignore[type-var]
        with pytest.raises(Conflict):
            await save(db, thing)  # and not inserted a second time
        assert (await stored(db, thing)).version == 1


@pytest.mark.parametrize(
    ("rows", "constraint"),
    [
        ((replace(INVOICE, id="inv_2", number=43),), "uq_invoices_token"),
        ((replace(INVOICE, id="inv_2", token="t2"),), "uq_invoices_number"),
        (
            (replace(PAYMENT, id="pay_2", operation_key="o", nonce="n", provider_id="p"),),
            "uq_payments_token",
        ),
        (
            (replace(PAYMENT, id="pay_2", token="t", nonce="n", provider_id="p"),),
            "uq_payments_operation",
        ),
        (
            (replace(PAYMENT, id="pay_2", token="t", nonce="n", operation_key="o"),),
            "uq_payments_provider",
        ),
        (
            (replace(PAYMENT, id="pay_2", token="t", operation_key="o", provider_id="p"),),
            "uq_payments_form",
        ),
        ((replace(REFUND, id="ref_2", provider_id="p"),), "uq_refunds_operation"),
        ((replace(REFUND, id="ref_2", operation_key="o"),), "uq_refunds_provider"),
        ((replace(FILLED[5], id="rcp_2", token="t"),), "uq_receipts_payment"),  # type: ignore[type-var]
        ((replace(FILLED[8], id="mail_2"),), "uq_mails_subject"),  # type: ignore[type-var]
        ((replace(FILLED[10], id="ntc_2"),), "uq_notices_digest"),  # type: ignore[type-var]
    ],
)
async def test_what_must_be_once_is_once(
    db: Database, rows: tuple[Saved, ...], constraint: str
) -> None:
    await save(db, *FILLED, *CHAT)
    with pytest.raises(Conflict) as caught:
        await save(db, *rows)
    assert caught.value.constraint == constraint


async def test_payments_that_no_acquirer_knows_yet_are_not_alike(shop_db: Database) -> None:
    await save(shop_db, plain_invoice(1), plain_payment(1), plain_payment(2))


async def test_nothing_is_booked_twice(db: Database) -> None:
    await save(db, *FILLED, *CHAT)
    entry = capture_entry(
        payment_id="pay_1", shop_id="shp_1", at=NOW, amount=Money(5), income=None, owed=True
    )
    await changes.commit(db, Change(entries=(entry,)), NOW)
    with pytest.raises(Conflict) as caught:
        await changes.commit(db, Change(entries=(entry,)), NOW)
    assert caught.value.constraint == "pk_ledger"
    async with db.read() as tx:
        assert await books.owed(tx, "pay_1")
        assert not await books.owed(tx, "pay_2")


async def test_an_answer_is_remembered_with_what_it_answers_for_or_not_at_all(
    shop_db: Database,
) -> None:
    answered = Answered("shp_1", "key-1", "f" * 64, 201, '{"id":"inv_00001"}', NOW)
    await changes.commit(shop_db, Change((plain_invoice(1),)), NOW, answered)
    with pytest.raises(Conflict) as caught:
        await changes.commit(shop_db, Change((plain_invoice(2),)), NOW, answered)
    assert caught.value.constraint == "pk_requests"
    async with shop_db.read() as tx:
        assert await invoices.get(tx, "inv_00002") is None


async def test_a_list_of_payments_tells_what_was_given_back(db: Database) -> None:
    others = [
        replace(REFUND, id=f"ref_{n}", operation_key=f"o{n}", provider_id=None, status=status)
        for n, status in enumerate((*RefundStatus, RefundStatus.SUCCEEDED), 2)
    ]
    await save(db, *FILLED, *others)
    async with db.read() as tx:
        ((payment, number, title, back),) = await payments.listing(tx, SHOP.id)
    assert (payment.id, number, title, back) == ("pay_1", 42, INVOICE.title, 100)


async def test_money_taken_is_summed_by_currency(shop_db: Database) -> None:
    captured = payment_domain.Status.CAPTURED
    await save(
        shop_db,
        plain_invoice(1),
        plain_payment(1, status=captured, captured_at=NOW),
        plain_payment(2, status=captured, captured_at=NOW + 1, amount=Money(2**40)),
        plain_payment(3, status=captured, captured_at=NOW + 1, amount=Money(7, "USD")),
        plain_payment(4, status=captured, captured_at=NOW - 1),
        plain_payment(5, captured_at=NOW + 1),
    )
    async with shop_db.read() as tx:
        taken = await payments.captured_since(tx, SHOP.id, NOW)
    assert taken == {"RUB": 100 + 2**40, "USD": 7}
    assert all(type(minor) is int for minor in taken.values())  # SUM is a Decimal on PostgreSQL


async def test_a_browser_finds_its_own_unfinished_payment(shop_db: Database) -> None:
    await save(
        shop_db,
        plain_invoice(1),
        plain_payment(1),
        plain_payment(2, created_at=NOW + 5),
        plain_payment(3, status=payment_domain.Status.FAILED, created_at=NOW + 6),
        plain_payment(4, payer="another"),
    )
    async with shop_db.read() as tx:
        found = await payments.live(tx, "inv_00001", "payer", since=NOW - 1)
        assert found is not None
        assert found.id == "pay_00002"
        assert await payments.live(tx, "inv_00001", "payer", since=NOW + 5) is None
        assert await payments.live(tx, "inv_00001", "stranger", since=0) is None


async def test_a_payment_page_needs_one_read(shop_db: Database) -> None:
    held = payment_domain.Status.AUTHORIZED
    await save(shop_db, plain_invoice(1), plain_payment(1, status=held), plain_payment(2))
    async with shop_db.read() as tx:
        found = await invoices.public(tx, "token-1")
        assert await invoices.public(tx, "no-such-token") is None
    assert found is not None
    invoice, shop, holds, provider = found
    assert (invoice.id, shop, holds) == ("inv_00001", replace(SHOP, version=1), 1)
    assert provider is None  # its only connection is off


async def test_people_sessions_and_keys_are_kept_by_their_hashes(shop_db: Database) -> None:
    user = User("usr_1", "owner@example.org", "hash", "Пётр", "ru", NOW)
    key = ApiKey("key_1", SHOP.id, "Бот", "sk_abc", "hash-of-key", Role.OPERATOR, NOW)
    session = SessionRow("hash-of-cookie", user.id, SHOP.id, "csrf", NOW, NOW + 10)
    async with shop_db.write() as tx:
        await users.save(tx, user)
        await users.add_member(tx, SHOP.id, user.id, Role.ADMIN, NOW)
        await users.add_session(tx, session)
        await users.add_key(tx, key)
    async with shop_db.read() as tx:
        assert await users.by_login(tx, "owner@example.org") == replace(user, version=1)
        assert await users.session(tx, "hash-of-cookie", NOW + 9) == (session, Role.ADMIN)
        assert await users.session(tx, "hash-of-cookie", NOW + 10) is None
        assert await users.session(tx, "another", NOW) is None
        assert await users.key(tx, "hash-of-key") == key
    async with shop_db.write() as tx:
        assert not await users.revoke_key(tx, "another shop", "key_1", NOW)
        assert await users.revoke_key(tx, SHOP.id, "key_1", NOW)
        assert not await users.revoke_key(tx, SHOP.id, "key_1", NOW + 1)
    async with shop_db.read() as tx:
        assert await users.key(tx, "hash-of-key") is None
        assert [k.revoked_at for k in await users.keys(tx, SHOP.id)] == [NOW]


async def test_a_login_belongs_to_one_person(db: Database) -> None:
    async with db.write() as tx:
        await users.save(tx, User("usr_1", "a@example.org", "", "", "ru", NOW))
    with pytest.raises(Conflict) as caught:
        async with db.write() as tx:
            await users.save(tx, User("usr_2", "a@example.org", "", "", "ru", NOW))
    assert caught.value.constraint == "uq_users_login"


async def test_invoices_are_numbered_without_gaps_by_shop(db: Database) -> None:
    numbers = [await shops.next_number(db, "shp_1") for _ in range(3)]
    assert (numbers, await shops.next_number(db, "shp_2")) == ([1, 2, 3], 1)


async def test_the_first_shop_is_claimed_once(db: Database) -> None:
    async with db.write() as tx:
        assert await shops.claim_first(tx)
    async with db.write() as tx:
        assert not await shops.claim_first(tx)
