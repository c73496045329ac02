"""Those who play a bad day: clients, the owner, the bank's postman, workers that may be killed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import msgspec

from sigma import worker
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Attention, Payment, Status
from sigma.domain.errors import Refused
from sigma.domain.money import Money
from sigma.providers.base import Unknown
from sigma.services.billing import acquirer_notices, connections, invoices, mails, payments, refunds
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm
from sigma.services.context import Context
from sigma.services.platform import idempotency as keys
from sigma.store.schema.tables import happenings
from sigma.store.schema.tables import mails as mail_rows
from sigma.store.schema.tables import payments as payment_rows
from sigma.store.schema.tables import refunds as refund_rows
from sigma_sandbox.bank import serializers
from tests.books import open_books, rows
from tests.day import Act, Day
from tests.mortal import Death, Life, mortal
from tests.world import World

MINUTE = 60_000_000
# Until nothing can be on its way any more: leases, unpaid links, holds of a week, a key's day.
EVENING = (0, 30, 200, 1000, 4200, 4200, 8 * 86_400, 1000, 30 * 3600, 4200, 4200)


async def happened(world: World) -> Counter[str]:
    """How often each thing happened, by the timelines."""
    return Counter(line["kind"] for line in await rows(world.ctx.db, happenings, world.shop.id))


class Players:
    """One day of one shop. What people were told is remembered, for it must stay true."""

    def __init__(self, world: World, day: Day) -> None:
        self.world = world
        self.day = day
        self.log: list[str] = []
        self.number = 0
        self.bank_ahead = 0
        self.key_is_good = True
        self.invoices: list[Invoice] = []
        self.known: dict[str, Payment] = {}  # client → the payment as his browser saw it last
        self.postbag: list[tuple[str, bytes]] = []
        self.noticed: set[tuple[str, str]] = set()
        self.told_paid: set[str] = set()
        self.told_refunds: set[str] = set()
        self.seen_happen: Counter[str] = Counter()

    async def play(self) -> None:
        """The whole script."""
        for minor, limit, minutes in zip(
            (150_000, 99_900, 100, 700_050), self.day.limits, self.day.minutes, strict=True
        ):
            expires = None if minutes is None else self.world.clock() + minutes * MINUTE
            self.invoices.append(
                await self.world.invoice(minor, max_payments=limit, expires_at=expires)
            )
        for act in self.day.acts:
            self.number += 1
            self.log.append(f"{self.number:2} {act}")
            await self.scene(act)
            self.collect_post()

    async def scene(self, act: Act) -> None:
        """One act of the script."""
        scenes = {
            "visit": self.visit,
            "click": self.click,
            "tabs": self.tabs,
            "pay": self.pay,
            "return": self.come_back,
            "notice": self.notice,
            "work": self.work,
            "refund": self.refund,
            "decide": self.decide,
            "fault": self.fault,
            "bank": self.bank,
            "clock": self.clock,
            "void": self.void,
            "key": self.key,
            "resend": self.resend,
            "ask": self.ask,
        }
        await scenes[act.kind](act)

    # --- how things are called ---

    def process(self, act: Act | None = None) -> Context:
        """Another process of Sigma; the act's own one may be killed."""
        alive = replace(self.world.ctx, in_flight=set(), asked={}, tries={})
        return mortal(alive, Life(act.dies_at)) if act and act.dies_at else alive

    async def together(self, *calls: Awaitable[Any]) -> list[Any]:
        """All at once. Refusals, lost answers and deaths are part of a bad day; all else is not."""
        results = await asyncio.gather(*calls, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                if not isinstance(result, Refused | Unknown | Death):
                    raise result
                self.log.append(f"     {type(result).__name__} {result}")
        return [None if isinstance(result, BaseException) else result for result in results]

    def pick(self, found: list[Any], act: Act) -> Any:
        """One of several, by the share that the script names."""
        return found[int(act.about["which"] * 0.999 * len(found))] if found else None

    async def ours(self, *states: Status) -> list[dict[str, Any]]:
        """The shop's payments in some states, oldest first."""
        found = await rows(self.world.ctx.db, payment_rows, self.world.shop.id)
        return sorted((p for p in found if p["status"] in states), key=lambda p: str(p["id"]))

    # --- clients ---

    def form(self, client: str) -> PayForm:
        return replace(self.world.form(client), nonce=f"{self.number} {client}")

    async def click(self, act: Act) -> None:
        client, token = act.about["client"], self.invoices[act.about["invoice"]].token
        form, clicks = self.form(client), act.about["clicks"]
        started = await self.together(
            *(checkout.start(self.process(None if n else act), token, form) for n in range(clicks))
        )
        seen = [payment for payment in started if payment is not None]
        assert len({payment.id for payment in seen}) <= 1, "one form made two payments"
        for payment in seen:
            self.see(client, payment)

    def see(self, client: str, payment: Payment) -> None:
        """What a page showed stays true."""
        self.known[client] = payment
        if payment.status is Status.CAPTURED:
            self.told_paid.add(payment.id)

    async def pay(self, act: Act) -> None:
        payment = self.known.get(act.about["client"])
        if payment is not None and payment.confirmation_url:
            await self.at_bank(payment, act.about["card"])

    async def at_bank(self, payment: Payment, card: str) -> None:
        url = f"{self.world.sandbox.base_url}/bank/test/payments/{payment.provider_id}/pay"
        answer = await self.world.http.post(url, json={"card": card})
        assert answer.status_code in (200, 409), answer.text

    async def comes_back(self, ctx: Context, client: str) -> None:
        payment = self.known.get(client)
        if payment is not None:
            self.see(client, (await checkout.refresh(ctx, payment.token)).payment)

    async def come_back(self, act: Act) -> None:
        times, client = act.about["times"], act.about["client"]
        await self.together(
            *(self.comes_back(self.process(None if n else act), client) for n in range(times))
        )

    async def visit(self, act: Act) -> None:
        await self.click(act)
        await self.pay(act)
        await self.come_back(replace(act, dies_at=0))

    async def tabs(self, act: Act) -> None:
        """Two people with one link pay at the same time."""
        token = self.invoices[act.about["invoice"]].token
        pair = ("anna", "boris")
        forms = [self.form(client) for client in pair]
        started = await self.together(
            *(checkout.start(self.process(), token, form) for form in forms)
        )
        for client, payment in zip(pair, started, strict=True):
            if payment is not None:
                self.see(client, payment)
                if payment.confirmation_url:
                    await self.at_bank(payment, act.about["card"])
        await self.together(*(self.comes_back(self.process(), client) for client in pair * 2))

    # --- the bank and its postman ---

    def collect_post(self) -> None:
        """What the bank would tell by now, each once."""
        bank, account = self.world.sandbox.bank, self.world.account
        now = bank.now(account)
        for payment in bank.payments_of(account):
            if payment.status != "pending":
                thing = serializers.payment_json(payment, bank.base_url, now)
                self.post(f"payment.{payment.status}", thing)
            for refund in bank.refunds_of(payment.id):
                if refund.status == "succeeded":
                    self.post("refund.succeeded", serializers.refund_json(refund, now))

    def post(self, event: str, thing: dict[str, Any]) -> None:
        if (event, thing["id"]) not in self.noticed:
            self.noticed.add((event, thing["id"]))
            told = {"type": "notification", "event": event, "object": thing}
            self.postbag.append((event, msgspec.json.encode(told)))

    async def notice(self, act: Act) -> None:
        letter = self.pick(self.postbag, act)
        if letter is None:
            return
        if act.about["fate"] != "told again later":
            self.postbag.remove(letter)
        if act.about["fate"] != "dropped":
            await self.together(
                *(
                    self.deliver(self.process(None if n else act), letter[1])
                    for n in range(act.about["copies"])
                )
            )

    async def deliver(self, ctx: Context, body: bytes) -> None:
        await acquirer_notices.take(ctx, "yookassa", self.world.connection.id, body)
        await worker.drain(ctx, 3)

    async def fault(self, act: Act) -> None:
        self.control(**{act.about["effect"]: {"on": act.about["on"], "times": act.about["times"]}})

    async def bank(self, act: Act) -> None:
        if act.about["effect"] == "calm":
            self.calm()
        else:
            self.control(**{act.about["effect"]: {"times": act.about["times"]}})

    def control(self, **rules: Any) -> None:
        self.world.sandbox.control.set({"shop": self.world.account, **rules})

    def calm(self) -> None:
        """The bank behaves; its clock stays where it is."""
        self.world.sandbox.control.reset(self.world.account)
        self.control(clock_offset_s=self.bank_ahead)

    async def clock(self, act: Act) -> None:
        self.pass_time(act.about["seconds"])

    def pass_time(self, seconds: int) -> None:
        """Here and at the bank alike."""
        self.world.clock.move(seconds=seconds)
        self.bank_ahead += seconds
        self.control(clock_offset_s=self.bank_ahead)

    # --- the shop ---

    async def work(self, act: Act) -> None:
        await self.together(
            *(
                worker.drain(self.process(None if n else act), 60)
                for n in range(act.about["workers"])
            )
        )

    async def refund(self, act: Act) -> None:
        paid = self.pick(await self.ours(Status.CAPTURED), act)
        if paid is None:
            return
        key = f"{self.number}" if act.about["one_key"] else ""
        calls = []
        for n, percent in enumerate(act.about["percents"]):
            share = act.about["percents"][0] if key else percent
            amount = Money(max(paid["amount_minor"] * share // 100, 1))
            ctx = self.process(None if n else act)
            calls.append(self.give_back(ctx, paid["id"], amount, key or f"{self.number}-{n}"))
        promised = {refund for refund in await self.together(*calls) if refund}
        assert not key or len(promised) <= 1, "one key made two refunds"
        self.told_refunds |= promised
        # The bank would refuse the rest, so it must be seen now.
        wrong = list((await open_books(self.world)).given_back_too_much())
        assert not wrong, wrong

    async def give_back(self, ctx: Context, payment_id: str, amount: Money, key: str) -> str:
        answered, _ = await keys.once(
            ctx,
            self.world.member,
            key,
            f"{payment_id} {amount.minor}",
            lambda remember: refunds.request(
                ctx,
                self.world.member,
                payment_id,
                amount,
                "",
                remember=lambda made: remember(201, made.id),
            ),
        )
        return answered.body

    async def decide(self, act: Act) -> None:
        held = self.pick(await self.ours(Status.AUTHORIZED), act)
        if held is None:
            return
        does = {"capture": payments.capture, "cancel": payments.cancel}
        await self.together(
            *(
                does[wish](self.process(None if n else act), self.world.member, held["id"])
                for n, wish in enumerate(act.about["wishes"])
            )
        )

    async def void(self, act: Act) -> None:
        invoice = self.invoices[act.about["invoice"]]
        await self.together(invoices.void(self.process(act), self.world.member, invoice.id))

    async def key(self, _: Act) -> None:
        """The owner spoils the acquirer's key, or mends it."""
        self.key_is_good = not self.key_is_good
        known = await connections.get(self.world.ctx, self.world.member, self.world.connection.id)
        await connections.save(
            self.world.ctx,
            self.world.member,
            known.id,
            provider=known.provider,
            title=known.title,
            account=known.account,
            secret="test_secret" if self.key_is_good else "wrong",
            settings=known.settings,
        )

    async def resend(self, act: Act) -> None:
        paid = self.pick(await self.ours(Status.CAPTURED), act)
        if paid is not None:
            await self.together(mails.resend(self.world.ctx, self.world.member, paid["id"]))

    async def ask(self, act: Act) -> None:
        asked = self.pick(await self.ours(*Status), act)
        if asked is not None:
            again = payments.ask_again(self.process(act), self.world.member, asked["id"])
            await self.together(again)

    # --- the end ---

    async def evening(self) -> None:
        """Nothing misbehaves any more, a person looks at what was shown to him, time goes by."""
        if not self.key_is_good:
            await self.key(Act("key"))
        self.calm()
        for seconds in EVENING:
            self.pass_time(seconds)
            await worker.drain(self.world.ctx)
            for payment in await self.ours(*Status):
                if payment["attention"] in (Attention.MISMATCH, Attention.CONTRADICTION):
                    await self.together(
                        payments.ask_again(self.world.ctx, self.world.member, payment["id"])
                    )

    async def accounts(self, taken: list[str]) -> list[str]:
        """What is not as it must be."""
        books = await open_books(self.world)
        wrong = books.disagreements(resent=True)
        self.seen_happen = await happened(self.world)
        captured = {payment["id"] for payment in books.captured}
        wrong += [f"{one} was shown as paid and is not" for one in self.told_paid - captured]
        kept = {r["id"] for r in await rows(self.world.ctx.db, refund_rows, self.world.shop.id)}
        wrong += [f"{one} was promised and is gone" for one in self.told_refunds - kept]
        sent = {
            f"<{mail['id']}@127.0.0.1>"
            for mail in await rows(self.world.ctx.db, mail_rows, self.world.shop.id)
            if mail["status"] == "sent"
        }
        if sent != set(taken):
            wrong.append("the mails that are marked as sent are not those that were sent")
        return wrong
