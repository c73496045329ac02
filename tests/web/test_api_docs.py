"""docs/api.md documents every route, field and stored value of the API, and its examples work."""

import itertools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sigma.domain.billing.payment import Attention
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.billing.question import QuestionKind
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.catalogue.service import PriceKind
from sigma.web.api import responses
from sigma.web.api.filter_parameters import filter_parameters
from sigma.web.api.openapi import OPERATIONS, PREFIX
from sigma.web.api.requests import InvoiceRequest, ItemRequest, QuestionRequest, RefundRequest
from tests.web.api_harness import ApiClient
from tests.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n")[0].strip(): part for part in PAGE.split("\n## ")}
CURL_COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_listed_with_its_filters(operation: Any) -> None:
    start = f"| `{operation.method.upper()} {PREFIX}{operation.path}` |"
    (row,) = [line for line in PAGE.splitlines() if line.startswith(start)]
    for name, _, _ in filter_parameters(operation.filters, operation.path):
        filters = row + SECTIONS["Filters of lists"]
        assert f"`{name.removeprefix('payment_')}`" in filters


@pytest.mark.parametrize(
    ("section", "struct"),
    [
        ("Invoices", InvoiceRequest),
        ("Invoices", ItemRequest),
        ("Invoices", QuestionRequest),
        ("Invoices", responses.InvoiceResponse),
        ("Payments", responses.PaymentResponse),
        ("Payments", responses.MethodResponse),
        ("Payments", responses.Failure),
        ("Refunds", RefundRequest),
        ("Refunds", responses.RefundResponse),
        ("Services", responses.ServiceResponse),
    ],
)
def test_every_field_is_documented(section: str, struct: type[msgspec.Struct]) -> None:
    names = [field.encode_name for field in msgspec.structs.fields(struct)]
    text = SECTIONS[section]
    assert [name for name in names if not re.search(rf'[`"]{name}[`"]', text)] == []


def test_every_enum_value_is_documented() -> None:
    values = {"Invoices": [*QuestionKind], "Refunds": [*RefundStatus], "Services": [*PriceKind]}
    values["Payments"] = [*PaymentStatus, *Attention]
    undocumented = [v for name, some in values.items() for v in some if v not in SECTIONS[name]]
    assert undocumented == []


def test_payment_example_has_every_field() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", SECTIONS["Payments"], re.DOTALL)
    msgspec.convert(json.loads(example), responses.PaymentResponse, strict=False)
    assert set(json.loads(example)) == set(responses.PaymentResponse.__struct_fields__)


async def test_curl_commands_create_an_invoice_and_a_refund(
    api_client: ApiClient, world: World
) -> None:
    payment = await world.complete_payment()
    results = [await run_curl(api_client, command, PAYMENT=payment.id) for command in CURL_COMMANDS]
    assert [result.status_code for result in results] == [201, 201]
    assert results[0].json()["url"]
    assert results[1].json()["status"] == "pending"


async def test_invoice_example_is_accepted(api_client: ApiClient) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", SECTIONS["Invoices"], re.DOTALL)
    assert (await api_client.post("/invoices", json.loads(example))).status_code == 201


async def run_curl(program: ApiClient, command: str, **variables: str) -> Any:
    """Send the request that a curl command from the page would send."""
    for name, value in {"APP": "", "KEY": program.api_key, **variables}.items():
        command = command.replace(f"${name}", value)
    arguments = shlex.split(command.replace("\\\n", " "))
    pairs = list(itertools.pairwise(arguments))
    headers = dict(value.split(": ", 1) for flag, value in pairs if flag == "-H")
    (body,) = [value for flag, value in pairs if flag == "-d"]
    return await program.http.post(arguments[1], content=body.encode(), headers=headers)
