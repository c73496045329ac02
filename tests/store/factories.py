"""Factories for store tests: rows with every field filled, and plain rows to be listed."""

from dataclasses import replace

from sigma.domain.accounts.member import RefundLimits
from sigma.domain.accounts.quota import Quotas
from sigma.domain.accounts.second_factor import SecondFactorRule
from sigma.domain.accounts.shop import Seller, SellerKind, Shop
from sigma.domain.billing import invoice as invoices
from sigma.domain.billing import mail as mails
from sigma.domain.billing import payment as payments
from sigma.domain.billing import refund as refunds
from sigma.domain.billing.acquirer_notice import AcquirerNotice
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.connection import Status as ConnectionStatus
from sigma.domain.billing.invoice import Invoice, InvoiceItem
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Attention, Payment, PaymentMethod
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.change import Change, TimelineEvent, VersionedRow
from sigma.domain.figures import Attribution, Source
from sigma.domain.money import Money
from sigma.store import changes
from sigma.store.engine.interface import Database

NOW_US = 1_795_500_000_000_000
SPECIAL_CHARACTERS = "«Ромашка» ₽ 🌼 \\ % _ ' \" \n конец"

SHOP = Shop(
    id="shp_1",
    name=SPECIAL_CHARACTERS,
    created_at_us=NOW_US,
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
        refund_terms=SPECIAL_CHARACTERS,
    ),
    tz="Asia/Yekaterinburg",
    locale="en",
    accent="#123456",
    return_url="https://vk.me/studio",
    consent_text=SPECIAL_CHARACTERS,
    consent_version=7,
    mail_from_name="Ромашка",
    mail_reply_to="answer@example.com",
    smtp_url_encrypted="ciphertext",
    slug="romashka",
    refund_limits=RefundLimits(admin=50_000, operator=None, accountant=1),
    quotas=Quotas(invoices_per_day=100, storage_bytes=5_000_000),
    second_factor_rule=SecondFactorRule.ANY,
    refund_confirmation_minor=500_000,
)
CONNECTION = Connection(
    id="con_1",
    shop_id=SHOP.id,
    provider="yookassa",
    title=SPECIAL_CHARACTERS,
    account="100500",
    secret_encrypted="ciphertext",
    created_at_us=NOW_US,
    settings={"base_url": "https://bank.example", "timeout_s": 2.5, "two_stage": True, "x": None},
    status=ConnectionStatus.OFF,
    checked_at_us=NOW_US + 1,
    has_passed_check=True,
    check_detail=SPECIAL_CHARACTERS,
    notice_token="notice-token",
)
QUESTIONS = (
    Question("email", QuestionKind.EMAIL, required=True),
    Question(
        "size",
        QuestionKind.SELECT,
        "Размер",
        required=True,
        options=("S", "M"),
        hint=SPECIAL_CHARACTERS,
    ),
)
INVOICE = Invoice(
    id="inv_1",
    shop_id=SHOP.id,
    number=42,
    token="token-of-invoice",
    status=invoices.Status.EXPIRED,
    title=SPECIAL_CHARACTERS,
    amount=Money(-(10**13), "KZT"),
    created_at_us=NOW_US,
    description=SPECIAL_CHARACTERS,
    items=(
        InvoiceItem(SPECIAL_CHARACTERS, "0.5", Money(7, "KZT")),
        InvoiceItem("Ещё", "2", Money(3, "KZT")),
    ),
    questions=QUESTIONS,
    max_payments=None,
    paid_count=3,
    expires_at_us=NOW_US + 1,
    return_url="https://vk.me/studio?x={invoice}",
    metadata={"order": "42", "слово": SPECIAL_CHARACTERS},
    created_by="usr_1",
    conversation_id="cnv_1",
    opened_at_us=NOW_US + 5,
    service_id="svc_1",
    customer_id="cus_1",
    source=Source.CONVERSATION,
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
    created_at_us=NOW_US,
    is_outcome_unknown=True,
    provider_id="bank-1",
    confirmation_url="https://bank.example/pay/1",
    payer_hash="payer",
    form_nonce="nonce",
    has_email=True,
    locale="en",
    requested_action="capture",
    requested_action_key="op_9",
    method=PaymentMethod("sbp", "220000******0004", "mir"),
    failure="insufficient_funds",
    attention=Attention.LATE,
    income=Money(1, "USD"),
    captured_at_us=NOW_US + 2,
    conversation_id="cnv_1",
    lost_call_at_us=NOW_US + 4,
    customer_id="cus_1",
    attribution=Attribution("svc_1", "usr_1", Source.API),
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
    created_at_us=NOW_US,
    created_by="usr_1",
    reason=SPECIAL_CHARACTERS,
    is_outcome_unknown=True,
    provider_id="bank-r1",
    failure="no_funds",
    finished_at_us=NOW_US + 3,
    origin=refunds.Origin.CHARGEBACK,
    lost_call_at_us=NOW_US + 5,
)
FILLED_ROWS: tuple[VersionedRow, ...] = (
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
        created_at_us=NOW_US,
        body={
            "title": SPECIAL_CHARACTERS,
            "amount": {"minor": 1, "currency": "RUB"},
            "items": [1],
            "x": None,
        },
    ),
    Answers(
        id="ans_1",
        shop_id=SHOP.id,
        invoice_id=INVOICE.id,
        payment_id=PAYMENT.id,
        payer_hash="payer",
        questions=QUESTIONS,
        values_encrypted="ciphertext",
        created_at_us=NOW_US,
        email_hash="hash of an address",
        phone_hash="hash of a number",
        shred_at_us=NOW_US + 1,
        erased_at_us=NOW_US + 2,
    ),
    Consent(
        id="cns_1",
        shop_id=SHOP.id,
        invoice_id=INVOICE.id,
        payment_id=PAYMENT.id,
        purpose="order",
        text=SPECIAL_CHARACTERS,
        text_version="2",
        text_sha256="a" * 64,
        given_at_us=NOW_US,
        evidence_encrypted="ciphertext",
    ),
    Mail(
        id="mail_1",
        shop_id=SHOP.id,
        kind="receipt",
        subject_key=PAYMENT.id,
        payment_id=PAYMENT.id,
        created_at_us=NOW_US,
        number=4,
        status=mails.Status.FAILED,
        recipient_masked="i***@mail.ru",
        server_reply=SPECIAL_CHARACTERS,
        attempts=8,
        sent_at_us=NOW_US + 4,
    ),
    TimelineEvent(
        id="evt_1",
        shop_id=SHOP.id,
        subject_id=PAYMENT.id,
        kind="payment.captured",
        occurred_at_us=NOW_US,
        actor="usr_1",
        detail={"reason": SPECIAL_CHARACTERS, "minor": 5},
    ),
    AcquirerNotice(
        id="ntc_1",
        shop_id=SHOP.id,
        connection_id=CONNECTION.id,
        event="payment.succeeded",
        object_id="bank-1",
        claimed_id=PAYMENT.id,
        digest="b" * 64,
        body_encrypted="ciphertext",
        received_at_us=NOW_US,
        processed_at_us=NOW_US + 5,
        delete_at_us=NOW_US + 2,
    ),
)


def plain_invoice(number: int, **more: object) -> Invoice:
    """Return an open invoice. Invoices sort by `n`, which is part of the id."""
    plain = Invoice(
        id=f"inv_{number:05}",
        shop_id=SHOP.id,
        number=number,
        token=f"token-{number}",
        status=invoices.Status.OPEN,
        title=f"Счёт {number}",
        amount=Money(100),
        created_at_us=NOW_US,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def plain_payment(number: int, **more: object) -> Payment:
    """Return a payment of plain invoice 1. Payments sort by `number`, which is part of the id."""
    plain = Payment(
        id=f"pay_{number:05}",
        shop_id=SHOP.id,
        invoice_id="inv_00001",
        connection_id=CONNECTION.id,
        provider="yookassa",
        operation_key=f"op-{number}",
        token=f"token-{number}",
        amount=Money(100),
        status=payments.Status.PENDING,
        created_at_us=NOW_US,
        payer_hash="payer",
        form_nonce=f"nonce-{number}",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


async def insert_rows(db: Database, *new_rows: VersionedRow) -> None:
    """Insert rows in one transaction."""
    await changes.commit(db, Change(new_rows), NOW_US)
