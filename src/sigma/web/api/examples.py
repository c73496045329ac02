"""Example bodies of the OpenAPI document."""

from typing import Any

from sigma.domain.errors import STATUS_BY_CODE
from sigma.texts import Translator

_AMOUNT = {"value": "1500.00", "currency": "RUB"}
_ITEM = {"name": "Маникюр", "quantity": "1", "price": _AMOUNT}

INVOICE_REQUEST: dict[str, Any] = {
    "title": "Маникюр",
    "amount": _AMOUNT,
    "items": [_ITEM],
    "ask": [
        {"key": "email", "required": True},
        {"key": "wish", "kind": "text", "label": "Пожелания", "show_on_receipt": True},
        {"key": "size", "kind": "select", "label": "Размер", "options": ["S", "M"]},
    ],
    "return_url": "https://vk.me/studio",
    "metadata": {"order": "42"},
}
REFUND_REQUEST: dict[str, Any] = {
    "amount": {"value": "500.00", "currency": "RUB"},
    "reason": "Перенесли на час позже",
}
EXPORT_REQUEST: dict[str, Any] = {
    "kind": "payments",
    "format": "csv",
    "filter": {"period": "last_month", "status": "captured"},
    "columns": ["captured_at", "amount", "answers"],
}
REQUEST_BODIES = {
    "createInvoice": INVOICE_REQUEST,
    "createRefund": REFUND_REQUEST,
    "createExport": EXPORT_REQUEST,
}

_INVOICE: dict[str, Any] = {
    "id": "inv_0007x8kq1b2c3d4e5f6g7h8",
    "number": "42",
    "status": "open",
    "url": "https://pay.example.org/i/Q2hhbmdlIG1lIHBsZWFzZQ",
    "amount": _AMOUNT,
    "title": "Маникюр",
    "description": "",
    "items": [_ITEM],
    "ask": [
        {
            "key": "email",
            "kind": "email",
            "label": "",
            "required": True,
            "options": [],
            "hint": "",
            "show_on_receipt": False,
        }
    ],
    "return_url": "https://vk.me/studio",
    "expires_at": None,
    "max_payments": 1,
    "paid_count": 0,
    "metadata": {"order": "42"},
    "created_at": "2026-11-24T11:05:00.123456Z",
    "created_by": "key_0007x8kq1b2c3d4e5f6g7h8",
    "warnings": [],
}
_PAYMENT: dict[str, Any] = {
    "id": "pay_0007x8kq1b2c3d4e5f6g7h8",
    "invoice_id": "inv_0007x8kq1b2c3d4e5f6g7h8",
    "status": "captured",
    "unknown": False,
    "amount": _AMOUNT,
    "refunded": {"value": "0.00", "currency": "RUB"},
    "refunds": [],
    "method": {"kind": "card", "mask": "220000******0004", "brand": "mir"},
    "answers": {"email": "client@example.net", "wish": "без лака", "size": "M"},
    "answers_unreadable": False,
    "receipt_url": "https://pay.example.org/r/TGV0IG1lIHBhc3MgcGxlYQ",
    "created_at": "2026-11-24T11:06:00.123456Z",
    "captured_at": "2026-11-24T11:07:12Z",
    "failure": None,
    "attention": None,
    "provider": "yookassa",
    "provider_id": "30d2f6a1-000f-5000-9000-1b2c3d4e5f60",
}
_REFUND: dict[str, Any] = {
    "id": "ref_0007x8kq1b2c3d4e5f6g7h8",
    "payment_id": "pay_0007x8kq1b2c3d4e5f6g7h8",
    "invoice_id": "inv_0007x8kq1b2c3d4e5f6g7h8",
    "status": "pending",
    "origin": "sigma",
    "unknown": False,
    "amount": REFUND_REQUEST["amount"],
    "reason": REFUND_REQUEST["reason"],
    "failure": None,
    "created_at": "2026-11-24T12:00:00.123456Z",
    "finished_at": None,
    "provider_id": None,
}
_SERVICE: dict[str, Any] = {
    "id": "svc_0007x8kq1b2c3d4e5f6g7h8",
    "title": "Маникюр",
    "description": "Снятие, форма, покрытие. Полтора часа.",
    "price": "fixed",
    "amount": _AMOUNT,
    "visible": True,
    "max_amount": None,
    "price_unit": "",
    "category": "Маникюр",
    "external_id": "00012",
    "photo_url": "https://pay.example.org/photos/pho_V2hvIGlzIHRoZXJlPw",
    "page_url": "https://pay.example.org/s/studio/svc_0007x8kq1b2c3d4e5f6g7h8",
    "dialog_url": "https://vk.me/studio?ref=svc_0007x8kq1b2c3d4e5f6g7h8&ref_source=sigma",
    "ask": _INVOICE["ask"],
    "expires_days": 3,
    "return_url": "https://vk.me/studio",
    "created_at": "2026-11-24T11:00:00.123456Z",
}
_EXPORT: dict[str, Any] = {
    "id": "exp_0007x8kq1b2c3d4e5f6g7h8",
    "kind": "payments",
    "format": "csv",
    "status": "done",
    "rows": 214,
    "total": 214,
    "size_bytes": 31744,
    "url": "https://pay.example.org/exports/exp_0007x8kq1b2c3d4e5f6g7h8/1764003600000000/c2ln",
    "failure": None,
    "created_at": "2026-11-24T11:00:00.123456Z",
    "finished_at": "2026-11-24T11:00:02.123456Z",
    "expires_at": "2026-11-25T11:00:02.123456Z",
}
# Class name of the response struct → example.
RESPONSE_BODIES: dict[str, dict[str, Any]] = {
    "InvoiceResponse": _INVOICE,
    "Invoices": {"data": [_INVOICE], "next_cursor": None},
    "PaymentResponse": _PAYMENT,
    "Payments": {"data": [_PAYMENT], "next_cursor": None},
    "RefundResponse": _REFUND,
    "Refunds": {"data": [_REFUND], "next_cursor": None},
    "ExportResponse": _EXPORT,
    "Services": {"data": [_SERVICE], "next_cursor": None},
}


def problem_document(code: str) -> dict[str, Any]:
    """Return an example problem document with this code."""
    translator = Translator("en", "UTC")
    document: dict[str, Any] = {
        "type": f"urn:sigma:problem:{code}",
        "title": translator.t(f"api.title.{code}"),
        "status": STATUS_BY_CODE[code],
        "detail": translator.t(f"api.title.{code}"),
        "code": code,
        "request_id": "6b1f0c2a9d8e7f60",
    }
    if code == "missing_scope":
        document["required_scope"] = "invoices:read"
    if code == "validation":
        message = translator.t("errors.problem.required")
        document["errors"] = [{"field": "title", "code": "required", "message": message}]
    return document
