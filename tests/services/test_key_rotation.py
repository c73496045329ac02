"""Rotation of SIGMA_SECRET_KEY: re-encryption under load, killed and resumed; hashes and links."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from sigma import worker
from sigma.domain.change import Change
from sigma.domain.customers.customer import IdentityKind
from sigma.domain.customers.joining import Contact
from sigma.domain.messaging.message import MessageBody
from sigma.services.answer_codec import decrypt_values
from sigma.services.contact_hashes import contact_hashes
from sigma.services.context import Context
from sigma.services.conversations import inbox, message_codec
from sigma.services.customers import attachment, codec, customer_views
from sigma.services.invoice_cards import payment_links
from sigma.services.personal_data import index_rehashing, rehashing
from sigma.services.platform import health, key_rotation
from sigma.services.platform.key_rotation import KeyRole
from sigma.store import changes, key_rotations
from sigma.store.billing import connections
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher, DecryptionError, HashPurpose, SignaturePurpose
from sigma.store.engine.interface import StaleError
from sigma.store.engine.statements import text_statement
from sigma.store.installation_keys import load_cipher, renew_keys
from sigma.store.personal_data import clients, hashed_rows
from tests.encrypted_rows import (
    NEW,
    OLD,
    create_every_kind,
    decrypt_all,
    dump_encrypted,
    use_old_secret,
    with_secrets,
)
from tests.services.conversation_rows import add_conversation
from tests.vk_world import VkWorld
from tests.world import World

WORD, LINK = HashPurpose.SEARCH_WORD, SignaturePurpose.PAYMENT_LINK


@pytest.mark.both_databases
async def test_after_a_rotation_the_new_key_alone_opens_every_row(vk_world: VkWorld) -> None:
    await create_every_kind(vk_world)
    before = await dump_encrypted(vk_world.ctx)
    assert {column for column, _ in before} == set(EncryptedColumn), "a row of each column"
    values = decrypt_all(vk_world.ctx.cipher, before)

    rotating = await with_secrets(vk_world.ctx, NEW, OLD)
    rotation = await key_rotation.rotate(rotating)
    assert rotation.rotated_count == len(before)

    after = await dump_encrypted(rotating)
    assert decrypt_all(Cipher([NEW]), after) == values
    for (column, row_id), text in after.items():
        with pytest.raises(DecryptionError):
            Cipher([OLD]).decrypt(text, column, row_id)
    new, old = await key_rotation.list_usages(rotating)
    assert (new.role, new.row_count, new.is_removable) == (KeyRole.CURRENT, len(before), False)
    assert (old.role, old.row_count, old.is_removable) == (KeyRole.OLD, 0, True)


WORD_TABLES = {
    "search_tokens": text_statement("SELECT token_hash FROM search_tokens"),
    "customer_tokens": text_statement("SELECT token_hash FROM customer_tokens"),
    "list_tokens": text_statement("SELECT token_hash FROM list_tokens"),
}


async def test_ciphertext_copied_to_any_other_cell_does_not_open(vk_world: VkWorld) -> None:
    await create_every_kind(vk_world)
    cells = await dump_encrypted(vk_world.ctx)
    for (column, row_id), text in cells.items():
        for other_column, other_id in cells:
            if (other_column, other_id) != (column, row_id):
                with pytest.raises(DecryptionError):
                    vk_world.ctx.cipher.decrypt(text, other_column, other_id)


async def test_hashes_and_links_survive_the_rotation(vk_world: VkWorld) -> None:
    ids = await create_every_kind(vk_world)
    signature = payment_links.sign(vk_world.ctx, "crd_1")
    await key_rotation.rotate(await with_secrets(vk_world.ctx, NEW, OLD))
    rotated = await with_secrets(vk_world.ctx, NEW)
    found = await inbox.list_conversations(rotated, vk_world.member, query="Шёпот")
    assert [row.conversation.id for row in found.rows] == [ids["conversation_id"]]
    assert payment_links.sign(rotated, "crd_1") == signature
    assert rotated.cipher.keyed_hash(WORD, "x") == vk_world.ctx.cipher.keyed_hash(WORD, "x")


async def test_processes_that_start_together_share_their_keys(world: World) -> None:
    contexts = await asyncio.gather(*(with_secrets(world.ctx, NEW) for _ in range(5)))
    assert len({ctx.cipher.keyed_hash(WORD, "x") for ctx in contexts}) == 1
    assert len({ctx.cipher.sign(LINK, "x") for ctx in contexts}) == 1


async def test_lost_secret_gets_other_hash_keys_until_it_is_back(world: World) -> None:
    original = (await with_secrets(world.ctx, OLD)).cipher
    lost, restarted = [(await with_secrets(world.ctx, NEW)).cipher for _ in range(2)]
    assert lost.keyed_hash(WORD, "x") != original.keyed_hash(WORD, "x")
    assert lost.keyed_hash(WORD, "x") == restarted.keyed_hash(WORD, "x")
    back = (await with_secrets(world.ctx, NEW, OLD)).cipher
    assert back.keyed_hash(WORD, "x") == original.keyed_hash(WORD, "x")
    # Links of both times are valid.
    assert back.is_signature(original.sign(LINK, "x"), LINK, "x")
    assert back.is_signature(lost.sign(LINK, "x"), LINK, "x")


class Load:
    """Operators of an old and of a new process who change conversations all the time."""

    def __init__(self, vk_world: VkWorld, texts: dict[str, str], *contexts: Context) -> None:
        self.texts = texts
        self._vk_world = vk_world
        self._contexts = contexts
        self._is_stopped = False

    def stop(self) -> None:
        """Stop after the current change."""
        self._is_stopped = True

    async def run(self) -> None:
        """Change one conversation after the other; `texts` has what was committed."""
        ids, number = list(self.texts), 0
        while not self._is_stopped:
            number += 1
            for ctx in self._contexts:
                await self._change(ctx, ids[number * 37 % len(ids)], f"новый {number}")

    async def _change(self, ctx: Context, conversation_id: str, text: str) -> None:
        row = await inbox.get(ctx, self._vk_world.member, conversation_id)
        encrypted = message_codec.encrypt_preview(ctx.cipher, row.id, MessageBody(text))
        try:
            change = Change((replace(row, preview_encrypted=encrypted),))
            await changes.commit(ctx.db, change, ctx.now_us())
        except StaleError:
            return  # the rotation was first
        self.texts[conversation_id] = text


@pytest.mark.both_databases
async def test_killed_rotation_goes_on_under_load_and_loses_nothing(vk_world: VkWorld) -> None:
    await use_old_secret(vk_world)
    texts = {}
    for number in range(3 * key_rotations.BATCH_SIZE):
        row = await add_conversation(vk_world, f"Клиент {number}", text=f"текст {number}")
        texts[row.id] = f"текст {number}"
    rotating = await with_secrets(vk_world.ctx, NEW, OLD)
    load = Load(vk_world, texts, vk_world.ctx, rotating)
    working = asyncio.create_task(load.run())
    # Kill it in the middle of the conversations.
    rotation = await key_rotation.start(rotating)
    while not (rotation.column_name == EncryptedColumn.CONVERSATION_PREVIEW and rotation.after_id):
        rotation = await key_rotation.rotate_batch(rotating)
    killed = asyncio.create_task(key_rotation.rotate(rotating))
    await asyncio.sleep(0)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)

    resumed = await key_rotation.start(rotating)
    assert (resumed.column_name, resumed.finished_at_us) == (rotation.column_name, None)
    assert resumed.after_id >= rotation.after_id
    await key_rotation.rotate_batch(rotating)
    load.stop()  # the process with the old settings is stopped before the old key is removed
    await working
    await key_rotation.rotate(rotating)

    _, old = await key_rotation.list_usages(rotating)
    assert old.is_removable
    for conversation_id, text in load.texts.items():
        row = await inbox.get(rotating, vk_world.member, conversation_id)
        preview = message_codec.decrypt_preview(Cipher([NEW]), row.id, row.preview_encrypted)
        assert preview == text


@pytest.mark.both_databases
async def test_writer_with_a_row_from_before_the_rotation_must_start_again(
    vk_world: VkWorld,
) -> None:
    """Its whole-row write would bring the old ciphertext back after the key was removed."""
    await create_every_kind(vk_world)
    rotating = await with_secrets(vk_world.ctx, NEW, OLD)
    conversation = await vk_world.conversation()
    await key_rotation.rotate(rotating)
    renamed = replace(conversation, name="Анна Новая")
    with pytest.raises(StaleError):
        await changes.commit(rotating.db, Change((renamed,)), rotating.now_us())
    _, old = await key_rotation.list_usages(rotating)
    assert old.is_removable


async def test_worker_finishes_a_rotation_in_the_background(vk_world: VkWorld) -> None:
    await create_every_kind(vk_world)
    rotating = await with_secrets(vk_world.ctx, NEW, OLD)
    await key_rotation.enqueue(rotating)
    await worker.run_due_jobs(rotating)
    assert (await key_rotation.list_usages(rotating))[1].is_removable


async def test_unreadable_rows_do_not_stop_the_rotation_and_are_counted(vk_world: VkWorld) -> None:
    await create_every_kind(vk_world)
    message, *_ = await vk_world.messages()
    lost = Cipher(["a secret that nobody has any more....."])
    foreign = lost.encrypt({}, EncryptedColumn.MESSAGE_BODY, message.id)
    conversation = await vk_world.conversation()
    async with vk_world.ctx.db.read() as tx:
        connection = await connections.get(tx, vk_world.community_id)
    assert connection is not None
    moved = replace(conversation, preview_encrypted=connection.secret_encrypted)
    change = Change((replace(message, body_encrypted=foreign), moved))
    await changes.commit(vk_world.ctx.db, change, 0)

    rotating = await with_secrets(vk_world.ctx, NEW, OLD)
    rotation = await key_rotation.rotate(rotating)
    assert rotation.unreadable_count == 2
    usages = {usage.key_id: usage for usage in await key_rotation.list_usages(rotating)}
    assert usages[lost.current_key_id].role is KeyRole.MISSING
    assert usages[lost.current_key_id].row_count == 1
    old = usages[Cipher([OLD]).current_key_id]
    assert (old.row_count, old.damaged_count, old.is_removable) == (1, 1, True)


async def test_readiness_names_a_missing_key(vk_world: VkWorld) -> None:
    await create_every_kind(vk_world)
    states = {}
    for name, secrets in {"old": [OLD], "new": [NEW], "both": [NEW, OLD]}.items():
        ctx = await with_secrets(vk_world.ctx, *secrets)
        states[name] = (await health.check_readiness(ctx))["encryption"]
    assert states == {"old": "ok", "new": "key_missing", "both": "ok"}


async def test_renewed_keys_sign_and_the_former_ones_still_verify(world: World) -> None:
    """`sigma keys renew`: links that were sent, and old entries of the audit log, stay valid."""
    ctx, link, data = world.ctx, SignaturePurpose.PAYMENT_LINK, b"entry"
    before = await load_cipher(ctx.db, (OLD,), ctx.now_us())
    signature, mac = before.sign(link, "crd_1"), before.audit_mac(data)
    await renew_keys(ctx.db, before, ctx.now_us())
    after = await load_cipher(ctx.db, (OLD,), ctx.now_us())
    assert after.sign(link, "crd_1") != signature
    assert after.is_signature(signature, link, "crd_1")
    assert after.audit_mac(data) != mac
    assert after.verify_audit_mac(data, mac)
    assert not before.is_signature(after.sign(link, "crd_1"), link, "crd_1")
    hashes = after.keyed_hashes(HashPurpose.CONTACT, "x")
    assert hashes == [
        after.keyed_hash(HashPurpose.CONTACT, "x"),
        before.keyed_hash(HashPurpose.CONTACT, "x"),
    ]
    assert hashes[0] != hashes[1]


async def test_contacts_and_words_are_found_after_the_hash_key_was_renewed(
    vk_world: VkWorld,
) -> None:
    """`sigma keys renew`, a restart, and `sigma keys rehash`."""
    await create_every_kind(vk_world)
    ctx = vk_world.ctx
    words = {table: await stored_words(ctx, table) for table in WORD_TABLES}
    await renew_keys(ctx.db, ctx.cipher, ctx.now_us())
    renewed = await with_secrets(ctx, OLD)
    async with ctx.db.read() as tx:
        (answers, *_) = await hashed_rows.list_answers(tx, "")
    email = str(decrypt_values(ctx.cipher, answers)["email"])
    found = await found_by_contact(ctx, vk_world, email)
    assert found.customer_ids
    assert found.payment_ids
    assert await found_by_contact(renewed, vk_world, email) == found, "by the former key"
    keys = replace(renewed.cipher._keys, earlier_hash_keys=())
    alone = replace(renewed, cipher=renewed.cipher.with_keys(keys))
    assert await found_by_contact(alone, vk_world, email) == Found(set(), set())
    assert await rehashing.rehash(renewed) > 0
    assert await found_by_contact(alone, vk_world, email) == found
    for table in WORD_TABLES:
        after = await stored_words(ctx, table)
        assert len(after) == len(words[table]) > 0, table
        assert not after & words[table], f"no hash of the former key is left in {table}"
    assert await index_rehashing.rehash_lists(renewed) == 0, "nothing is left to do"


async def test_renewed_hash_key_makes_no_second_customer(vk_world: VkWorld) -> None:
    """Before `sigma keys rehash`, a payment with a known e-mail address joins its customer."""
    ctx = await with_secrets(vk_world.ctx, OLD)
    contact = Contact(IdentityKind.EMAIL, "client@example.net")
    async with ctx.db.write() as tx:
        known = await attachment.attach(ctx, tx, vk_world.shop.id, [contact])
    await renew_keys(ctx.db, ctx.cipher, ctx.now_us())
    renewed = await with_secrets(ctx, OLD)
    hashes = codec.identity_hashes(renewed.cipher, vk_world.shop.id, contact)
    assert len(set(hashes)) == 2, "today's key is another one"
    async with ctx.db.write() as tx:
        assert await attachment.attach(renewed, tx, vk_world.shop.id, [contact]) == known


@dataclass(frozen=True)
class Found:
    """What the list of customers and the export of a client's data find by an address."""

    customer_ids: set[str]
    payment_ids: set[str]


async def found_by_contact(ctx: Context, vk_world: VkWorld, email: str) -> Found:
    page = await customer_views.list_page(ctx, vk_world.member, query=email)
    ids = {row.customer.id for row in page.data}
    payment_ids: set[str] = set()
    async with ctx.db.read() as tx:
        for hashed in contact_hashes(ctx.cipher, vk_world.shop.id, "email", email):
            payment_ids |= await clients.list_payment_ids(tx, vk_world.shop.id, "email", hashed)
    return Found(ids, payment_ids)


async def stored_words(ctx: Context, table: str) -> set[int]:
    """Return the hashes of all words of a search index."""
    async with ctx.db.read() as tx:
        rows = await tx.fetch_all(WORD_TABLES[table])
    return {int(row["token_hash"]) for row in rows}
