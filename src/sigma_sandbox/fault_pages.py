"""The door of `/control`: JSON for programs, a page for people."""

from typing import Any

import msgspec
from litestar import Response, delete, get, post

from sigma_sandbox.bank import payments
from sigma_sandbox.bank.store import Bank
from sigma_sandbox.faults import MEANINGS, BadRule, Control, Effect
from sigma_sandbox.responses import Asked, away, json_response, page


def _control(request: Asked) -> Control:
    control = request.app.state["control"]
    assert isinstance(control, Control)
    return control


def _state(control: Control) -> dict[str, Any]:
    return {"rules": msgspec.to_builtins(control.rules)}


def apply(request: Asked, body: dict[str, Any]) -> None:
    """Merge settings; a moved clock is felt at once. Raises BadRule."""
    _control(request).set(body)
    bank: Bank = request.app.state["bank"]
    with bank.together():
        for shop_id in list(bank.shops):
            payments.expire_due(bank, shop_id)


@get("/control")
async def show(request: Asked) -> Response[bytes]:
    """The rules in force."""
    control = _control(request)
    if "text/html" not in request.headers.get("accept", ""):
        return json_response(_state(control))
    return page(request, "control.html", rules=control.rules, meanings=MEANINGS, error=None)


@post("/control", status_code=200)
async def change(request: Asked) -> Response[bytes]:
    """Merge JSON (see `sigma_sandbox.faults`), or the page's form."""
    if "json" not in request.headers.get("content-type", "json"):
        return await _change_by_form(request)
    try:
        body = msgspec.json.decode(await request.body(), type=dict[str, Any])
        apply(request, body)
    except (BadRule, msgspec.MsgspecError) as error:
        return json_response({"type": "error", "code": "bad_rule", "description": str(error)}, 400)
    return json_response(_state(_control(request)))


@delete("/control", status_code=200)
async def reset(request: Asked) -> Response[bytes]:
    """Forget all rules, or with `?shop=` those of one shop."""
    _control(request).reset(request.query_params.get("shop"))
    return json_response(_state(_control(request)))


async def _change_by_form(request: Asked) -> Response[bytes]:
    form = {name: str(value).strip() for name, value in (await request.form()).items()}
    control = _control(request)
    if form.get("reset"):
        control.reset()
        return away("/control")
    try:
        apply(request, read_form(form))
    except (BadRule, ValueError) as error:
        values = {"rules": control.rules, "meanings": MEANINGS, "error": str(error)}
        return page(request, "control.html", 400, **values)
    return away("/control")


def read_form(form: dict[str, str]) -> dict[str, Any]:
    """The page's form as the JSON it stands for. Raises ValueError or BadRule."""
    name = form.get("effect", "")
    if name not in MEANINGS:
        raise BadRule("effect: выберите из списка")
    if form.get("remove"):
        body: dict[str, Any] = {name: None}
    else:
        rule: dict[str, Any] = {}
        kind = MEANINGS[Effect(name)].kind
        if form.get("value") and kind is not bool:
            rule["value"] = int(form["value"]) if kind is int else form["value"]
        if form.get("times"):
            rule["times"] = int(form["times"])
        if form.get("on"):
            rule["on"] = [one.strip() for one in form["on"].split(",")]
        body = {name: rule}
    if form.get("shop"):
        body["shop"] = form["shop"]
    return body


HANDLERS = [show, change, reset]
