"""The API is what its description says: routes, shapes, examples, refusals, and nothing worse."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from litestar import Litestar, Router
from litestar.di import Provide
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sigma.domain.errors import CODES
from sigma.store.schema.migrate import upgrade
from sigma.web import api
from sigma.web.api import openapi
from sigma.web.api.examples import ANSWERS
from tests.postgres import run_sql, with_database
from tests.web.api_server import Served, serving
from tests.web.api_stage import Program
from tests.world import World

DOCUMENT = openapi.document("http://127.0.0.1:8000")
OPEN = {name: part for name, part in DOCUMENT.items() if name != "security"}  # we bring the key
SCHEMA = schemathesis.openapi.from_dict(OPEN)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
NAMES = {operation.name: operation for operation in openapi.OPERATIONS}


def resolved(name: str) -> jsonschema.protocols.Validator:
    """A validator of one schema of the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def routes(router: Router) -> set[tuple[str, str]]:
    """Method and path of every handler of the API."""
    found = set()
    ctx = Provide(lambda: None, sync_to_thread=False)
    for route in Litestar([router], dependencies={"ctx": ctx}, openapi_config=None).routes:
        path = str(route.path_format)
        found |= {(str(m).lower(), path) for m in route.methods if m not in ("OPTIONS", "HEAD")}
    return found


def test_the_description_holds_every_route_of_the_api_and_no_other() -> None:
    described = {(method, path) for path, one in DOCUMENT["paths"].items() for method in one}
    assert described == routes(api.router) - {("get", "/api/v1/openapi.json")}


async def test_the_description_is_served_to_anyone(program: Program) -> None:
    answer = await program.http.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(DOCUMENT))
    assert answer.json()["openapi"] == "3.1.0"


def test_every_schema_is_a_good_one() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["title"] == name


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from [value["$ref"]] if "$ref" in value else []
            value = list(value.values())
        if isinstance(value, list):
            for one in value:
                yield from references(one)

    found = set(references(DOCUMENT))
    names = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert found <= names


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_what_its_schema_says(name: str) -> None:
    operation = NAMES[name]
    described = DOCUMENT["paths"][openapi.PREFIX + operation.path][operation.method]
    if "requestBody" in described:
        content = described["requestBody"]["content"]["application/json"]
        resolved(content["schema"]["$ref"].split("/")[-1]).validate(content["example"])
    content = described["responses"][str(operation.status)]["content"]["application/json"]
    resolved(content["schema"]["$ref"].split("/")[-1]).validate(content["example"])
    for status, answer in described["responses"].items():
        if status != str(operation.status):
            for example in answer["content"]["application/problem+json"]["examples"].values():
                resolved("Problem").validate(example["value"])
                assert str(CODES[example["value"]["code"]]) == status


async def test_real_answers_are_what_their_schemas_say(program: Program, world: World) -> None:
    payment = await world.paid()
    await program.post(
        f"/payments/{payment.id}/refunds", {"amount": {"value": "1.00", "currency": "RUB"}}
    )
    for path, name in (
        ("/invoices", "Invoices"),
        (f"/invoices/{payment.invoice_id}", "Invoice"),
        ("/payments", "Payments"),
        (f"/payments/{payment.id}", "Payment"),
        (f"/payments/{payment.id}/refunds", "Refunds"),
    ):
        told = (await program.get(path)).json()
        resolved(name).validate(told)
        example = ANSWERS.get(name) or ANSWERS[f"{name}Told"]
        assert set(told) == set(example), "the example names every field"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A shop's API on a socket, over either database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('api') / 'sigma.db'}"
    else:
        server = request.getfixturevalue("postgres_url")
        run_sql(server, "CREATE DATABASE described")
        url = with_database(server, "described")
    upgrade(url)
    with serving(url) as running:
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_sent_the_answer_is_a_described_one(name: str, served: Served) -> None:
    operation = SCHEMA.find_operation_by_id(name)
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @seed(20261124)
    @settings(
        max_examples=60,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real=st.booleans())
    def check(case: schemathesis.Case, real: bool) -> None:
        if real and case.path_parameters:
            case.path_parameters = {
                n: served.ids.get(n, v) for n, v in case.path_parameters.items()
            }
        headers = {"Authorization": f"Bearer {served.secret}"}
        answer = case.call(base_url=served.base_url, headers=headers)
        case.validate_response(answer, checks=CHECKS)

    check()
