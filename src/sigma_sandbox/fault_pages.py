"""HTTP handlers of `/control`: fault injection rules as JSON and as a page, edits of objects."""

from typing import Any

import msgspec
from litestar import Response, delete, get, post

from sigma_sandbox.bank import object_edits, payments
from sigma_sandbox.bank.errors import ApiError
from sigma_sandbox.bank.http import error_response, get_bank, read_json
from sigma_sandbox.faults import EFFECTS, Effect, FaultRules, InvalidRuleError
from sigma_sandbox.responses import AnyRequest, json_response, redirect, render_page


def _fault_rules(request: AnyRequest) -> FaultRules:
    faults = request.app.state["faults"]
    assert isinstance(faults, FaultRules)
    return faults


def _rules_json(faults: FaultRules) -> dict[str, Any]:
    return {"rules": msgspec.to_builtins(faults.rules)}


def apply_rules(request: AnyRequest, body: dict[str, Any]) -> None:
    """Merge posted rules, then expire payments that a moved clock made due.

    Raises InvalidRuleError.
    """
    _fault_rules(request).update(body)
    bank = get_bank(request)
    with bank.transaction():
        for shop_id in list(bank.shops):
            payments.expire_due(bank, shop_id)


@get("/control")
async def show_rules(request: AnyRequest) -> Response[bytes]:
    """Return the active rules: JSON, or the page if the client accepts HTML."""
    faults = _fault_rules(request)
    if "text/html" not in request.headers.get("accept", ""):
        return json_response(_rules_json(faults))
    return render_page(request, "control.html", rules=faults.rules, effects=EFFECTS, error=None)


@post("/control", status_code=200)
async def update_rules(request: AnyRequest) -> Response[bytes]:
    """Merge rules from JSON (format: `sigma_sandbox.faults`) or from the page's form.

    An invalid rule is answered with 400 and changes nothing.
    """
    if "json" not in request.headers.get("content-type", "json"):
        return await _update_by_form(request)
    try:
        body = msgspec.json.decode(await request.body(), type=dict[str, Any])
        apply_rules(request, body)
    except (InvalidRuleError, msgspec.MsgspecError) as error:
        return json_response({"type": "error", "code": "bad_rule", "description": str(error)}, 400)
    return json_response(_rules_json(_fault_rules(request)))


@delete("/control", status_code=200)
async def reset_rules(request: AnyRequest) -> Response[bytes]:
    """Delete all rules, or with `?shop=` the rules of one shop."""
    _fault_rules(request).reset(request.query_params.get("shop"))
    return json_response(_rules_json(_fault_rules(request)))


@post("/control/objects", status_code=200)
async def edit_objects(request: AnyRequest) -> Response[bytes]:
    """Lose, add and change the bank's objects without a notice (`bank.object_edits`)."""
    bank = get_bank(request)
    try:
        body = await read_json(request)
        with bank.transaction():
            added = object_edits.apply(bank, body)
    except ApiError as error:
        return error_response(error)
    return json_response(added)


async def _update_by_form(request: AnyRequest) -> Response[bytes]:
    form = {name: str(value).strip() for name, value in (await request.form()).items()}
    faults = _fault_rules(request)
    if form.get("reset"):
        faults.reset()
        return redirect("/control")
    try:
        apply_rules(request, parse_form(form))
    except (InvalidRuleError, ValueError) as error:
        values = {"rules": faults.rules, "effects": EFFECTS, "error": str(error)}
        return render_page(request, "control.html", 400, **values)
    return redirect("/control")


def parse_form(form: dict[str, str]) -> dict[str, Any]:
    """Convert the page's form to the JSON body of `POST /control`.

    Raises InvalidRuleError for an unknown effect, ValueError when a number is malformed.
    """
    name = form.get("effect", "")
    if name not in EFFECTS:
        raise InvalidRuleError("effect: выберите из списка")
    if form.get("remove"):
        body: dict[str, Any] = {name: None}
    else:
        rule: dict[str, Any] = {}
        kind = EFFECTS[Effect(name)].value_type
        if form.get("value") and kind is not bool:
            rule["value"] = int(form["value"]) if kind is int else form["value"]
        if form.get("times"):
            rule["times"] = int(form["times"])
        if form.get("on"):
            rule["on"] = [name.strip() for name in form["on"].split(",")]
        body = {name: rule}
    if form.get("shop"):
        body["shop"] = form["shop"]
    return body


HANDLERS = [show_rules, update_rules, reset_rules, edit_objects]
