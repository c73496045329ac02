"""Role × route and scope × route over every route of the cabinet and the API.

tests/web/test_access_control.py fails when a new route is missing in the tables used here.
"""

import re

import pytest

from sigma.domain.accounts.member import ALL_SCOPES, Member, Permission, Role, Scope
from sigma.web.app import build_router
from tests import leaks
from tests.vk_world import VkWorld
from tests.web.routes import (
    ADMINISTRATOR_ROUTES,
    API_ROUTES,
    ENDING_ROUTES,
    REQUIRED_PERMISSIONS,
    request_route,
)
from tests.web.two_shops import (
    PRIVATE_TEXTS,
    Actor,
    api_actor,
    create_all_objects,
    create_second_shop,
    dump_protected_rows,
    join_shop,
    signed_in_actor,
)

HIDDEN_WITHOUT_ANSWERS = (*leaks.ANSWERS, PRIVATE_TEXTS[1], PRIVATE_TEXTS[2])
# A phone in any spelling: pages write it as «+7 916 765-43-21».
PHONE_DIGITS, PHONE_SEPARATORS = "9167654321", re.compile(r"&nbsp;|[\s\u00a0()-]")


def allowed_routes(role: Role, *, is_allowed: bool) -> list[str]:
    """Return the routes that a role may call, or those that it may not."""
    member = Member("usr_1", "shp_1", role)
    return [
        route
        for route, permission in REQUIRED_PERMISSIONS.items()
        if member.can(permission) is is_allowed
    ]


@pytest.mark.parametrize("role", list(Role))
async def test_role_can_do_exactly_what_the_permission_table_allows(
    vk_world: VkWorld, role: Role
) -> None:
    theirs = await create_all_objects(vk_world)
    before = await dump_protected_rows(vk_world.ctx)
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, role) as colleague:
        for route in allowed_routes(role, is_allowed=False):
            response = await request_route(colleague, route, theirs)
            assert response.status_code == 403, f"{route}: {response.status_code}"
            leaked = [text for text in PRIVATE_TEXTS[1:3] if text in response.text]
            assert not leaked, route
        assert await dump_protected_rows(vk_world.ctx) == before
        for route in allowed_routes(role, is_allowed=True):
            if route.endswith("/live") or route in ENDING_ROUTES:
                continue
            response = await request_route(colleague, route, theirs)
            assert response.status_code != 403, route
            assert response.status_code < 500, f"{route}: {response.status_code}"
            assert "/sign-in" not in response.headers.get("location", ""), route


async def test_only_an_administrator_of_the_installation_reaches_its_pages(
    vk_world: VkWorld,
) -> None:
    own = await create_second_shop(vk_world)
    ids = {"shop_id": vk_world.shop.id}
    before = await dump_protected_rows(vk_world.ctx)
    async with signed_in_actor(vk_world.ctx, own["shop_id"], Role.OWNER) as owner:
        for route in ADMINISTRATOR_ROUTES:
            response = await request_route(owner, route, ids)
            assert response.status_code == 403, route
            assert vk_world.shop.name not in response.text, route
    assert await dump_protected_rows(vk_world.ctx) == before


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ACCOUNTANT])
async def test_role_without_read_answers_sees_no_personal_data(
    vk_world: VkWorld, role: Role
) -> None:
    theirs = await create_all_objects(vk_world)
    await vk_world.write_as_client(PRIVATE_TEXTS[2])  # an unanswered message
    await vk_world.poll_events()
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, role) as colleague:
        for route in allowed_routes(role, is_allowed=True):
            if route.startswith("GET") and not route.endswith("/live"):
                response = await request_route(colleague, route, theirs)
                leaked = [text for text in HIDDEN_WITHOUT_ANSWERS if text in response.text]
                assert not leaked, route
                digits = PHONE_SEPARATORS.sub("", response.text)
                assert PHONE_DIGITS not in digits, route


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.OPERATOR])
async def test_role_with_read_answers_sees_them_on_the_page_of_the_payment(
    vk_world: VkWorld, role: Role
) -> None:
    theirs = await create_all_objects(vk_world)
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, role) as colleague:
        page = await request_route(colleague, "GET /payments/{payment_id}", theirs)
        assert leaks.ANSWERS[0] in page.text


