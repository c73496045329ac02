"""Fully filled rows of every noun, and a database with a shop in it."""

from dataclasses import replace

from sigma.domain.accounts.shop import Seller, SellerKind, Shop
from sigma.domain.billing import invoice as invoices
from sigma.domain.billing import mail as mails
from sigma.domain.billing import payment as payments
from sigma.domain.billing import refund as refunds
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.connection import Connection, Notice
from sigma.domain.billing.connection import Status as ConnectionStatus
from sigma.domain.billing.invoice import Invoice, Item
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Attention, Method, Payment
from sigma.domain.billing.question import Kind, Question
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.change import Change, Happening, Saved
from sigma.domain.money import Money
from sigma.store import changes
from sigma.store.engine.interface import Database

NOW = 1_795_500_000_000_000
WORDS = "«Ромашка» ₽ 🌼 \\ % _ ' \" \n конец"

SHOP = Shop(
    id="shp_1",
    name=WORDS,
    created_at=NOW,
    seller=Seller(
        kind=SellerKind.COMPANY,
        full_name="ООО «Ромашка»",
        inn="7707083893",
        ogrn="1027700132195",
        address="117312, Москва",
        phone="+7 916 123-45-67",
        email="shop@example.com",
        offer_url="https://example.com/offer",
        policy_url="https://example.com/policy",
        refund_terms=WORDS,
    ),
    tz="Asia/Yekaterinburg",
    locale="en",
    accent="#123456",
    return_url="https://vk.me/studio",
    consent_text=WORDS,
    consent_version=7,
    mail_from_name="Ромашка",
    mail_reply_to="answer@example.com",
    smtp_sealed="sealed",
    slug="romashka",
)
CONNECTION = Connection(
    id="con_1",
    shop_id=SHOP.id,
    provider="yookassa",
    title=WORDS,
    account="100500",
    secret_sealed="sealed",
    created_at=NOW,
    settings={"base_url": "https://bank.example", "timeout_s": 2.5, "two_stage": True, "x": None},
    status=ConnectionStatus.OFF,
    checked_at=NOW + 1,
    check_ok=True,
    check_detail=WORDS,
)
QUESTIONS = (
    Question("email", Kind.EMAIL, required=True),
    Question("size", Kind.SELECT, "Размер", required=True, options=("S", "M"), hint=WORDS),
)
INVOICE = Invoice(
    id="inv_1",
    shop_id=SHOP.id,
    number=42,
    token="token-of-invoice",
    status=invoices.Status.EXPIRED,
    title=WORDS,
    amount=Money(-(10**13), "KZT"),
    created_at=NOW,
    description=WORDS,
    items=(Item(WORDS, "0.5", Money(7, "KZT")), Item("Ещё", "2", Money(3, "KZT"))),
    questions=QUESTIONS,
    max_payments=None,
    paid_count=3,
    expires_at=NOW + 1,
    return_url="https://vk.me/studio?x={invoice}",
    metadata={"order": "42", "слово": WORDS},
    created_by="usr_1",
    conversation_id="dlg_1",
    service_id="svc_1",
)
PAYMENT = Payment(
    id="pay_1",
    shop_id=SHOP.id,
    invoice_id=INVOICE.id,
    connection_id=CONNECTION.id,
    provider="yookassa",
    operation_key="op_1",
    token="token-of-payment",
    amount=Money(10**13, "USD"),
    status=payments.Status.AUTHORIZED,
    created_at=NOW,
    unknown=True,
    provider_id="bank-1",
    confirmation_url="https://bank.example/pay/1",
    payer="payer",
    nonce="nonce",
    wants_mail=True,
    locale="en",
    wanted="capture",
    wanted_key="op_9",
    method=Method("sbp", "220000******0004", "mir"),
    failure="insufficient_funds",
    attention=Attention.LATE,
    income=Money(1, "USD"),
    captured_at=NOW + 2,
    conversation_id="dlg_1",
)
REFUND = Refund(
    id="ref_1",
    shop_id=SHOP.id,
    payment_id=PAYMENT.id,
    invoice_id=INVOICE.id,
    connection_id=CONNECTION.id,
    operation_key="op_2",
    amount=Money(50, "USD"),
    status=refunds.Status.FAILED,
    created_at=NOW,
    created_by="usr_1",
    reason=WORDS,
    unknown=True,
    provider_id="bank-r1",
    failure="no_funds",
    finished_at=NOW + 3,
)
FILLED: tuple[Saved, ...] = (
    SHOP,
    CONNECTION,
    INVOICE,
    PAYMENT,
    REFUND,
    Receipt(
        id="rcp_1",
        shop_id=SHOP.id,
        payment_id=PAYMENT.id,
        token="token-of-payment",
        created_at=NOW,
        body={"title": WORDS, "amount": {"minor": 1, "currency": "RUB"}, "items": [1], "x": None},
    ),
    Answers(
        id="ans_1",
        shop_id=SHOP.id,
        invoice_id=INVOICE.id,
        payment_id=PAYMENT.id,
        payer="payer",
        questions=QUESTIONS,
        sealed="sealed",
        created_at=NOW,
    ),
    Consent(
        id="cns_1",
        shop_id=SHOP.id,
        invoice_id=INVOICE.id,
        payment_id=PAYMENT.id,
        purpose="order",
        text=WORDS,
        text_version="2",
        text_sha256="a" * 64,
        given_at=NOW,
        evidence_sealed="sealed",
    ),
    Mail(
        id="mail_1",
        shop_id=SHOP.id,
        kind="receipt",
        subject=PAYMENT.id,
        payment_id=PAYMENT.id,
        created_at=NOW,
        number=4,
        status=mails.Status.FAILED,
        to_masked="i***@mail.ru",
        answer=WORDS,
        attempts=8,
        sent_at=NOW + 4,
    ),
    Happening(
        id="evt_1",
        shop_id=SHOP.id,
        subject=PAYMENT.id,
        kind="payment.captured",
        at=NOW,
        actor="usr_1",
        detail={"reason": WORDS, "minor": 5},
    ),
    Notice(
        id="ntc_1",
        shop_id=SHOP.id,
        connection_id=CONNECTION.id,
        event="payment.succeeded",
        object_id="bank-1",
        our_id=PAYMENT.id,
        digest="b" * 64,
        body_sealed="sealed",
        received_at=NOW,
        handled_at=NOW + 5,
    ),
)


def plain_invoice(n: int, **more: object) -> Invoice:
    """An open invoice that sorts by its number."""
    usual = Invoice(
        id=f"inv_{n:05}",
        shop_id=SHOP.id,
        number=n,
        token=f"token-{n}",
        status=invoices.Status.OPEN,
        title=f"Счёт {n}",
        amount=Money(100),
        created_at=NOW,
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def plain_payment(number: int, **more: object) -> Payment:
    """A payment of the first plain invoice that sorts by its number."""
    usual = Payment(
        id=f"pay_{number:05}",
        shop_id=SHOP.id,
        invoice_id="inv_00001",
        connection_id=CONNECTION.id,
        provider="yookassa",
        operation_key=f"op-{number}",
        token=f"token-{number}",
        amount=Money(100),
        status=payments.Status.PENDING,
        created_at=NOW,
        payer="payer",
        nonce=f"nonce-{number}",
    )
    return replace(usual, **more)  # type: ignore[arg-type]


async def save(db: Database, *things: Saved) -> None:
    await changes.commit(db, Change(things), NOW)
