"""The OpenAPI 3.1 document of the API: one table of operations; schemas come from the structs."""

import functools
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get
from msgspec import Struct

from sigma.domain.accounts.member import Scope
from sigma.domain.errors import STATUS_BY_CODE
from sigma.domain.lists.filters import INVOICE_PARAMETERS, PAYMENT_PARAMETERS
from sigma.services.paging import DEFAULT_LIMIT, MAX_LIMIT
from sigma.web.api import examples, exports, requests, responses
from sigma.web.api.filter_parameters import filter_parameters
from sigma.web.api.http import Ctx
from sigma.web.api.problems import MEDIA_TYPE, ProblemResponse

Json = dict[str, Any]

PREFIX = "/api/v1"
REF_TEMPLATE = "#/components/schemas/{name}"
COMMON_CODES = (
    "bad_request",
    "https_required",
    "repeated_field",
    "unauthorized",
    "key_expired",
    "missing_scope",
    "address_not_allowed",
    "too_many_requests",
    "internal",
)
POST_CODES = (
    "idempotency_key_missing",
    "idempotency_key_reused",
    "idempotency_in_flight",
    "changed_meanwhile",
    "value_unreadable",
    "too_large",
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `codes`: refusal codes beside those that follow from method, path and body.

    `scope`: what the API key must be allowed.
    """

    method: str
    path: str
    name: str
    summary: str
    response: type[Struct]
    scope: Scope
    status: int = 200
    body: type[Struct] | None = None
    filters: tuple[str, ...] = ()
    is_paged: bool = False
    codes: tuple[str, ...] = ()

    @property
    def all_codes(self) -> list[str]:
        """All refusal codes of the operation, in the order of STATUS_BY_CODE."""
        more = POST_CODES if self.method == "post" else ()
        missing = ("not_found",) if "{" in self.path else ()
        invalid = ("validation",) if self.is_paged or self.body else ()
        wrong_type = ("unsupported_media_type",) if self.body else ()
        codes = {*COMMON_CODES, *more, *missing, *invalid, *wrong_type, *self.codes}
        return [code for code in STATUS_BY_CODE if code in codes]


OPERATIONS = (
    Operation(
        "post",
        "/invoices",
        "createInvoice",
        "Issue an invoice",
        responses.InvoiceResponse,
        Scope.INVOICES_WRITE,
        201,
        requests.InvoiceRequest,
        codes=("quota_invoices",),
    ),
    Operation(
        "get",
        "/invoices",
        "listInvoices",
        "List invoices",
        responses.Invoices,
        Scope.INVOICES_READ,
        filters=INVOICE_PARAMETERS,
        is_paged=True,
    ),
    Operation(
        "get",
        "/invoices/{invoice_id}",
        "getInvoice",
        "Read an invoice",
        responses.InvoiceResponse,
        Scope.INVOICES_READ,
    ),
    Operation(
        "post",
        "/invoices/{invoice_id}/void",
        "voidInvoice",
        "Void an invoice",
        responses.InvoiceResponse,
        Scope.INVOICES_WRITE,
        codes=("invoice_already_paid", "invoice_not_open"),
    ),
    Operation(
        "get",
        "/payments",
        "listPayments",
        "List payments",
        responses.Payments,
        Scope.PAYMENTS_READ,
        filters=PAYMENT_PARAMETERS,
        is_paged=True,
    ),
    Operation(
        "get",
        "/payments/{payment_id}",
        "getPayment",
        "Read a payment",
        responses.PaymentResponse,
        Scope.PAYMENTS_READ,
    ),
    Operation(
        "post",
        "/payments/{payment_id}/refunds",
        "createRefund",
        "Request a refund",
        responses.RefundResponse,
        Scope.REFUNDS_WRITE,
        201,
        requests.RefundRequest,
        codes=(
            "payment_not_captured",
            "refund_too_large",
            "already_refunded",
            "refund_currency",
            "refund_over_limit",
        ),
    ),
    Operation(
        "get",
        "/payments/{payment_id}/refunds",
        "listRefunds",
        "List the refunds of a payment",
        responses.Refunds,
        Scope.REFUNDS_READ,
    ),
    Operation(
        "get",
        "/refunds/{refund_id}",
        "getRefund",
        "Read a refund",
        responses.RefundResponse,
        Scope.REFUNDS_READ,
    ),
    Operation(
        "get",
        "/services",
        "listServices",
        "List services",
        responses.Services,
        Scope.SERVICES_READ,
        is_paged=True,
    ),
    Operation(
        "post",
        "/exports",
        "createExport",
        "Export a list as a file",
        exports.ExportResponse,
        Scope.PAYMENTS_READ,
        202,
        exports.ExportRequest,
        codes=("exports_running", "forbidden"),
    ),
    Operation(
        "get",
        "/exports/{export_id}",
        "getExport",
        "Read an export and its link",
        exports.ExportResponse,
        Scope.PAYMENTS_READ,
        codes=("forbidden",),
    ),
)

_PATH = {
    "invoice_id": "^inv_[0-9a-z]{10,40}$",
    "payment_id": "^pay_[0-9a-z]{10,40}$",
    "refund_id": "^ref_[0-9a-z]{10,40}$",
    "export_id": "^exp_[0-9a-z]{10,40}$",
}
# Struct or enum name → public schema name, where the names differ.
_PUBLIC_NAMES = {"Origin": "RefundOrigin", "QuestionKind": "Kind", "Kind": "ExportKind"}
_IDEMPOTENCY_HEADER: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A new key for each new request. The same key with the same body returns the"
    " first response again, with `Idempotent-Replayed: true`. Keys are stored for at least"
    " three days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"},
    "example": "order-42",
}
# On every response to a request with an API key; source: web.api.http.
_RATE_LIMIT_HEADERS = {
    "RateLimit-Limit": ("integer", "Requests allowed to the API key in the current window"),
    "RateLimit-Remaining": ("integer", "Requests left of the window"),
    "RateLimit-Reset": ("integer", "Seconds until the window ends"),
    "RateLimit-Policy": ("string", "The limit and the length of its window, such as `1200;w=60`"),
}
_RETRY_AFTER: Json = {
    "description": "Seconds to wait before the request is sent again",
    "schema": {"type": "integer", "minimum": 1},
}


def document(base_url: str) -> Json:
    """Return the OpenAPI document. `base_url`: public URL of the server, without a final slash."""
    paths: Json = {}
    for operation in OPERATIONS:
        paths.setdefault(PREFIX + operation.path, {})[operation.method] = _operation(operation)
    shapes = [o.response for o in OPERATIONS] + [o.body for o in OPERATIONS if o.body]
    _, schemas = msgspec.json.schema_components(
        [*shapes, ProblemResponse], ref_template=REF_TEMPLATE
    )
    content = {
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
                _public_name(name): {**schema, "title": _public_name(name)}
                for name, schema in schemas.items()
            },
            "headers": {
                name: {"description": text, "schema": {"type": kind}}
                for name, (kind, text) in _RATE_LIMIT_HEADERS.items()
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key: Settings, API keys, or `sigma key create`. Each"
                    " operation names the scope that the key needs; all scopes: "
                    + ", ".join(f"`{scope}`" for scope in Scope),
                }
            },
        },
    }
    document: Json = _with_public_names(content)
    return document


def _operation(operation: Operation) -> Json:
    description: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Scope of the key: `{operation.scope}`.",
        "tags": [operation.path.split("/")[1]],
        "security": [{"key": [str(operation.scope)]}],
        "parameters": _parameters(operation),
        "responses": {
            str(operation.status): _success_response(operation),
            **_problem_responses(operation),
        },
    }
    if operation.body:
        content: Json = {"schema": _ref(operation.body)}
        if example := examples.REQUEST_BODIES.get(operation.name):
            content["example"] = example
        description["requestBody"] = {"required": True, "content": {"application/json": content}}
    return description


def _parameters(operation: Operation) -> list[Json]:
    parameters = [_IDEMPOTENCY_HEADER] if operation.method == "post" else []
    for name, pattern in _PATH.items():
        if f"{{{name}}}" in operation.path:
            schema = {"type": "string", "pattern": pattern}
            parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    parameters += [
        _query_parameter(name, text, schema)
        for name, text, schema in filter_parameters(operation.filters, operation.path)
    ]
    if operation.is_paged:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        parameters.append(_query_parameter("limit", "Page size", limit))
        cursor = {"type": "string", "pattern": "^[a-z]{3}_[0-9a-z]{10,40}$"}
        parameters.append(_query_parameter("cursor", "`next_cursor` of the previous page", cursor))
    return parameters


def _query_parameter(name: str, text: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _success_response(operation: Operation) -> Json:
    content: Json = {"schema": _ref(operation.response)}
    if example := examples.RESPONSE_BODIES.get(operation.response.__name__):
        content["example"] = example
    response: Json = {
        "description": operation.summary,
        "headers": _rate_limit_headers(),
        "content": {"application/json": content},
    }
    if operation.method == "post":
        response["headers"] |= {
            "Idempotent-Replayed": {
                "description": "“true” when this is the stored response of an earlier request",
                "schema": {"const": "true"},
            }
        }
    return response


def _rate_limit_headers() -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_LIMIT_HEADERS}


def _problem_responses(operation: Operation) -> Json:
    """Return one response for each HTTP status, with an example for each of its codes."""
    by_status: dict[int, list[str]] = {}
    for code in operation.all_codes:
        by_status.setdefault(STATUS_BY_CODE[code], []).append(code)
    return {
        str(status): {
            "description": ", ".join(codes),
            "headers": _rate_limit_headers()
            | ({"Retry-After": _RETRY_AFTER} if status == 429 else {}),
            "content": {
                MEDIA_TYPE: {
                    "schema": _ref(ProblemResponse),
                    "examples": {
                        code: {"value": examples.problem_document(code)} for code in codes
                    },
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _ref(shape: type[Struct]) -> Json:
    return {"$ref": REF_TEMPLATE.format(name=shape.__name__)}


def _public_name(name: str) -> str:
    """Return the public schema name of a struct: InvoiceResponse is "Invoice" in the document."""
    if name.endswith(".Status"):
        name = name.split(".")[-2].capitalize() + "Status"
    return _PUBLIC_NAMES.get(name) or name.removesuffix("Response")


def _with_public_names(content: Any) -> Any:
    """Return the document with public schema names in all references."""
    if isinstance(content, dict):
        if isinstance(ref := content.get("$ref"), str):
            head, _, name = ref.rpartition("/")
            return {"$ref": f"{head}/{_public_name(name)}"}
        return {name: _with_public_names(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_with_public_names(value) for value in content]
    return content


@functools.lru_cache(maxsize=2)
def _encoded_document(base_url: str) -> bytes:
    return msgspec.json.encode(document(base_url))


@get("/openapi.json")
async def openapi(ctx: Ctx) -> Response[bytes]:
    """Return the OpenAPI document."""
    return Response(_encoded_document(ctx.settings.base_url), media_type="application/json")


HANDLERS = [openapi]
