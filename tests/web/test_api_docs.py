"""docs/api.md tells of every route and field there is, and its examples work."""

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
from sigma.domain.billing.question import Kind
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.catalogue.service import PriceKind
from sigma.web.api import responses
from sigma.web.api.openapi import OPERATIONS, PREFIX
from sigma.web.api.requests import InvoiceAsked, ItemAsked, QuestionAsked, RefundAsked
from tests.web.api_stage import Program
from tests.world import World

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n")[0].strip(): part for part in TEXT.split("\n## ")}
COMMANDS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_operation_has_its_row_with_its_filters(operation: Any) -> None:
    start = f"| `{operation.method.upper()} {PREFIX}{operation.path}` |"
    (row,) = [line for line in TEXT.splitlines() if line.startswith(start)]
    for name in operation.filters:
        assert f"`{name.removeprefix('payment_')}`" in row


@pytest.mark.parametrize(
    ("section", "shape"),
    [
        ("Invoices", InvoiceAsked),
        ("Invoices", ItemAsked),
        ("Invoices", QuestionAsked),
        ("Invoices", responses.InvoiceTold),
        ("Payments", responses.PaymentTold),
        ("Payments", responses.MethodTold),
        ("Payments", responses.Failure),
        ("Refunds", RefundAsked),
        ("Refunds", responses.RefundTold),
        ("Services", responses.ServiceTold),
    ],
)
def test_every_field_is_told_of(section: str, shape: type[msgspec.Struct]) -> None:
    names = [field.encode_name for field in msgspec.structs.fields(shape)]
    text = SECTIONS[section]
    assert [name for name in names if not re.search(rf'[`"]{name}[`"]', text)] == []


def test_every_stored_word_is_told_of() -> None:
    words = {"Invoices": [*Kind], "Refunds": [*RefundStatus], "Services": [*PriceKind]}
    words["Payments"] = [*PaymentStatus, *Attention]
    lost = [w for name, some in words.items() for w in some if w not in SECTIONS[name]]
    assert lost == []


def test_the_payment_that_is_shown_has_every_field() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", SECTIONS["Payments"], re.DOTALL)
    msgspec.convert(json.loads(example), responses.PaymentTold, strict=False)
    assert set(json.loads(example)) == set(responses.PaymentTold.__struct_fields__)


async def test_the_commands_do_what_they_say(program: Program, world: World) -> None:
    payment = await world.paid()
    answers = [await curl(program, command, PAYMENT=payment.id) for command in COMMANDS]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["url"]
    assert answers[1].json()["status"] == "pending"


async def test_the_invoice_that_is_shown_is_issued(program: Program) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", SECTIONS["Invoices"], re.DOTALL)
    assert (await program.post("/invoices", json.loads(example))).status_code == 201


async def curl(program: Program, command: str, **variables: str) -> Any:
    """Does what a curl command of the page would do."""
    for name, value in {"APP": "", "KEY": program.secret, **variables}.items():
        command = command.replace(f"${name}", value)
    words = shlex.split(command.replace("\\\n", " "))
    pairs = list(itertools.pairwise(words))
    headers = dict(value.split(": ", 1) for flag, value in pairs if flag == "-H")
    (body,) = [value for flag, value in pairs if flag == "-d"]
    return await program.http.post(words[1], content=body.encode(), headers=headers)
