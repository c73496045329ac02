"""The rows of the seeded shop: clients, invoices, payments, answers, refunds, search tokens."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.inbox import FIRST_NAMES, LAST_NAMES
from bench.stage import Harness
from sigma.domain.billing.answers import Answers
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Attention, Payment, PaymentMethod, Status
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.customers.customer import Customer, Identity, IdentityKind, NameSource
from sigma.domain.customers.joining import Contact
from sigma.domain.customers.search import index_tokens
from sigma.domain.messaging.message import search_stems
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US
from sigma.services.answer_codec import encrypt_values
from sigma.services.contact_hashes import contact_hash
from sigma.services.customers import codec
from sigma.services.ids import IdGenerator
from sigma.services.platform.search_tokens import Feature, Subject, token_hash
from sigma.store.billing import answers, invoices, payments, refunds
from sigma.store.customers import customers, identities
from sigma.store.schema import customer_tables, list_tables, tables

Rows = dict[str, list[tuple[Any, ...]]]

DAYS = 3 * 365  # the age of the shop
TITLES = (
    "Маникюр с покрытием",
    "Педикюр классический",
    "Стрижка женская",
    "Окрашивание корней",
    "Массаж спины",
    "Консультация психолога",
    "Занятие йогой",
    "Фотосессия портретная",
    "Ремонт ноутбука",
    "Доставка букета",
)
RARE_TITLE = "Мезороллер домашний"
WISHES = ("без лака", "позвонить заранее", "парковка рядом", "аллергия на цветы", "подарок маме")
QUESTIONS = (
    Question("email", QuestionKind.EMAIL, required=True),
    Question("phone", QuestionKind.PHONE),
    Question("name", QuestionKind.NAME),
    Question("wish", QuestionKind.TEXT, "Пожелания"),
)
METHODS = (
    PaymentMethod("card", "220000******0004", "mir"),
    PaymentMethod("card", "555555******4477", "mastercard"),
    PaymentMethod("sbp"),
    PaymentMethod("sberbank"),
)
AMOUNTS = (50_000, 90_000, 150_000, 150_050, 250_000, 400_000, 1_200_000)
RARE_AMOUNT = 777_700


@dataclass
class SeededShop:
    """Makes the rows. `known` holds one of each rare thing, to search for."""

    harness: Harness
    payment_count: int
    client_count: int
    choice: random.Random
    known: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shop_id = self.harness.member.shop_id
        self._cipher = self.harness.ctx.cipher
        self._now_us = self.harness.ctx.now_us()
        self._at_us = 0
        self._ids = IdGenerator(lambda: self._at_us, random.Random(3))
        self._hashes: dict[tuple[Subject, Feature, str], int] = {}
        self._words: dict[tuple[str, ...], list[int]] = {}
        self._customers: list[tuple[str, str, str, str]] = []  # id, name, e-mail, phone
        self._services = [self._ids.new("svc", self._shop_id) for _ in range(12)]
        self._members = [self._ids.new(kind, self._shop_id) for kind in ("usr", "usr", "key")]

    def batches(self, size: int) -> Iterator[tuple[Rows, int]]:
        """Yield rows by table with the number of clients or payments that they are of."""
        for make, count in ((self._client, self.client_count), (self._payment, self.payment_count)):
            for start in range(0, count, size):
                rows: Rows = defaultdict(list)
                last = min(start + size, count)
                for number in range(start, last):
                    make(rows, number)
                yield rows, last - start

    def _row(self, rows: Rows, table: Any, values: dict[str, Any]) -> None:
        rows[table.name].append(tuple(values[column.name] for column in table.columns))

    def _client(self, rows: Rows, number: int) -> None:
        self._at_us = self._now_us - DAYS * DAY_US + number * (DAYS * DAY_US // self.client_count)
        name = f"{FIRST_NAMES[number % 10]} {LAST_NAMES[number // 10 % 7]}"
        if number % 5000 == 77:
            name = "Феврония Редкая"
        email, phone = f"u{number}@example.net", f"+7916{number:07}"
        customer_id = self._ids.new("cus", self._shop_id)
        customer = Customer(
            customer_id,
            self._shop_id,
            self._at_us,
            self._at_us,
            codec.encrypt_name(self._cipher, customer_id, name),
            NameSource.VK,
            version=1,
        )
        self._row(rows, customer_tables.customers, customers.CODEC.to_row(customer))
        identity_id = self._ids.new("cid", self._shop_id)
        contact = Contact(IdentityKind.EMAIL, email)
        identity = Identity(
            id=identity_id,
            shop_id=self._shop_id,
            customer_id=customer_id,
            kind=contact.kind,
            identity_hash=codec.identity_hashes(self._cipher, self._shop_id, contact)[0],
            value_encrypted=codec.encrypt_identity(self._cipher, identity_id, email),
            created_at_us=self._at_us,
            version=1,
        )
        self._row(rows, customer_tables.customer_identities, identities.CODEC.to_row(identity))
        key = tuple(index_tokens(name))
        if key not in self._words:
            self._words[key] = codec.token_hashes(self._cipher, self._shop_id, key)
        rows["customer_tokens"] += [
            (self._shop_id, hashed, customer_id) for hashed in self._words[key]
        ]
        self._customers.append((customer_id, name, email, phone))

    def _payment(self, rows: Rows, number: int) -> None:
        choice = self.choice
        self._at_us = self._now_us - DAYS * DAY_US + number * (DAYS * DAY_US // self.payment_count)
        customer_id, name, email, phone = choice.choice(self._customers)
        is_rare = number % (self.payment_count // 20) == 7
        status = choice.choices(
            (Status.CAPTURED, Status.FAILED, Status.CANCELED, Status.PENDING), (90, 6, 3, 1)
        )[0]
        created_at_us = self._at_us
        service_id = (
            choice.choices(self._services, range(1, 13))[0] if choice.random() < 0.7 else None
        )
        invoice = Invoice(
            id=self._ids.new("inv", self._shop_id),
            shop_id=self._shop_id,
            number=number + 1,
            token=f"i{number:021}",
            status=InvoiceStatus.PAID if status is Status.CAPTURED else InvoiceStatus.EXPIRED,
            title=RARE_TITLE if is_rare else choice.choice(TITLES),
            amount=Money(RARE_AMOUNT if is_rare else choice.choice(AMOUNTS)),
            created_at_us=created_at_us,
            questions=QUESTIONS,
            paid_count=int(status is Status.CAPTURED),
            metadata={"order": f"R-{number}"} if number % 10 == 0 else {},
            created_by=choice.choices(self._members, (60, 39, 1))[0],
            service_id=service_id,
            customer_id=customer_id,
            version=2,
        )
        payment_id = self._ids.new("pay", self._shop_id)
        payment = Payment(
            id=payment_id,
            shop_id=self._shop_id,
            invoice_id=invoice.id,
            connection_id=self.known["connection"],
            provider="yookassa",
            operation_key=payment_id,
            token=f"p{number:021}",
            amount=invoice.amount,
            status=status,
            created_at_us=created_at_us,
            provider_id=f"2d{number:08}-000f-5000-8000-000000000000",
            form_nonce=payment_id,
            has_email=True,
            method=choice.choices(METHODS, (60, 5, 30, 5))[0]
            if status is Status.CAPTURED
            else None,
            failure="insufficient_funds" if status is Status.FAILED else "",
            attention=Attention.LATE if number % 10_000 == 5 else None,
            captured_at_us=created_at_us if status is Status.CAPTURED else None,
            attribution=invoice.attribution,
            customer_id=customer_id,
            version=3,
        )
        self._row(rows, tables.invoices, invoices.CODEC.to_row(invoice))
        self._row(rows, tables.payments, payments.CODEC.to_row(payment))
        given = {"email": email, "phone": phone, "name": name}
        if choice.random() < 0.3:
            given["wish"] = choice.choice(WISHES)
        self._answers(rows, payment, given)
        self._tokens(rows, invoice, payment, given)
        if status is Status.CAPTURED and choice.random() < 0.03:
            self._refund(rows, payment, payment.amount.minor // choice.choice((1, 2)))
        if is_rare or not number:
            self.known |= {"email": email, "phone": phone, "number": str(invoice.number)}
            self.known |= {"external_id": str(payment.provider_id), "customer": customer_id}
            self.known |= {"service": self._services[0], "member": self._members[2]}
            self.known["metadata"] = f"R-{number - number % 10}"

    def _answers(self, rows: Rows, payment: Payment, given: dict[str, Any]) -> None:
        answers_id = self._ids.new("ans", self._shop_id)
        hashed = partial(contact_hash, self._cipher, self._shop_id)
        row = Answers(
            id=answers_id,
            shop_id=self._shop_id,
            invoice_id=payment.invoice_id,
            payment_id=payment.id,
            payer_hash=payment.id,
            questions=QUESTIONS,
            values_encrypted=encrypt_values(self._cipher, answers_id, given),
            created_at_us=payment.created_at_us,
            email_hash=hashed("email", given["email"]),
            phone_hash=hashed("phone", given["phone"]),
            version=1,
        )
        self._row(rows, tables.answers, answers.CODEC.to_row(row))

    def _hash(self, subject: Subject, feature: Feature, text: str) -> int:
        key = (subject, feature, text)
        found = self._hashes.get(key)
        if found is None:
            found = token_hash(self._cipher, self._shop_id, subject, feature, text)
            if len(self._hashes) < 1_000_000:
                self._hashes[key] = found
        return found

    def _tokens(
        self, rows: Rows, invoice: Invoice, payment: Payment, given: dict[str, Any]
    ) -> None:
        """Add what `services.platform.search_tokens` returns, with the hashes of words reused."""
        public = [*search_stems(invoice.title)]
        pair: dict[Subject, set[int]] = {}
        for value in invoice.metadata.values():
            public += search_stems(value)
            pair = {
                subject: {
                    token_hash(
                        self._cipher, self._shop_id, subject, Feature.METADATA, "order", value
                    )
                }
                for subject in Subject
            }
        for subject, row in ((Subject.INVOICE, invoice), (Subject.PAYMENT, payment)):
            hashes = {
                self._hash(subject, feature, stem)
                for stem in public
                for feature in (Feature.WORD, Feature.PUBLIC_WORD)
            } | pair.get(subject, set())
            if row is payment:
                stems = [given["email"].partition("@")[0], *search_stems(given["name"])]
                stems += search_stems(given.get("wish", ""))
                hashes |= {self._hash(subject, Feature.WORD, stem) for stem in stems}
                hashes.add(self._hash(subject, Feature.EMAIL, given["email"]))
                hashes.add(self._hash(subject, Feature.PHONE, given["phone"]))
                if "wish" not in given:
                    hashes.add(self._hash(subject, Feature.EMPTY_ANSWER, "wish"))
            rows["seed_tokens"] += [(hashed, row.created_at_us, row.id) for hashed in hashes]

    def _refund(self, rows: Rows, payment: Payment, minor: int) -> None:
        refund_id = self._ids.new("ref", self._shop_id)
        refund = Refund(
            id=refund_id,
            shop_id=self._shop_id,
            payment_id=payment.id,
            invoice_id=payment.invoice_id,
            connection_id=payment.connection_id,
            operation_key=refund_id,
            amount=Money(minor),
            status=RefundStatus.SUCCEEDED,
            created_at_us=self._at_us,
            created_by=self._members[0],
            finished_at_us=self._at_us,
            version=2,
        )
        self._row(rows, tables.refunds, refunds.CODEC.to_row(refund))
        state = "full" if minor == payment.amount.minor else "part"
        values = (payment.id, self._shop_id, payment.created_at_us, state, "RUB", minor)
        rows[list_tables.refunded_payments.name].append(values)
