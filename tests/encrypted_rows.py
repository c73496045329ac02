"""A world with a row in every encrypted column, and processes with other secrets."""

import json
from collections.abc import Mapping
from dataclasses import replace

from sigma.domain.notifications.kind import Way
from sigma.services.accounts import shops, users
from sigma.services.authentication import authenticator_apps, password_resets, second_factors
from sigma.services.billing import acquirer_notices, invoice_mails, mails, payments
from sigma.services.context import Context
from sigma.services.notifications import links
from sigma.services.platform import key_rotation
from sigma.store import key_rotations
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher
from sigma.store.installation_keys import load_cipher
from tests.authenticators import app_code
from tests.lossy_mailer import with_lossy_mailer
from tests.vk_world import VkWorld
from tests.web.two_shops import create_all_objects

OLD, NEW = "old secret " * 4, "new secret " * 4
SMTP_URL = "smtp://user:pass-word@127.0.0.1:2525"

Cells = Mapping[tuple[EncryptedColumn, str], str]


async def with_secrets(ctx: Context, *secrets: str) -> Context:
    """Return the context of a process that starts with these secrets."""
    return replace(ctx, cipher=await load_cipher(ctx.db, secrets, ctx.now_us()))


async def use_old_secret(vk_world: VkWorld) -> None:
    """Encrypt the rows of a fresh world with OLD, which its context then uses."""
    random_secret = vk_world.ctx.cipher._secrets[0]
    await key_rotation.rotate(await with_secrets(vk_world.ctx, OLD, random_secret))
    vk_world.ctx = await with_secrets(vk_world.ctx, OLD)


async def create_every_kind(vk_world: VkWorld) -> dict[str, str]:
    """Create a row in each encrypted column, encrypted with OLD; return path parameter → id.

    Besides those of `create_all_objects`: "token" and "payment_token" of a paid invoice with
    answers.
    """
    await use_old_secret(vk_world)
    ctx = vk_world.ctx
    invoice = await vk_world.create_invoice()
    started = await vk_world.start_payment(invoice)
    await vk_world.pay(started)
    notice = {
        "type": "notification",
        "event": "payment.succeeded",
        "object": {"id": started.provider_id, "status": "succeeded", "metadata": {}},
    }
    body = json.dumps(notice).encode()
    await acquirer_notices.accept(ctx, vk_world.connection, body)
    await payments.advance(ctx, started.id)
    await shops.save_mail(ctx, vk_world.member, from_name="", reply_to="", smtp_url=SMTP_URL)
    await _add_second_factor(vk_world)
    ids = await create_all_objects(vk_world)
    mail = await mails.resend(ctx, vk_world.member, started.id)
    # Its words stay stored: it may have arrived.
    await mails.send(with_lossy_mailer(ctx, delivers=False), mail.id)
    await invoice_mails.send(ctx, vk_world.member, ids["invoice_id"], "nobody@example.net")
    await password_resets.request(ctx, "nobody@example.org", "192.0.2.7")
    await links.create_code(ctx, vk_world.member, Way.VK)
    ids |= {"token": invoice.token, "payment_token": started.token, "answered_id": started.id}
    return ids


async def _add_second_factor(vk_world: VkWorld) -> None:
    """Add an authenticator app of the owner, with its notice."""
    ctx, password = vk_world.ctx, vk_world.password
    opened = await users.sign_in(ctx, "owner@example.org", password, ip="192.0.2.7")
    session = await users.find_session(ctx, opened.secret)
    assert session is not None
    enrolment = authenticator_apps.start(ctx, session.user)
    code = app_code(ctx, enrolment.secret)
    await second_factors.add_app(ctx, session, enrolment.ticket, code)


async def dump_encrypted(ctx: Context) -> dict[tuple[EncryptedColumn, str], str]:
    """Return (column, row id) → ciphertext of every encrypted value."""
    no_row_has_it = Cipher(["a key that encrypts no row of this test"])
    dumped: dict[tuple[EncryptedColumn, str], str] = {}
    async with ctx.db.read() as tx:
        for column in EncryptedColumn:
            rows = await key_rotations.list_batch(tx, no_row_has_it, column, "", limit=10_000)
            dumped |= {(column, row["id"]): row["ciphertext"] for row in rows}
    return dumped


def decrypt_all(cipher: Cipher, cells: Cells) -> dict[tuple[EncryptedColumn, str], object]:
    """Return the values of the cells. Raises DecryptionError."""
    return {
        (column, row_id): cipher.decrypt(text, column, row_id)
        for (column, row_id), text in cells.items()
    }
