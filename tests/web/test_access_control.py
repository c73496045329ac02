"""Tenancy on every route: another shop of the same database reads and changes nothing.

tests/web/test_role_matrix.py has the roles and the scopes of API keys.
"""

import itertools

import httpx

from sigma.domain.accounts.member import Role
from sigma.services.communities.access_keys import issue_ticket
from tests.price_lists import packed_file, parse_rows
from tests.vk_world import VkWorld
from tests.web import two_shops
from tests.web.cabinet_harness import BASE_URL
from tests.web.routes import (
    ADMINISTRATOR_ROUTES,
    API_ROUTES,
    FORM,
    OTHER_PARAMETERS,
    PUBLIC_ROUTES,
    REQUIRED_PERMISSIONS,
    app_routes,
    id_parameters,
    request_route,
)
from tests.web.two_shops import (
    PRIVATE_TEXTS,
    create_all_objects,
    create_second_shop,
    dump_protected_rows,
    signed_in_actor,
)


def test_every_route_is_listed_here() -> None:
    routes = app_routes()
    with_session = set(REQUIRED_PERMISSIONS) | ADMINISTRATOR_ROUTES
    assert {route for route, guarded in routes.items() if guarded} == with_session
    without_session = PUBLIC_ROUTES | set(API_ROUTES)
    assert {route for route, guarded in routes.items() if not guarded} == without_session


def requests_with_foreign_ids(
    route: str, theirs: dict[str, str], own: dict[str, str]
) -> list[tuple[str, str]]:
    """Return method and path of the route with every mixture of ids that has a foreign one."""
    method, path = route.split()
    names = id_parameters(route)
    requests = []
    for owners in itertools.product((theirs, own), repeat=len(names)):
        pairs = list(zip(names, owners, strict=True))
        if theirs in owners and all(name in ids_of_owner for name, ids_of_owner in pairs):
            ids = {name: ids_of_owner[name] for name, ids_of_owner in pairs}
            requests.append((method, path.format(**OTHER_PARAMETERS, **ids)))
    return requests


async def test_routes_with_ids_of_another_shop_reveal_and_change_nothing(vk_world: VkWorld) -> None:
    theirs, own = await create_all_objects(vk_world), await create_second_shop(vk_world)
    before = await dump_protected_rows(vk_world.ctx)
    request_count = 0
    async with signed_in_actor(vk_world.ctx, own["shop_id"], Role.OWNER) as attacker:
        for route in filter(id_parameters, REQUIRED_PERMISSIONS):
            for method, path in requests_with_foreign_ids(route, theirs, own):
                response = await attacker.request(method, path, **FORM)
                if method == "GET" and response.status_code == 303:  # redirected to the full form
                    response = await attacker.request(method, response.headers["location"])
                assert response.status_code in (404, 409), (
                    f"{method} {path}: {response.status_code}"
                )
                assert not leaked_values(response, theirs, path), path
                request_count += 1
    async with two_shops.api_actor(vk_world.ctx, own["shop_id"]) as program:
        for route in filter(id_parameters, API_ROUTES):
            for method, path in requests_with_foreign_ids(route, theirs, own):
                response = await program.request(method, path)
                assert response.status_code in (400, 404), f"{method} {path}"
                assert not leaked_values(response, theirs, path), path
                request_count += 1
        for path in ("/services", "/invoices", "/payments"):
            response = await program.request("GET", f"/api/v1{path}")
            assert response.status_code == 200
            assert not leaked_values(response, theirs), path
    assert request_count > 40
    assert await dump_protected_rows(vk_world.ctx) == before


def leaked_values(response: httpx.Response, theirs: dict[str, str], path: str = "") -> list[str]:
    """Return ids and secrets of the other shop in the response, except those in the path."""
    values = [value for value in theirs.values() if value not in path]
    return [value for value in (*values, *PRIVATE_TEXTS) if value in response.text]


async def test_lists_reveal_nothing_of_another_shop(vk_world: VkWorld) -> None:
    theirs, own = await create_all_objects(vk_world), await create_second_shop(vk_world)
    async with signed_in_actor(vk_world.ctx, own["shop_id"], Role.OWNER) as attacker:
        for route in REQUIRED_PERMISSIONS:
            method, path = route.split()
            if method == "POST" or id_parameters(route) or path.endswith("/live"):
                continue
            for query in ("", "?q=маникюр", f"?q={PRIVATE_TEXTS[1]}"):
                response = await attacker.request("GET", path.format(**OTHER_PARAMETERS) + query)
                assert response.status_code in (200, 303, 404), path
                leaked = [value for value in leaked_values(response, theirs) if value not in query]
                assert not leaked, f"{path}{query}"


