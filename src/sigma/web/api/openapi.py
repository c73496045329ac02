"""The API's own description, OpenAPI 3.1: one table of operations, schemas from the shapes."""

import functools
import re
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get
from msgspec import Struct

from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.errors import CODES
from sigma.web.api import examples, requests, responses
from sigma.web.api.http import DEFAULT_LIMIT, MAX_LIMIT, Ctx
from sigma.web.api.problems import MEDIA_TYPE, ProblemTold

Json = dict[str, Any]

PREFIX = "/api/v1"
REF = "#/components/schemas/{name}"
ALWAYS = ("bad_request", "unauthorized", "too_many_requests", "internal")
POSTED = (
    "idempotency_key_missing",
    "idempotency_key_reused",
    "idempotency_in_flight",
    "changed_meanwhile",
    "too_large",
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table. `codes` are refusals of its own, beside those that all share."""

    method: str
    path: str
    name: str
    summary: str
    answer: type[Struct]
    status: int = 200
    body: type[Struct] | None = None
    filters: tuple[str, ...] = ()
    paged: bool = False
    codes: tuple[str, ...] = ()

    @property
    def refusals(self) -> list[str]:
        """All codes it may answer with."""
        more = POSTED if self.method == "post" else ()
        named = ("not_found",) if "{" in self.path else ()
        checked = ("validation",) if self.paged or self.body else ()
        found = {*ALWAYS, *more, *named, *checked, *self.codes}
        return [code for code in CODES if code in found]


OPERATIONS = (
    Operation(
        "post",
        "/invoices",
        "createInvoice",
        "Issue an invoice",
        responses.InvoiceTold,
        201,
        requests.InvoiceAsked,
    ),
    Operation(
        "get",
        "/invoices",
        "listInvoices",
        "List invoices",
        responses.Invoices,
        filters=("status", "query"),
        paged=True,
    ),
    Operation(
        "get", "/invoices/{invoice_id}", "getInvoice", "Read an invoice", responses.InvoiceTold
    ),
    Operation(
        "post",
        "/invoices/{invoice_id}/void",
        "voidInvoice",
        "Call an invoice off",
        responses.InvoiceTold,
        codes=("invoice_already_paid", "invoice_not_open"),
    ),
    Operation(
        "get",
        "/payments",
        "listPayments",
        "List payments",
        responses.Payments,
        filters=("invoice_id", "payment_status"),
        paged=True,
    ),
    Operation(
        "get", "/payments/{payment_id}", "getPayment", "Read a payment", responses.PaymentTold
    ),
    Operation(
        "post",
        "/payments/{payment_id}/refunds",
        "createRefund",
        "Give money back",
        responses.RefundTold,
        201,
        requests.RefundAsked,
        codes=("payment_not_captured", "refund_too_large", "refund_currency"),
    ),
    Operation(
        "get",
        "/payments/{payment_id}/refunds",
        "listRefunds",
        "List the refunds of a payment",
        responses.Refunds,
    ),
    Operation("get", "/refunds/{refund_id}", "getRefund", "Read a refund", responses.RefundTold),
    Operation("get", "/services", "listServices", "List services", responses.Services),
)

_FILTERS: dict[str, tuple[str, str, Json]] = {
    "status": ("status", "Only in this state", {"enum": [str(s) for s in InvoiceStatus]}),
    "payment_status": ("status", "Only in this state", {"enum": [str(s) for s in PaymentStatus]}),
    "query": ("query", "Words of the title, or a number", {"maxLength": 100}),
    "invoice_id": ("invoice_id", "Only of this invoice", {"pattern": "^inv_[0-9a-z]{10,40}$"}),
}
_PATH = {
    "invoice_id": "^inv_[0-9a-z]{10,40}$",
    "payment_id": "^pay_[0-9a-z]{10,40}$",
    "refund_id": "^ref_[0-9a-z]{10,40}$",
}
_IDEMPOTENCY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "New for each new request. The same key with the same body gets the first"
    " answer again, with `Idempotent-Replayed: true`; kept for three days at least.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"},
    "example": "order-42",
}


def document(base_url: str) -> Json:
    """The whole description."""
    paths: Json = {}
    for operation in OPERATIONS:
        paths.setdefault(PREFIX + operation.path, {})[operation.method] = _operation(operation)
    shapes = [o.answer for o in OPERATIONS] + [o.body for o in OPERATIONS if o.body]
    _, schemas = msgspec.json.schema_components([*shapes, ProblemTold], ref_template=REF)
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "Sigma",
            "version": "1",
            "description": "Invoices, payments, refunds and services of one shop.",
        },
        "servers": [{"url": base_url}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": {
                _public(name): {**schema, "title": _public(name)}
                for name, schema in schemas.items()
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of the shop: Settings, API keys, or `sigma key create`.",
                }
            },
        },
    }
    named: Json = _named(described)
    return named


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.path.split("/")[1]],
        "parameters": _parameters(operation),
        "responses": {str(operation.status): _success(operation), **_problems(operation)},
    }
    if operation.body:
        content: Json = {"schema": _ref(operation.body)}
        if example := examples.BODIES.get(operation.name):
            content["example"] = example
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    return described


def _parameters(operation: Operation) -> list[Json]:
    found = [_IDEMPOTENCY] if operation.method == "post" else []
    for name, pattern in _PATH.items():
        if f"{{{name}}}" in operation.path:
            schema = {"type": "string", "pattern": pattern}
            found.append({"name": name, "in": "path", "required": True, "schema": schema})
    for name in operation.filters:
        public, text, schema = _FILTERS[name]
        found.append(_query(public, text, {"type": "string", **schema}))
    if operation.paged:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        found.append(_query("limit", "How many at once", limit))
        cursor = {"type": "string", "pattern": "^[a-z]{3}_[0-9a-z]{10,40}$"}
        found.append(_query("cursor", "next_cursor of the previous part", cursor))
    return found


def _query(name: str, text: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _success(operation: Operation) -> Json:
    content: Json = {"schema": _ref(operation.answer)}
    if example := examples.ANSWERS.get(operation.answer.__name__):
        content["example"] = example
    answer: Json = {"description": operation.summary, "content": {"application/json": content}}
    if operation.method == "post":
        answer["headers"] = {
            "Idempotent-Replayed": {
                "description": "“true” when this is the first answer, given again",
                "schema": {"const": "true"},
            }
        }
    return answer


def _problems(operation: Operation) -> Json:
    """One answer for each HTTP status, with the codes that may stand in it."""
    by_status: dict[int, list[str]] = {}
    for code in operation.refusals:
        by_status.setdefault(CODES[code], []).append(code)
    return {
        str(status): {
            "description": ", ".join(codes),
            "content": {
                MEDIA_TYPE: {
                    "schema": _ref(ProblemTold),
                    "examples": {code: {"value": examples.problem(code)} for code in codes},
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _ref(shape: type[Struct]) -> Json:
    return {"$ref": REF.format(name=shape.__name__)}


def _public(name: str) -> str:
    """Our word for a shape as the document calls it: an InvoiceTold is an Invoice there."""
    if name.endswith(".Status"):
        name = name.split(".")[-2].capitalize() + "Status"
    return re.sub(r"Asked$", "Request", name.removesuffix("Told"))


def _named(described: Any) -> Any:
    """The document with public names for all schemas, where they stand and where they are meant."""
    if isinstance(described, dict):
        if isinstance(ref := described.get("$ref"), str):
            head, _, name = ref.rpartition("/")
            return {"$ref": f"{head}/{_public(name)}"}
        return {name: _named(value) for name, value in described.items()}
    if isinstance(described, list):
        return [_named(value) for value in described]
    return described


@functools.lru_cache(maxsize=2)
def _encoded(base_url: str) -> bytes:
    return msgspec.json.encode(document(base_url))


@get("/openapi.json")
async def openapi(ctx: Ctx) -> Response[bytes]:
    """The description of the API, for programs that make clients."""
    return Response(_encoded(ctx.settings.base_url), media_type="application/json")


HANDLERS = [openapi]
