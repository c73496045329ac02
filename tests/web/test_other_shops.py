"""Another shop of the same database sees and changes nothing here, and each role gets what the
table of permissions says: at every address that the application has.
"""

import base64
import itertools
import re

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from sigma.domain.accounts.member import MAY, Permission, Role
from sigma.services.communities.access_keys import ticket
from sigma.services.context import Context
from sigma.web.app import create_app
from sigma.web.cabinet.guards import signed_in
from sigma.web.cabinet.services import price_list
from tests import leaks
from tests.vk_world import VkWorld
from tests.web import two_shops
from tests.web.two_shops import SECRETS, Person, everything, kept, person_of, second_shop

READ, ISSUE, ANSWER = Permission.READ, Permission.ISSUE, Permission.ANSWER
CATALOGUE, SETTINGS, JOBS = Permission.CATALOGUE, Permission.SETTINGS, Permission.JOBS

# What a person must be allowed at each address of the cabinet. A new address needs its line here.
NEEDS = {
    "GET /": READ,
    "POST /locale": READ,
    "POST /sign-out": READ,
    "GET /settings": READ,
    "GET /settings/access": READ,
    "POST /settings/access": READ,
    "GET /settings/shop": READ,
    "POST /settings/shop": SETTINGS,
    "GET /settings/auto-answers": SETTINGS,
    "POST /settings/auto-answers": SETTINGS,
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
    "GET /settings/keys": SETTINGS,
    "POST /settings/keys": SETTINGS,
    "POST /settings/keys/{key_id}/revoke": SETTINGS,
    "GET /settings/jobs": JOBS,
    "POST /settings/jobs/retry": JOBS,
    "POST /settings/jobs/dismiss": JOBS,
    "GET /board": READ,
    "POST /board/cards/{card_id}/remind": ANSWER,
    "POST /board/mails/{payment_id}/again": ISSUE,
    "GET /inbox": ANSWER,
    "GET /inbox/live": ANSWER,
    "GET /inbox/{conversation_id}": ANSWER,
    "POST /inbox/{conversation_id}/send": ANSWER,
    "POST /inbox/{conversation_id}/messages/{message_id}/again": ANSWER,
    "POST /inbox/{conversation_id}/answered": ANSWER,
    "POST /inbox/{conversation_id}/hand": ANSWER,
    "POST /inbox/{conversation_id}/answering": ANSWER,
    "POST /inbox/{conversation_id}/read": ANSWER,
    "GET /inbox/{dialog_id}/invoice": ISSUE,
    "POST /inbox/{dialog_id}/phrase": ISSUE,
    "GET /invoices": READ,
    "GET /invoices/new": ISSUE,
    "POST /invoices/new": ISSUE,
    "POST /invoices/preview": ISSUE,
    "GET /invoices/{invoice_id}": READ,
    "GET /invoices/{invoice_id}/qr.png": READ,
    "GET /invoices/{invoice_id}/qr.svg": READ,
    "POST /invoices/{invoice_id}/issue": ISSUE,
    "POST /invoices/{invoice_id}/void": ISSUE,
    "GET /invoices/{invoice_id}/send": ANSWER,
    "POST /invoices/{invoice_id}/send/{dialog_id}": ANSWER,
    "GET /payments": READ,
    "GET /payments/{payment_id}": READ,
    "POST /payments/{payment_id}/ask": READ,
    "POST /payments/{payment_id}/capture": Permission.CAPTURE,
    "POST /payments/{payment_id}/cancel": Permission.CAPTURE,
    "POST /payments/{payment_id}/mail": ISSUE,
    "POST /payments/{payment_id}/refund": Permission.REFUND,
    "POST /payments/{payment_id}/refund/sure": Permission.REFUND,
    "GET /services": READ,
    "GET /services/new": CATALOGUE,
    "POST /services/new": CATALOGUE,
    "POST /services/preview": CATALOGUE,
    "GET /services/page": CATALOGUE,
    "POST /services/page": CATALOGUE,
    "GET /services/page/qr/{kind}": READ,
    "GET /services/export.csv": READ,
    "GET /services/exchange": CATALOGUE,
    "POST /services/exchange/csv": CATALOGUE,
    "POST /services/exchange/csv/apply": CATALOGUE,
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
# Where no session is asked for: what proves that somebody may is in the address or the body.
OPEN = {
    *("GET /sign-in", "POST /sign-in", "GET /start", "POST /start"),
    *("GET /accent/{name}", "GET /static/{file_path}", "GET /photos/{photo_id}"),
    *("GET /i/{token}", "POST /i/{token}", "POST /i/{token}/seen", "GET /r/{token}"),
    *("GET /i/{token}/wait/{payment_token}", "GET /i/{token}/wait/{payment_token}/state"),
    *("GET /s/{slug}", "GET /s/{slug}/{service_id}", "POST /s/{slug}/{service_id}"),
    *("POST /hooks/vk/{connection_id}", "POST /hooks/{provider}/{connection_id}"),
    *("GET /healthz", "GET /readyz", "GET /metrics"),
}
API = {
    *("GET /api/v1/openapi.json", "GET /api/v1/services"),
    *("GET /api/v1/invoices", "POST /api/v1/invoices", "GET /api/v1/invoices/{invoice_id}"),
    *("POST /api/v1/invoices/{invoice_id}/void", "GET /api/v1/payments"),
    *("GET /api/v1/payments/{payment_id}", "GET /api/v1/payments/{payment_id}/refunds"),
    *("POST /api/v1/payments/{payment_id}/refunds", "GET /api/v1/refunds/{refund_id}"),
}
PLAIN = {"kind": "dialog.svg", "name": "messages"}  # parameters that name nobody's thing
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
    "wanted": "longpoll",
    "title": "Взлом",
    "price": "fixed",
    "amount": "1",
    "description": "Взлом",
    "on": "1",
}


