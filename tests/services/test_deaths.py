"""A process killed between any two steps of a payment and of a refund: another one finishes the
story, and nothing happens twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from sigma import worker
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.money import Money
from sigma.services.billing import acquirer_notices, payments, refunds
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm
from sigma.services.context import Context
from sigma.services.platform import idempotency
from sigma.store.idempotency import Answered
from sigma.store.schema.tables import mails as mail_rows
from sigma.store.schema.tables import payments as payment_rows
from sigma.store.schema.tables import receipts as receipt_rows
from sigma.store.schema.tables import refunds as refund_rows
from tests.books import rows
from tests.mortal import Death, Life, mortal
from tests.services.acts import all_is_well, refused, settle_down, told_of
from tests.world import World

Scene = Callable[[Context], Awaitable[None]]


@dataclass
class Story:
    """One invoice from the click to the refund. A scene that death interrupts is played again by
    the same people: the client sends the form again, the shop's program its key.
    """

    world: World
    invoice: Invoice
    form: PayForm
    two_stage: bool = False
    payment: Payment | None = field(default=None)

    async def clicks(self, ctx: Context) -> None:
        self.payment = await checkout.start(ctx, self.invoice.token, self.form)

    async def pays(self, ctx: Context) -> None:
        """The client pays on the bank's page, if he has its address."""
        world = self.world
        if self.payment is None or not self.payment.confirmation_url:
            await settle_down_until_known(world, ctx)
            self.payment = await self._stored()
        await world.pay(self.payment)

    async def _stored(self) -> Payment:
        kept = await rows(self.world.ctx.db, payment_rows, self.world.shop.id)
        (one,) = [row for row in kept if row["invoice_id"] == self.invoice.id]
        return await payments.get(self.world.ctx, self.world.member, one["id"])

    async def is_told(self, ctx: Context) -> None:
        assert self.payment is not None
        assert self.payment.provider_id
        body = await told_of(self.world, self.payment.provider_id)
        await acquirer_notices.take(ctx, "yookassa", self.world.connection.id, body)
        await worker.drain(ctx)

    async def takes(self, ctx: Context) -> None:
        """The owner takes held money; a second click may find it taken."""
        assert self.payment is not None
        asked = payments.capture(ctx, self.world.member, self.payment.id)
        assert await refused(asked) in ("", "payment_not_authorized")
        await worker.drain(ctx)

    async def returns(self, ctx: Context) -> None:
        assert self.payment is not None
        await checkout.refresh(ctx, self.payment.token)

    async def gives_back(self, ctx: Context) -> None:
        assert self.payment is not None
        payment_id = self.payment.id

        async def act(remember: idempotency.Remember) -> object:
            return await refunds.request(
                ctx,
                self.world.member,
                payment_id,
                Money(40_000),
                "",
                remember=lambda made: remember(201, made.id),
            )

        answered, _ = await idempotency.once(ctx, self.world.member, payment_id, "", act)
        assert isinstance(answered, Answered)
        await worker.drain(ctx)

    def scenes(self) -> list[Scene]:
        if self.two_stage:
            return [self.clicks, self.pays, self.is_told, self.takes]
        return [self.clicks, self.pays, self.is_told, self.returns, self.gives_back]


async def settle_down_until_known(world: World, ctx: Context) -> None:
    world.clock.move(minutes=3)
    await worker.drain(ctx)


async def new_story(world: World, *, two_stage: bool = False) -> Story:
    return Story(world, await world.invoice(), world.form(f"browser-{world.made}"), two_stage)


async def play(story: Story, life: Life) -> None:
    """Plays the story in a process that may die, and goes on in another."""
    alive = replace(story.world.ctx, in_flight=set(), asked={}, tries={})
    for scene in story.scenes():
        if not life.over:
            try:
                await scene(mortal(story.world.ctx, life))
                continue
            except Death:
                story.world.clock.move(minutes=3)  # the leases of the dead end
        await scene(alive)


async def check(story: Story, where: str) -> None:
    """One payment, one of everything else."""
    world = story.world
    await settle_down(world)
    db, shop_id = world.ctx.db, world.shop.id
    mine = [
        row
        for row in await rows(db, payment_rows, shop_id)
        if row["invoice_id"] == story.invoice.id
    ]
    assert [row["status"] for row in mine] == [Status.CAPTURED], where
    payment_id = mine[0]["id"]

    async def of(table: object, **more: str) -> int:
        found = await rows(db, table, shop_id)  # type: ignore[arg-type]
        fit = {"payment_id": payment_id} | more
        return sum(all(row[k] == v for k, v in fit.items()) for row in found)

    assert await of(receipt_rows) == 1, where
    assert await of(mail_rows, kind="receipt", status="sent") == 1, where
    assert await of(mail_rows, kind="receipt") == 1, where
    refunded = 0 if story.two_stage else 1
    assert await of(refund_rows, status="succeeded") == refunded, where
    assert await of(refund_rows) == refunded, where
    assert await of(mail_rows, kind="refund", status="sent") == refunded, where


async def check_letters(world: World) -> None:
    """What is marked as sent lies in a mailbox."""
    came = b"".join(letter.raw for letter in world.sandbox.mail.letters.values())
    for mail in await rows(world.ctx.db, mail_rows, world.shop.id):
        assert mail["status"] == "sent"
        assert f"<{mail['id']}@127.0.0.1>".encode() in came, "marked as sent and never came"


async def die_everywhere(world: World, *, two_stage: bool) -> None:
    story = await new_story(world, two_stage=two_stage)
    whole = Life()
    await play(story, whole)
    await check(story, "nobody died")
    assert whole.steps > 50
    for dies_at in range(1, whole.steps + 1):
        story, life = await new_story(world, two_stage=two_stage), Life(dies_at)
        await play(story, life)
        assert life.over, f"{dies_at} of {whole.steps}, {life.steps} {life.last}"
        await check(story, f"died at step {dies_at}, {life.last}")
        if dies_at % 40 == 0:
            await all_is_well(world)
    await all_is_well(world)
    await check_letters(world)


async def test_killed_between_any_two_steps_a_payment_and_its_refund_happen_once(
    world: World,
) -> None:
    await die_everywhere(world, two_stage=False)


async def test_killed_between_any_two_steps_held_money_is_taken_once(two_stage: World) -> None:
    await die_everywhere(two_stage, two_stage=True)