async def test_ids_of_another_shop_in_forms_and_queries_are_not_found(vk_world: VkWorld) -> None:
    theirs, own = await create_all_objects(vk_world), await create_second_shop(vk_world)
    before = await dump_protected_rows(vk_world.ctx)
    issue = {"title": "Взлом", "amount": "100", "do": "issue", "nonce": "nonce-of-a-thief"}
    async with signed_in_actor(vk_world.ctx, own["shop_id"], Role.OWNER) as attacker:
        for query in ("like={invoice_id}", "service={service_id}", "order={order_id}"):
            response = await attacker.request("GET", "/invoices/new?" + query.format(**theirs))
            assert response.status_code == 404, query
        response = await attacker.request(
            "GET", "/invoices/new?conversation=" + theirs["conversation_id"]
        )
        assert response.status_code == 404
        for form in (
            {"conversation": theirs["conversation_id"]},
            {"conversation": own["conversation_id"], "order": theirs["order_id"]},
            {"conversation": own["conversation_id"], "service": theirs["service_id"]},
            {"service": theirs["service_id"]},
        ):
            response = await attacker.request("POST", "/invoices/new", **issue, **form)
            assert response.status_code in (404, 422), form
            assert not leaked_values(response, theirs), form
        response = await attacker.request(
            "POST", "/services/new", **FORM, photo_id=theirs["photo_id"]
        )
        assert response.status_code == 422, "a photo of another shop"
        sealed = issue_ticket(vk_world.ctx, vk_world.member, vk_world.access_key)
        for path in ("/vk/connect/confirm", f"/vk/{own['community_id']}/key"):
            assert (await attacker.request("POST", path, ticket=sealed)).status_code == 422, path
        for path in ("/settings/jobs/retry", "/settings/jobs/dismiss"):
            job = f"community.check_events:{theirs['community_id']}"
            assert (await attacker.request("POST", path, job=job)).status_code == 404, path
    after = await dump_protected_rows(vk_world.ctx)
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {"counters"}, "only the counter of the attacker's own shop may change"


async def test_price_list_with_ids_of_another_shop_changes_nothing(vk_world: VkWorld) -> None:
    theirs, own = await create_all_objects(vk_world), await create_second_shop(vk_world)
    before = await dump_protected_rows(vk_world.ctx)
    file = f"id;название;цена\r\n{theirs['service_id']};Взлом;1\r\n".encode()
    (row,) = parse_rows(file)
    assert row.service_id == theirs["service_id"]
    async with signed_in_actor(vk_world.ctx, own["shop_id"], Role.OWNER) as attacker:
        body = packed_file(file)
        response = await attacker.request("POST", "/services/exchange/file/apply", body=body)
        assert response.status_code == 303
    assert await dump_protected_rows(vk_world.ctx) == before


async def test_public_page_sells_only_services_of_its_own_shop(vk_world: VkWorld) -> None:
    theirs, own = await create_all_objects(vk_world), await create_second_shop(vk_world)
    before = await dump_protected_rows(vk_world.ctx)
    async with signed_in_actor(vk_world.ctx, own["shop_id"], Role.OWNER) as other_owner:
        for method in ("GET", "POST"):
            response = await other_owner.request(method, f"/s/salon-shepot/{own['service_id']}")
            assert response.status_code == 404, "a service of another shop"
            response = await other_owner.request(method, f"/s/chuzhie/{theirs['service_id']}")
            assert response.status_code == 404, "the other shop has no public page"
    assert await dump_protected_rows(vk_world.ctx) == before


async def test_request_without_a_session_is_sent_to_sign_in(vk_world: VkWorld) -> None:
    theirs = await create_all_objects(vk_world)
    before = await dump_protected_rows(vk_world.ctx)
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OWNER) as signed_out:
        signed_out.http.cookies.clear()
        for route in (*REQUIRED_PERMISSIONS, *ADMINISTRATOR_ROUTES):
            response = await request_route(signed_out, route, theirs | {"shop_id": "shp_1"})
            assert response.status_code == 303, route
            assert response.headers["location"].startswith("/sign-in"), route
        for route in (route for route, scope in API_ROUTES.items() if scope):
            response = await request_route(signed_out, route, theirs)
            assert response.status_code == 401, route
    assert await dump_protected_rows(vk_world.ctx) == before


async def test_forged_form_changes_nothing_on_any_route(vk_world: VkWorld) -> None:
    theirs = await create_all_objects(vk_world)
    before = await dump_protected_rows(vk_world.ctx)
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OWNER) as owner:
        for route in (*REQUIRED_PERMISSIONS, *ADMINISTRATOR_ROUTES):
            method, path = route.split()
            if method == "GET":
                continue
            path = path.format(**OTHER_PARAMETERS, **theirs, shop_id=vk_world.shop.id)
            for csrf, origin, site in (
                ("", BASE_URL, "same-origin"),
                ("guess", BASE_URL, "same-origin"),
                (owner.csrf, "https://evil.example", "cross-site"),
                (owner.csrf, BASE_URL, "same-site"),
            ):
                headers = {"origin": origin, "sec-fetch-site": site}
                response = await owner.http.post(path, data=FORM | {"csrf": csrf}, headers=headers)
                assert response.status_code == 403, route
    assert await dump_protected_rows(vk_world.ctx) == before


async def test_get_requests_change_nothing(vk_world: VkWorld) -> None:
    """Opening a conversation marks it read; no other GET request changes anything."""
    theirs = await create_all_objects(vk_world)
    before = await dump_protected_rows(vk_world.ctx)
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OWNER) as owner:
        for route in REQUIRED_PERMISSIONS:
            if route.endswith("/live") or route == "GET /inbox/{conversation_id}":
                continue
            if route.startswith("GET"):
                response = await request_route(owner, route, theirs)
                assert response.status_code < 500, route
                after = await dump_protected_rows(vk_world.ctx)
                assert after == before, route