def addresses(ctx: Context) -> dict[str, bool]:
    """Every address of the application as "METHOD /path", and whether a session guards it."""
    app = create_app(ctx)._inner._inner
    assert isinstance(app, Litestar)
    found = {}
    for route in app.routes:
        assert isinstance(route, HTTPRoute)
        path = re.sub(
            r":[a-z]+}", "}", route.path_format.replace("{file_path:path}", "{file_path}")
        )
        for method in route.methods - {"OPTIONS", "HEAD"}:
            handler, _ = route.route_handler_map[method]
            found[f"{method} {path}"] = signed_in in handler.resolve_guards()
    return found


def test_every_address_is_known(vk: VkWorld) -> None:
    found = addresses(vk.ctx)
    assert {one for one, guarded in found.items() if guarded} == set(NEEDS)
    assert {one for one, guarded in found.items() if not guarded} == OPEN | API


def named(address: str) -> list[str]:
    """The things that an address names."""
    return [name for name in re.findall(r"{(\w+)}", address) if name not in PLAIN]


def mixtures(address: str, theirs: dict[str, str], own: dict[str, str]) -> list[tuple[str, str]]:
    """Method and path with another shop's things in it, each in turn and all of them."""
    method, path = address.split()
    names = named(address)
    made = []
    for whose in itertools.product((theirs, own), repeat=len(names)):
        if theirs in whose and all(name in some for name, some in zip(names, whose, strict=True)):
            ids = {name: some[name] for name, some in zip(names, whose, strict=True)}
            made.append((method, path.format(**PLAIN, **ids)))
    return made


async def test_another_shop_finds_nothing_and_changes_nothing(vk: VkWorld) -> None:
    theirs, own = await everything(vk), await second_shop(vk)
    before = await kept(vk.ctx)
    tried = 0
    async with person_of(vk.ctx, own["shop_id"], Role.OWNER) as thief:
        for address in filter(named, NEEDS):
            for method, path in mixtures(address, theirs, own):
                answer = await thief.asks(method, path, **FORM)
                if method == "GET" and answer.status_code == 303:  # led to the full form
                    answer = await thief.asks(method, answer.headers["location"])
                assert answer.status_code in (404, 409), f"{method} {path}: {answer.status_code}"
                assert not told_of(answer, theirs, path), path
                tried += 1
    async with two_shops.program_of(vk.ctx, own["shop_id"]) as program:
        for address in filter(named, API):
            for method, path in mixtures(address, theirs, own):
                answer = await program.asks(method, path)
                assert answer.status_code in (400, 404), f"{method} {path}"
                assert not told_of(answer, theirs, path), path
                tried += 1
        for path in ("/services", "/invoices", "/payments"):
            answer = await program.asks("GET", f"/api/v1{path}")
            assert answer.status_code == 200
            assert not told_of(answer, theirs), path
    assert tried > 40
    assert await kept(vk.ctx) == before


