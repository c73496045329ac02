"""Every route of the application, with the permission that it requires."""

import re

import httpx
from litestar.routes import HTTPRoute

from sigma.domain.accounts.member import Permission, Scope
from sigma.web.app import build_router
from sigma.web.cabinet.guards import require_session
from tests.web.two_shops import Actor

READ, ISSUE, ANSWER = Permission.READ, Permission.ISSUE, Permission.ANSWER
CATALOGUE, SETTINGS, JOBS = Permission.CATALOGUE, Permission.SETTINGS, Permission.JOBS
KEYS, TEAM, OWNERSHIP = Permission.KEYS, Permission.TEAM, Permission.OWNERSHIP

# The permission that each route of the cabinet requires. Add every new route here.
REQUIRED_PERMISSIONS = {
    "GET /": READ,
    "POST /locale": READ,
    "POST /sign-out": READ,
    "GET /settings": READ,
    "GET /settings/access": READ,
    "POST /settings/access": READ,
    "POST /settings/access/sessions/{session_id}/end": READ,
    "POST /settings/access/sessions/end-others": READ,
    "POST /settings/access/rules": SETTINGS,
    "GET /settings/access/passkeys/options": READ,
    "POST /settings/access/passkeys": READ,
    "POST /settings/access/passkeys/{passkey_id}/remove": READ,
    "POST /settings/access/app/new": READ,
    "POST /settings/access/app": READ,
    "POST /settings/access/app/remove": READ,
    "POST /settings/access/recovery-codes": READ,
    "GET /reauthenticate": READ,
    "GET /reauthenticate/options": READ,
    "POST /reauthenticate": READ,
    "GET /settings/shop": READ,
    "POST /settings/shop": SETTINGS,
    "GET /settings/auto-answers": SETTINGS,
    "POST /settings/auto-answers": SETTINGS,
    "GET /settings/reminders": SETTINGS,
    "POST /settings/reminders": SETTINGS,
    "GET /settings/connections": SETTINGS,
    "GET /settings/connections/new": READ,
    "POST /settings/connections/new": SETTINGS,
    "GET /settings/connections/{connection_id}": SETTINGS,
    "POST /settings/connections/{connection_id}": SETTINGS,
    "POST /settings/connections/{connection_id}/check": SETTINGS,
    "POST /settings/connections/{connection_id}/switch": SETTINGS,
    "GET /settings/mail": READ,
    "POST /settings/mail": SETTINGS,
    "POST /settings/mail/test": SETTINGS,
    "GET /settings/notifications": READ,
    "POST /settings/notifications": READ,
    "POST /settings/notifications/link": READ,
    "GET /settings/notifications/link/{way}": READ,
    "POST /settings/notifications/push": READ,
    "POST /settings/notifications/addresses/{address_id}/remove": READ,
    "POST /settings/notifications/test": READ,
    "POST /settings/notifications/telegram": SETTINGS,
    "POST /settings/notifications/telegram/remove": SETTINGS,
    "GET /settings/keys": KEYS,
    "POST /settings/keys": KEYS,
    "POST /settings/keys/{key_id}/revoke": KEYS,
    "GET /settings/team": TEAM,
    "POST /settings/team/invitations": TEAM,
    "POST /settings/team/invitations/{invitation_id}/revoke": TEAM,
    "POST /settings/team/limits": TEAM,
    "POST /settings/team/members/{user_id}/role": TEAM,
    "POST /settings/team/members/{user_id}/remove": TEAM,
    "POST /settings/team/members/{user_id}/hand-over": OWNERSHIP,
    "POST /settings/leave": READ,
    "GET /shops": READ,
    "GET /shops/switch": READ,
    "POST /shops/switch": READ,
    "GET /settings/data": SETTINGS,
    "POST /settings/data": SETTINGS,
    "GET /customers": READ,
    "GET /customers/{customer_id}": READ,
    "POST /customers/{customer_id}": Permission.CUSTOMERS,
    "GET /customers/{customer_id}/merge": Permission.CUSTOMERS,
    "POST /customers/{customer_id}/merge": Permission.CUSTOMERS,
    "POST /customers/{customer_id}/split": Permission.CUSTOMERS,
    "POST /customers/moves/{move_id}/undo": Permission.CUSTOMERS,
    "POST /customers/suggestions/{suggestion_id}/dismiss": Permission.CUSTOMERS,
    "GET /customers/{subject_id}/data": Permission.PERSONAL_DATA,
    "POST /customers/{subject_id}/data/export": Permission.PERSONAL_DATA,
    "POST /customers/{subject_id}/data/erase": Permission.PERSONAL_DATA,
    "GET /settings/audit": Permission.AUDIT,
    "GET /settings/audit.csv": Permission.AUDIT,
    "GET /settings/jobs": JOBS,
    "POST /settings/jobs/retry": JOBS,
    "POST /settings/jobs/dismiss": JOBS,
    "GET /board": READ,
    "POST /board/cards/{card_id}/remind": ANSWER,
    "POST /board/mails/{payment_id}/again": ISSUE,
    "POST /board/payments/{payment_id}/accept": Permission.REFUND,
    "POST /board/payments/{payment_id}/refund-all": Permission.REFUND,
    "GET /inbox": ANSWER,
    "GET /inbox/live": ANSWER,
    "GET /inbox/unread": ANSWER,
    "GET /inbox/{conversation_id}": ANSWER,
    "POST /inbox/{conversation_id}/send": ANSWER,
    "POST /inbox/{conversation_id}/messages/{message_id}/again": ANSWER,
    "POST /inbox/{conversation_id}/answered": ANSWER,
    "POST /inbox/{conversation_id}/hand": ANSWER,
    "POST /inbox/{conversation_id}/answering": ANSWER,
    "POST /inbox/{conversation_id}/read": ANSWER,
    "GET /inbox/{conversation_id}/invoice": ISSUE,
    "POST /inbox/{conversation_id}/phrase": ISSUE,
    "GET /invoices": READ,
    "GET /invoices/live": READ,
    "POST /invoices/views": READ,
    "POST /invoices/views/{view_id}/delete": SETTINGS,  # a shared one
    "GET /payments/live": READ,
    "POST /payments/views": READ,
    "POST /payments/views/{view_id}/delete": SETTINGS,
    "GET /invoices/import": ISSUE,
    "POST /invoices/import": ISSUE,
    "POST /invoices/import/preview": ISSUE,
    "POST /invoices/import/apply": ISSUE,
    "GET /invoices/import/{batch_id}": READ,
    "POST /invoices/import/{batch_id}/undo": ISSUE,
    "GET /invoices/new": ISSUE,
    "POST /invoices/new": ISSUE,
    "POST /invoices/preview": ISSUE,
    "GET /invoices/{invoice_id}": READ,
    "GET /invoices/{invoice_id}/qr.png": READ,
    "GET /invoices/{invoice_id}/qr.svg": READ,
    "POST /invoices/{invoice_id}/issue": ISSUE,
    "POST /invoices/{invoice_id}/void": ISSUE,
    "POST /invoices/{invoice_id}/mail": ISSUE,
    "POST /invoices/{invoice_id}/reminders": ISSUE,
    "GET /invoices/{invoice_id}/send": ANSWER,
    "POST /invoices/{invoice_id}/send/{conversation_id}": ANSWER,
    "GET /payments": READ,
    "GET /payments/reconciliation": READ,
    "POST /payments/reconciliation": Permission.RECONCILE,
    "POST /payments/reconciliation/differences/{difference_id}": Permission.RECONCILE,
    "POST /payments/reconciliation/{run_id}/foreign": Permission.RECONCILE,
    "GET /reports/statement": Permission.REPORTS,
    "GET /reports/statement/{month}/{file_format}": Permission.REPORTS,
    "GET /payments/{payment_id}": READ,
    "POST /payments/{payment_id}/ask": READ,
    "POST /payments/{payment_id}/capture": Permission.CAPTURE,
    "POST /payments/{payment_id}/cancel": Permission.CAPTURE,
    "POST /payments/{payment_id}/accept": Permission.REFUND,
    "POST /payments/{payment_id}/refund-all": Permission.REFUND,
    "POST /payments/{payment_id}/mail": ISSUE,
    "POST /payments/{payment_id}/refund": Permission.REFUND,
    "POST /payments/{payment_id}/refund/sure": Permission.REFUND,
    "GET /exports": READ,
    "GET /exports/new": READ,
    "POST /exports": READ,
    "POST /exports/{export_id}/file": Permission.READ_ANSWERS,  # it has answers
    "GET /services": READ,
    "GET /services/new": CATALOGUE,
    "POST /services/new": CATALOGUE,
    "POST /services/preview": CATALOGUE,
    "GET /services/page": CATALOGUE,
    "POST /services/page": CATALOGUE,
    "GET /services/page/qr/{kind}": READ,
    "GET /services/export.csv": READ,
    "GET /services/exchange": CATALOGUE,
    "POST /services/exchange/file": CATALOGUE,
    "POST /services/exchange/file/preview": CATALOGUE,
    "POST /services/exchange/file/apply": CATALOGUE,
    "POST /services/categories/move": CATALOGUE,
    "GET /services/exchange/vk/{community_id}": CATALOGUE,
    "POST /services/exchange/vk/{community_id}": CATALOGUE,
    "GET /services/{service_id}": READ,
    "POST /services/{service_id}": CATALOGUE,
    "POST /services/{service_id}/move": CATALOGUE,
    "POST /services/{service_id}/show": CATALOGUE,
    "POST /services/{service_id}/delete": CATALOGUE,
    "GET /services/{service_id}/qr/{kind}": READ,
    "GET /vk": SETTINGS,
    "GET /vk/connect": SETTINGS,
    "POST /vk/connect": SETTINGS,
    "POST /vk/connect/confirm": SETTINGS,
    "GET /vk/{community_id}": SETTINGS,
    "POST /vk/{community_id}/check": SETTINGS,
    "POST /vk/{community_id}/key": SETTINGS,
    "POST /vk/{community_id}/delivery": SETTINGS,
    "POST /vk/{community_id}/disconnect": SETTINGS,
    "POST /vk/{community_id}/checklist": SETTINGS,
    "POST /vk/{community_id}/checklist/{name}": SETTINGS,
}
# Pages for administrators of the installation, whatever their role in a shop is.
ADMINISTRATOR_ROUTES = {
    *("GET /installation/shops", "POST /installation/shops"),
    *("GET /installation/shops/{shop_id}", "POST /installation/shops/{shop_id}"),
}
# They end the session or the rights of the person who calls them: each has a test of its own.
ENDING_ROUTES = {
    "POST /sign-out",
    "POST /settings/leave",
    "POST /settings/team/members/{user_id}/hand-over",
}
# Routes without a session: a token in the path or a secret in the body gives the access.
PUBLIC_ROUTES = {
    *("GET /sign-in", "POST /sign-in", "GET /start", "POST /start"),
    *("GET /invitations/{token}", "POST /invitations/{token}"),
    *("GET /sign-in/passkey/options", "POST /sign-in/passkey"),
    *("GET /sign-in/second-factor", "POST /sign-in/second-factor"),
    *("GET /sign-in/second-factor/options", "POST /sign-in/second-factor/cancel"),
    *("GET /sign-in/reset", "POST /sign-in/reset"),
    *("GET /sign-in/reset/{token}", "POST /sign-in/reset/{token}"),
    *("GET /accent/{name}", "GET /static/{file_path}", "GET /photos/{photo_id}"),
    *("GET /app/manifest.webmanifest", "GET /app/{name}", "GET /service-worker.js"),
    *("GET /i/{token}", "POST /i/{token}", "POST /i/{token}/seen", "GET /r/{token}"),
    *("GET /i/{token}/wait/{payment_token}", "GET /i/{token}/wait/{payment_token}/state"),
    *("GET /s/{slug}", "GET /s/{slug}/{service_id}", "POST /s/{slug}/{service_id}"),
    *("POST /hooks/vk/{connection_id}", "POST /hooks/{provider}/{connection_id}/{token}"),
    "GET /exports/{export_id}/{actor}/{expires_at}/{signature}",
    "GET /stop/{shop_id}/{client_hash}/{signature}",
    "POST /stop/{shop_id}/{client_hash}/{signature}",
    *("GET /healthz", "GET /readyz", "GET /metrics"),
}
# The scope that each route of the API requires; None: open to everybody.
API_ROUTES = {
    "GET /api/v1/openapi.json": None,
    "GET /api/v1/services": Scope.SERVICES_READ,
    "GET /api/v1/invoices": Scope.INVOICES_READ,
    "POST /api/v1/invoices": Scope.INVOICES_WRITE,
    "GET /api/v1/invoices/{invoice_id}": Scope.INVOICES_READ,
    "POST /api/v1/invoices/{invoice_id}/void": Scope.INVOICES_WRITE,
    "GET /api/v1/payments": Scope.PAYMENTS_READ,
    "GET /api/v1/payments/{payment_id}": Scope.PAYMENTS_READ,
    "GET /api/v1/payments/{payment_id}/refunds": Scope.REFUNDS_READ,
    "POST /api/v1/payments/{payment_id}/refunds": Scope.REFUNDS_WRITE,
    "GET /api/v1/refunds/{refund_id}": Scope.REFUNDS_READ,
    "POST /api/v1/exports": Scope.PAYMENTS_READ,
    "GET /api/v1/exports/{export_id}": Scope.PAYMENTS_READ,
}
# Values of path parameters that are not ids.
OTHER_PARAMETERS = {
    "kind": "conversation.svg",
    "way": "vk",
    "name": "messages",
    "month": "2026-11",
    "file_format": "xlsx",
    "expires_at": "1",
    "signature": "x",
}
# A form that every route accepts as far as it can.
FORM = {
    "text": "Взлом",
    "key": "key-of-a-thief",
    "by": "auto",
    "typing": "yes",
    "last": "9",
    "phrase": "2500 маникюр",
    "do": "save",
    "way": "up",
    "visible": "0",
    "delivery": "long_poll",
    "title": "Взлом",
    "price": "fixed",
    "amount": "1",
    "role": "viewer",
    "description": "Взлом",
    "on": "1",
}


def app_routes() -> dict[str, bool]:
    """Return every route of the application as "METHOD /path" → whether it requires a session."""
    app = build_router()
    guarded_by_route = {}
    for route in app.routes:
        assert isinstance(route, HTTPRoute)
        path = re.sub(
            r":[a-z]+}", "}", route.path_format.replace("{file_path:path}", "{file_path}")
        )
        for method in route.methods - {"OPTIONS", "HEAD"}:
            handler, _ = route.route_handler_map[method]
            guarded_by_route[f"{method} {path}"] = require_session in handler.resolve_guards()
    return guarded_by_route


def id_parameters(route: str) -> list[str]:
    """Return the id parameters of a route."""
    return [name for name in re.findall(r"{(\w+)}", route) if name not in OTHER_PARAMETERS]


async def request_route(person: Actor, route: str, ids: dict[str, str]) -> httpx.Response:
    """Request a route with these ids."""
    method, path = route.split()
    return await person.request(method, path.format(**OTHER_PARAMETERS | ids), **FORM)
