"""The public JSON API, version 1: bearer keys, problem documents, idempotency keys."""

from litestar import Router
from litestar.di import Provide

from sigma.web.api import exports, invoices, openapi, payments, refunds, services
from sigma.web.api.http import MAX_BODY_BYTES, authenticate

router = Router(
    "/api/v1",
    route_handlers=[
        Router(
            "/",
            route_handlers=[
                *invoices.HANDLERS,
                *payments.HANDLERS,
                *refunds.HANDLERS,
                *services.HANDLERS,
                *exports.HANDLERS,
            ],
            dependencies={"member": Provide(authenticate)},
        ),
        *openapi.HANDLERS,
    ],
    request_max_body_size=MAX_BODY_BYTES,
)