def told_of(answer: httpx.Response, theirs: dict[str, str], path: str = "") -> list[str]:
    """What an answer says of another shop, beyond what the address itself has said."""
    names = [value for value in theirs.values() if value not in path]
    return [one for one in (*names, *SECRETS) if one in answer.text]


async def test_pages_of_another_shop_tell_nothing_of_this_one(vk: VkWorld) -> None:
    theirs, own = await everything(vk), await second_shop(vk)
    async with person_of(vk.ctx, own["shop_id"], Role.OWNER) as thief:
        for address in NEEDS:
            method, path = address.split()
            if method == "POST" or named(address) or path == "/inbox/live":
                continue
            for query in ("", "?q=маникюр", f"?q={SECRETS[1]}"):
                answer = await thief.asks("GET", path.format(**PLAIN) + query)
                assert answer.status_code in (200, 404), path
                found = [one for one in told_of(answer, theirs) if one not in query]
                assert not found, f"{path}{query}"


async def test_things_of_another_shop_in_forms_and_queries_are_not_found(vk: VkWorld) -> None:
    theirs, own = await everything(vk), await second_shop(vk)
    before = await kept(vk.ctx)
    issue = {"title": "Взлом", "amount": "100", "do": "issue", "nonce": "nonce-of-a-thief"}
    async with person_of(vk.ctx, own["shop_id"], Role.OWNER) as thief:
        for query in ("like={invoice_id}", "service={service_id}", "order={order_id}"):
            answer = await thief.asks("GET", "/invoices/new?" + query.format(**theirs))
            assert answer.status_code == 404, query
        answer = await thief.asks("GET", "/invoices/new?dialog=" + theirs["dialog_id"])
        assert answer.status_code == 404
        for form in (
            {"dialog": theirs["dialog_id"]},
            {"dialog": own["dialog_id"], "order": theirs["order_id"]},
            {"dialog": own["dialog_id"], "service": theirs["service_id"]},
            {"service": theirs["service_id"]},
        ):
            answer = await thief.asks("POST", "/invoices/new", **issue, **form)
            assert answer.status_code in (404, 422), form
            assert not told_of(answer, theirs), form
        answer = await thief.asks("POST", "/services/new", **FORM, photo_id=theirs["photo_id"])
        assert answer.status_code == 422, "a photo of another shop"
        sealed = ticket(vk.ctx, vk.member, vk.token)
        for path in ("/vk/connect/confirm", f"/vk/{own['community_id']}/key"):
            assert (await thief.asks("POST", path, ticket=sealed)).status_code == 422, path
        for path in ("/settings/jobs/retry", "/settings/jobs/dismiss"):
            job = f"community.watch:{theirs['community_id']}"
            assert (await thief.asks("POST", path, job=job)).status_code == 404, path
    now = await kept(vk.ctx)
    changed = {name for name in now if now[name] != before[name]}
    assert changed <= {"counters"}, "a number of the thief's own shop may have been taken"


async def test_a_price_list_with_ids_of_another_shop_changes_nothing(vk: VkWorld) -> None:
    theirs, own = await everything(vk), await second_shop(vk)
    before = await kept(vk.ctx)
    file = f"id;название;цена\r\n{theirs['service_id']};Взлом;1\r\n".encode()
    ((listed,), problems) = price_list.read(file)
    assert listed.service_id == theirs["service_id"]
    assert not problems
    async with person_of(vk.ctx, own["shop_id"], Role.OWNER) as thief:
        body = base64.b64encode(file).decode()
        answer = await thief.asks("POST", "/services/exchange/csv/apply", body=body)
        assert answer.status_code == 303
    assert await kept(vk.ctx) == before