async def test_role_in_one_shop_gives_no_rights_in_another(vk_world: VkWorld) -> None:
    """A person is the owner of one shop and a viewer of the other: the current shop decides."""
    theirs, own = await create_all_objects(vk_world), await create_second_shop(vk_world)
    async with signed_in_actor(vk_world.ctx, own["shop_id"], Role.OWNER) as person:
        await join_shop(vk_world.ctx, person, vk_world.shop.id, Role.VIEWER)
        before = await dump_protected_rows(vk_world.ctx)
        ids = theirs | {"shop_id": vk_world.shop.id}
        for route in REQUIRED_PERMISSIONS:
            if "_id}" not in route or "{user_id}" in route or "{invitation_id}" in route:
                continue
            response = await request_route(person, route, ids)
            if route.startswith("GET") and response.status_code == 303:
                location = response.headers["location"]
                assert location.startswith(f"/shops/switch?shop={vk_world.shop.id}"), route
            else:
                assert response.status_code in (404, 409), f"{route}: {response.status_code}"
            assert not [text for text in PRIVATE_TEXTS if text in response.text], route
        switched = await person.request("POST", "/shops/switch", shop=vk_world.shop.id)
        assert switched.status_code == 303
        await person.refresh_csrf()
        for route in allowed_routes(Role.VIEWER, is_allowed=False):
            response = await request_route(person, route, ids)
            assert response.status_code == 403, f"{route}: {response.status_code}"
        assert await dump_protected_rows(vk_world.ctx) == before


def test_every_api_route_declares_its_scope() -> None:
    declared = {}
    for route in build_router().routes:
        if route.path.startswith("/api/v1/"):
            for method, (handler, _) in getattr(route, "route_handler_map", {}).items():
                if method not in ("OPTIONS", "HEAD"):
                    path = route.path_format.replace(":str}", "}")
                    declared[f"{method} {path}"] = handler.opt.get("scope")
    assert declared == API_ROUTES


async def test_api_key_without_the_scope_of_a_route_is_refused(vk_world: VkWorld) -> None:
    theirs = await create_all_objects(vk_world)
    before = await dump_protected_rows(vk_world.ctx)
    for missing in Scope:
        scopes = tuple(scope for scope in ALL_SCOPES if scope is not missing)
        async with api_actor(vk_world.ctx, vk_world.shop.id, scopes) as program:
            for route in (route for route, scope in API_ROUTES.items() if scope is missing):
                response = await request_route(program, route, theirs)
                assert response.status_code == 403, route
                problem = response.json()
                assert problem["code"] == "missing_scope", route
                assert problem["required_scope"] == str(missing), route
                assert str(missing) in problem["detail"], route
    assert await dump_protected_rows(vk_world.ctx) == before


async def test_one_scope_opens_only_its_routes(vk_world: VkWorld) -> None:
    theirs = await create_all_objects(vk_world)
    for only in Scope:
        async with api_actor(vk_world.ctx, vk_world.shop.id, (only,)) as program:
            for route, scope in API_ROUTES.items():
                if scope in (only, None) and route == "GET /api/v1/exports/{export_id}":
                    response = await request_route(program, route, theirs)
                    assert response.json()["code"] == "forbidden", "this export has answers"
                elif scope in (only, None):
                    await assert_not_forbidden(program, route, theirs)
                else:
                    response = await request_route(program, route, theirs)
                    assert response.json()["code"] == "missing_scope", f"{only}: {route}"


async def assert_not_forbidden(program: Actor, route: str, ids: dict[str, str]) -> None:
    response = await request_route(program, route, ids)
    assert response.status_code not in (401, 403), f"{route}: {response.status_code}"
    assert response.status_code < 500, route


async def test_answers_need_their_own_scope(vk_world: VkWorld) -> None:
    theirs = await create_all_objects(vk_world)
    path = f"/api/v1/payments/{theirs['payment_id']}"
    for scopes, is_readable in (
        ((Scope.PAYMENTS_READ,), False),
        ((Scope.PAYMENTS_READ, Scope.ANSWERS_READ), True),
    ):
        async with api_actor(vk_world.ctx, vk_world.shop.id, scopes) as program:
            for url in (path, "/api/v1/payments"):
                response = await program.request("GET", url)
                assert response.status_code == 200
                assert (leaks.ANSWERS[0] in response.text) is is_readable


def test_permission_of_every_role_is_tried() -> None:
    assert {*REQUIRED_PERMISSIONS.values()} >= set(Permission) - {
        Permission.READ_ANSWERS,  # above
    }
