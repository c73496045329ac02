"""What all of the API keeps: keys, idempotency, problem documents, nobody else's data."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Shop
from sigma.domain.change import Change
from sigma.services.accounts import api_keys
from sigma.services.billing import invoices
from sigma.store import changes
from tests.web.api_stage import ASKED, Program
from tests.world import World


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer sk_wrong", "Basic c2tfOng=", "Bearer " + "x" * 5000]
)
async def test_without_a_good_key_nothing_is_told(program: Program, header: str) -> None:
    answer = await program.http.get("/api/v1/invoices", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthorized"


async def test_a_revoked_key_ends_at_once(program: Program, world: World) -> None:
    key = (await api_keys.listing(world.ctx, world.member))[0]
    await api_keys.revoke(world.ctx, world.member, key.id)
    assert (await program.get("/invoices")).status_code == 401


async def test_a_problem_document_has_all_its_parts(program: Program) -> None:
    answer = await program.get("/invoices/inv_0000000000000000000000")
    told = answer.json()
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == "en"
    assert told == {
        "type": "urn:sigma:problem:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such thing in this shop.",
        "code": "not_found",
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("ru", "Не найдено"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "Не найдено"),
        ("en,ru;q=0.5", "Not found"),
        ("de", "Not found"),
        ("", "Not found"),
        ("%%%", "Not found"),
    ],
)
async def test_titles_speak_the_language_that_was_asked(
    program: Program, header: str, title: str
) -> None:
    answer = await program.get("/refunds/ref_x", accept_language=header)
    assert answer.json()["title"] == title


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/invoices/x", "/invoices/pay_0000000000000000000000", "/payments/%20", "/i/v"],
)
async def test_an_unknown_address_is_a_problem_document(program: Program, path: str) -> None:
    answer = await program.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_wrong_method_says_which_are_right(program: Program) -> None:
    answer = await program.http.delete("/api/v1/invoices")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["allow"].replace(",", " ").split())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nope",
        b"\xff\xfe",
        b'{"title": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"title": "a\x00b"}',
    ],
)
async def test_what_is_no_json_is_a_bad_request(program: Program, body: bytes) -> None:
    answer = await program.post("/invoices", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_a_huge_body_is_turned_away(program: Program) -> None:
    answer = await program.post("/invoices", ASKED | {"description": "x" * 2_000_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_nul_in_an_address_is_turned_away(program: Program) -> None:
    for path in ("/invoices/%00", "/invoices?query=%00", "/payments?invoice_id=inv_%00"):
        assert (await program.get(path)).status_code == 400


@pytest.mark.parametrize("query", ["%ED%A0%80", "%FF", "%", "a&query=b", "%25_\\'\"--"])
async def test_odd_letters_in_a_search_find_nothing(program: Program, query: str) -> None:
    answer = await program.get(f"/invoices?query={query}")
    assert (answer.status_code, answer.json()["data"]) == (200, [])


@pytest.mark.parametrize("key", ["", "tab\tkey", "x" * 129])
async def test_a_post_needs_an_idempotency_key(program: Program, key: str) -> None:
    answer = await program.post("/invoices", ASKED, key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")


async def test_the_same_key_and_body_get_the_first_answer_byte_for_byte(
    program: Program, world: World
) -> None:
    first = await program.post("/invoices", ASKED, key="order-42")
    await invoices.void(world.ctx, world.member, first.json()["id"])
    again = await program.post("/invoices", ASKED, key="order-42")
    assert (again.status_code, again.content) == (201, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await program.get("/invoices")).json()["data"]) == 1


async def test_the_same_key_with_another_body_is_refused(program: Program) -> None:
    await program.post("/invoices", ASKED, key="order-42")
    other = await program.post("/invoices", ASKED | {"title": "Педикюр"}, key="order-42")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_the_same_key_at_another_address_is_refused(program: Program) -> None:
    one, two = await program.issued(), await program.issued()
    await program.post(f"/invoices/{one['id']}/void", key="void-1")
    other = await program.post(f"/invoices/{two['id']}/void", key="void-1")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_a_refusal_is_not_remembered_under_its_key(program: Program) -> None:
    bad = await program.post("/invoices", ASKED | {"title": ""}, key="order-42")
    good = await program.post("/invoices", ASKED, key="order-42")
    assert (bad.status_code, good.status_code) == (422, 201)


async def test_one_key_sixteen_times_at_once_makes_one_invoice(program: Program) -> None:
    answers = await asyncio.gather(
        *(program.post("/invoices", ASKED, key="order-42") for _ in range(16))
    )
    made = {a.json()["id"] for a in answers if a.status_code == 201}
    others = {a.json()["code"] for a in answers if a.status_code != 201}
    assert len(made) == 1
    assert others <= {"idempotency_in_flight"}
    assert len((await program.get("/invoices")).json()["data"]) == 1


async def test_while_the_first_is_being_answered_the_same_key_is_told_to_wait(
    program: Program, world: World
) -> None:
    world.ctx.in_flight.add((world.shop.id, "order-42"))
    waiting = await program.post("/invoices", ASKED, key="order-42")
    world.ctx.in_flight.clear()
    after = await program.post("/invoices", ASKED, key="order-42")
    assert (waiting.status_code, waiting.json()["code"]) == (409, "idempotency_in_flight")
    assert (after.status_code, after.headers.get("idempotent-replayed")) == (201, None)


async def another_shop(program: Program, world: World) -> Program:
    """A program of a second shop in the same house."""
    ctx, now = world.ctx, world.ctx.now()
    shop = Shop(id=ctx.new_id("shp"), name="Соседи", created_at=now)
    await changes.commit(ctx.db, Change((shop,)), now)
    _, secret = await api_keys.create(ctx, Member("usr_next", shop.id, Role.OWNER), "Касса соседей")
    return Program(program.http, secret)


async def test_another_shops_things_are_not_there(program: Program, world: World) -> None:
    payment = await world.paid()
    amount = {"value": "1.00", "currency": "RUB"}
    made = await program.post(f"/payments/{payment.id}/refunds", {"amount": amount})
    neighbour = await another_shop(program, world)
    of_invoice, of_payment = f"/invoices/{payment.invoice_id}", f"/payments/{payment.id}"
    refused = [
        await neighbour.get(of_invoice),
        await neighbour.get(of_payment),
        await neighbour.get(f"{of_payment}/refunds"),
        await neighbour.get(f"/refunds/{made.json()['id']}"),
        await neighbour.post(f"{of_invoice}/void"),
        await neighbour.post(f"{of_payment}/refunds", {"amount": amount}),
    ]
    assert {(a.status_code, a.json()["code"]) for a in refused} == {(404, "not_found")}
    for path in ("/invoices", "/payments", f"/payments?invoice_id={payment.invoice_id}"):
        assert (await neighbour.get(path)).json() == {"data": [], "next_cursor": None}
    assert (await program.get(of_invoice)).json()["status"] == "paid"
    assert len((await program.get(f"{of_payment}/refunds")).json()["data"]) == 1


async def test_a_cursor_of_another_shop_shows_nothing_of_it(program: Program, world: World) -> None:
    theirs = [await program.issued(title=f"Чужой {n}") for n in range(3)]
    neighbour = await another_shop(program, world)
    own = await neighbour.issued(title="Свой")
    newest = (await program.issued(title="Чужой последний"))["id"]
    for cursor in (theirs[1]["id"], newest):
        told = (await neighbour.get(f"/invoices?cursor={cursor}")).json()["data"]
        assert {one["id"] for one in told} <= {own["id"]}


async def test_two_shops_may_use_the_same_idempotency_key(program: Program, world: World) -> None:
    neighbour = await another_shop(program, world)
    ours = await program.post("/invoices", ASKED, key="order-42")
    theirs = await neighbour.post("/invoices", ASKED, key="order-42")
    assert (ours.status_code, theirs.status_code) == (201, 201)
    assert "idempotent-replayed" not in theirs.headers
    assert ours.json()["id"] != theirs.json()["id"]
    assert (ours.json()["number"], theirs.json()["number"]) == ("1", "1")


def _secure(answer: httpx.Response) -> bool:
    policy = answer.headers["content-security-policy"]
    return "default-src 'none'" in policy and answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/api/v1/invoices", "/api/v1/nothing", "/nothing", "/healthz"])
async def test_every_answer_carries_its_id_and_the_security_headers(
    program: Program, path: str
) -> None:
    answer = await program.http.get(path)
    assert len(answer.headers["x-request-id"]) == 16
    assert _secure(answer)


async def test_a_failure_of_ours_says_nothing_but_its_id(program: Program, world: World) -> None:
    made = await program.issued()
    await world.ctx.db.close()
    answer = await program.get(f"/invoices/{made['id']}")
    told: dict[str, Any] = json.loads(answer.content)
    assert (answer.status_code, told["code"]) == (500, "internal")
    assert told["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