async def test_the_public_page_sells_the_services_of_its_own_shop_alone(vk: VkWorld) -> None:
    theirs, own = await everything(vk), await second_shop(vk)
    before = await kept(vk.ctx)
    async with person_of(vk.ctx, own["shop_id"], Role.OWNER) as anybody:
        for method in ("GET", "POST"):
            answer = await anybody.asks(method, f"/s/salon-shepot/{own['service_id']}")
            assert answer.status_code == 404, "a service of another shop"
            answer = await anybody.asks(method, f"/s/chuzhie/{theirs['service_id']}")
            assert answer.status_code == 404, "a page that nobody has opened"
    assert await kept(vk.ctx) == before


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_a_role_gets_what_the_table_says_and_nothing_more(vk: VkWorld, role: Role) -> None:
    theirs = await everything(vk)
    before = await kept(vk.ctx)
    async with person_of(vk.ctx, vk.shop.id, role) as colleague:
        for address, needed in NEEDS.items():
            if needed in MAY[role]:
                continue
            answer = await asked(colleague, address, theirs)
            assert answer.status_code == 403, f"{address}: {answer.status_code}"
            found = [one for one in (SECRETS[1], SECRETS[2]) if one in answer.text]
            assert not found, address
        assert await kept(vk.ctx) == before
        for address, needed in NEEDS.items():
            if needed in MAY[role] and address not in ("GET /inbox/live", "POST /sign-out"):
                answer = await asked(colleague, address, theirs)
                assert answer.status_code != 403, address
                assert answer.status_code < 500, f"{address}: {answer.status_code}"


async def asked(person: Person, address: str, things: dict[str, str]) -> httpx.Response:
    """An address of the person's own shop."""
    method, path = address.split()
    return await person.asks(method, path.format(**PLAIN, **things), **FORM)


async def test_a_viewer_reads_no_words_of_clients_on_any_page(vk: VkWorld) -> None:
    theirs = await everything(vk)
    await vk.client_writes(SECRETS[2])  # nobody has answered it yet
    await vk.hear()
    async with person_of(vk.ctx, vk.shop.id, Role.VIEWER) as viewer:
        for address, needed in NEEDS.items():
            if address.startswith("GET") and needed is READ:
                answer = await asked(viewer, address, theirs)
                hidden = [*leaks.ANSWERS, SECRETS[2]]
                assert not [one for one in hidden if one in answer.text], address


async def test_nobody_at_all_gets_past_the_door(vk: VkWorld) -> None:
    theirs = await everything(vk)
    before = await kept(vk.ctx)
    async with person_of(vk.ctx, vk.shop.id, Role.OWNER) as nobody:
        nobody.http.cookies.clear()
        for address in NEEDS:
            answer = await asked(nobody, address, theirs)
            assert answer.status_code == 303, address
            assert answer.headers["location"].startswith("/sign-in"), address
        for address in sorted(API - {"GET /api/v1/openapi.json"}):
            answer = await asked(nobody, address, theirs)
            assert answer.status_code == 401, address
    assert await kept(vk.ctx) == before


async def test_a_form_of_another_site_changes_nothing_anywhere(vk: VkWorld) -> None:
    theirs = await everything(vk)
    before = await kept(vk.ctx)
    async with person_of(vk.ctx, vk.shop.id, Role.OWNER) as owner:
        for address in NEEDS:
            method, path = address.split()
            if method == "GET":
                continue
            path = path.format(**PLAIN, **theirs)
            for csrf, origin, site in (
                ("", two_shops.BASE, "same-origin"),
                ("guess", two_shops.BASE, "same-origin"),
                (owner.csrf, "https://evil.example", "cross-site"),
                (owner.csrf, two_shops.BASE, "same-site"),
            ):
                sent = {"origin": origin, "sec-fetch-site": site}
                answer = await owner.http.post(path, data=FORM | {"csrf": csrf}, headers=sent)
                assert answer.status_code == 403, address
    assert await kept(vk.ctx) == before


async def test_a_link_that_somebody_follows_changes_nothing(vk: VkWorld) -> None:
    """Opening a dialog reads it; no other page does anything by being looked at."""
    theirs = await everything(vk)
    before = await kept(vk.ctx)
    async with person_of(vk.ctx, vk.shop.id, Role.OWNER) as owner:
        for address in NEEDS:
            if address in ("GET /inbox/live", "GET /inbox/{conversation_id}"):
                continue
            if address.startswith("GET"):
                answer = await asked(owner, address, theirs)
                assert answer.status_code < 500, address
                now = await kept(vk.ctx)
                assert now == before, address
