"""The API matches its OpenAPI document: routes, schemas, examples, problem codes."""

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

from sigma.domain.errors import STATUS_BY_CODE
from sigma.store.schema.migrate import upgrade
from sigma.web import api
from sigma.web.api import openapi
from sigma.web.api.examples import RESPONSE_BODIES
from tests.postgres import run_sql, with_database
from tests.web.api_harness import ApiClient
from tests.web.api_server import ServedApi, serve_api
from tests.world import World

DOCUMENT = openapi.document("http://127.0.0.1:8000")
# Without "security": the tests send the API key themselves.
DOCUMENT_WITHOUT_SECURITY = {name: part for name, part in DOCUMENT.items() if name != "security"}
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT_WITHOUT_SECURITY)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS_BY_NAME = {operation.name: operation for operation in openapi.OPERATIONS}


def schema_validator(name: str) -> jsonschema.protocols.Validator:
    """Return a validator of one schema of the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def api_routes(router: Router) -> set[tuple[str, str]]:
    """Return the method and path of every handler of the API."""
    method_paths = set()
    ctx = Provide(lambda: None, sync_to_thread=False)
    for route in Litestar([router], dependencies={"ctx": ctx}, openapi_config=None).routes:
        path = str(route.path_format)
        method_paths |= {
            (str(m).lower(), path) for m in route.methods if m not in ("OPTIONS", "HEAD")
        }
    return method_paths


def test_openapi_document_lists_exactly_the_api_routes() -> None:
    described = {
        (method, path) for path, path_item in DOCUMENT["paths"].items() for method in path_item
    }
    assert described == api_routes(api.router) - {("get", "/api/v1/openapi.json")}


async def test_openapi_document_is_served_without_an_api_key(api_client: ApiClient) -> None:
    response = await api_client.http.get("/api/v1/openapi.json")
    assert response.status_code == 200
    assert response.json() == json.loads(json.dumps(DOCUMENT))
    assert response.json()["openapi"] == "3.1.0"


def test_every_schema_is_valid_json_schema() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["title"] == name


def test_every_schema_reference_resolves() -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from [value["$ref"]] if "$ref" in value else []
            value = list(value.values())
        if isinstance(value, list):
            for child in value:
                yield from references(child)

    referenced = set(references(DOCUMENT))
    names = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "headers")
        for name in DOCUMENT["components"][kind]
    }
    assert referenced <= names


@pytest.mark.parametrize("name", OPERATIONS_BY_NAME)
def test_every_example_matches_its_schema(name: str) -> None:
    operation = OPERATIONS_BY_NAME[name]
    described = DOCUMENT["paths"][openapi.PREFIX + operation.path][operation.method]
    if "requestBody" in described:
        content = described["requestBody"]["content"]["application/json"]
        schema_validator(content["schema"]["$ref"].split("/")[-1]).validate(content["example"])
    content = described["responses"][str(operation.status)]["content"]["application/json"]
    schema_validator(content["schema"]["$ref"].split("/")[-1]).validate(content["example"])
    for status, response in described["responses"].items():
        if status != str(operation.status):
            for example in response["content"]["application/problem+json"]["examples"].values():
                schema_validator("Problem").validate(example["value"])
                assert str(STATUS_BY_CODE[example["value"]["code"]]) == status


def test_every_operation_documents_the_rate_limit_and_its_headers() -> None:
    """Each operation needs a key, and each request with a key is counted."""
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert operations
    for operation in operations:
        assert "Retry-After" in operation["responses"]["429"]["headers"]
        for status, response in operation["responses"].items():
            assert {name for name in response["headers"] if name.startswith("RateLimit-")} == {
                *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy")
            }, status
            assert ("Retry-After" in response["headers"]) is (status == "429")


async def test_real_responses_match_their_schemas(api_client: ApiClient, world: World) -> None:
    payment = await world.complete_payment()
    await api_client.post(
        f"/payments/{payment.id}/refunds", {"amount": {"value": "1.00", "currency": "RUB"}}
    )
    for path, name in (
        ("/invoices", "Invoices"),
        (f"/invoices/{payment.invoice_id}", "Invoice"),
        ("/payments", "Payments"),
        (f"/payments/{payment.id}", "Payment"),
        (f"/payments/{payment.id}/refunds", "Refunds"),
    ):
        body = (await api_client.get(path)).json()
        schema_validator(name).validate(body)
        example = RESPONSE_BODIES.get(name) or RESPONSE_BODIES[f"{name}Response"]
        assert set(body) == set(example), "the example names every field"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedApi]:
    """The API of one shop on a real socket, over each database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('api') / 'sigma.db'}"
    else:
        server = request.getfixturevalue("postgres_url")
        run_sql(server, "CREATE DATABASE described")
        url = with_database(server, "described")
    upgrade(url)
    with serve_api(url) as running:
        yield running


@pytest.mark.parametrize("name", OPERATIONS_BY_NAME)
def test_response_to_any_request_matches_the_document(name: str, served: ServedApi) -> None:
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
    @given(case=cases, use_real_ids=st.booleans())
    def check(case: schemathesis.Case[Any], use_real_ids: bool) -> None:
        if use_real_ids and case.path_parameters:
            case.path_parameters = {
                n: served.ids.get(n, v) for n, v in case.path_parameters.items()
            }
        headers = {"Authorization": f"Bearer {served.api_key}"}
        response = case.call(base_url=served.base_url, headers=headers)
        case.validate_response(response, checks=CHECKS)

    check()
