"""The page that asks for a proof of identity and then sends the same form again.

It shows the fields of the refused form as hidden ones. Its answer is a 307 redirect, so that the
browser repeats the form where it was meant to go: nothing typed is lost, also without scripts.
"""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.session import Proof
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.accounts.users import Session
from sigma.services.authentication import passkeys, reauthentication
from sigma.services.authentication.relying_party import relying_party
from sigma.services.context import Context
from sigma.web.cabinet.access.sign_in import passkey_json
from sigma.web.cabinet.guards import (
    NO_STORE_HEADERS,
    WebRequest,
    safe_redirect_path,
    session_cookie,
)
from sigma.web.cabinet.responses import (
    FormValues,
    read_form_values,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value
from sigma.web.retry_after import retry_after_headers
from sigma.web.submitted_form import PROOF_PREFIX, submitted_fields

URL = "/reauthenticate"


def reauthentication_page(request: Request[Any, Any, Any], session: Session) -> Response[Any]:
    """Return the page for a request that was refused: it asks, and keeps the posted form."""
    is_form = request.method == "POST"
    fields = submitted_fields(request, has_secrets=True) if is_form else []
    path, query = request.url.path, request.url.query
    target = f"{path}?{query}" if query else path
    if fields is None:  # it has files, which a page cannot keep: the person sends it again
        is_form, fields, target = False, [], "/"
    return _page(request, session, target, fields, {}, 403, is_form=is_form)


@get(URL)
async def confirm_page(request: WebRequest, session: NamedDependency[Session]) -> Response[Any]:
    """Ask for a proof before `?next=`."""
    target = safe_redirect_path(request.query_params.get("next", "/"))
    return _page(request, session, target, [], {}, 200, is_form=False)


@get(f"{URL}/options")
async def confirm_options(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> dict[str, str]:
    """Return what the browser needs to ask for a passkey of this person. Stores nothing."""
    return passkey_json(await passkeys.authentication_request(ctx, session.user))


@post(URL)
async def confirm(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Check the proof and go on with the form that waits for it."""
    form_data = await read_form_values(request)
    target = safe_redirect_path(first_value(form_data, f"{PROOF_PREFIX}url"))
    is_form = first_value(form_data, f"{PROOF_PREFIX}is_form") == "1"
    try:
        secret = await _check_proof(ctx, session, form_data)
    except RefusedError as error:
        if error.code not in ("validation", "too_many_requests"):
            raise
        translator = translator_for(session)
        texts = {"": translator.t("access.not_confirmed")} | refusal_texts(translator, error)
        fields = submitted_fields(request, has_secrets=True) or []
        response = _page(
            request, session, target, fields, texts, error.http_status, is_form=is_form
        )
        response.headers.update(retry_after_headers(error))
        return response
    headers = {"location": target, **NO_STORE_HEADERS}
    response = Response("", status_code=307 if is_form else 303, headers=headers)
    response.set_cookie(session_cookie(ctx, secret))
    return response


async def _check_proof(ctx: Context, session: Session, form_data: FormValues) -> str:
    """Return the new secret of the session. Raises RefusedError like the service."""
    if credential := first_value(form_data, f"{PROOF_PREFIX}credential"):
        ticket = first_value(form_data, f"{PROOF_PREFIX}ticket")
        return await reauthentication.confirm_by_passkey(ctx, session, credential, ticket)
    if code := first_value(form_data, f"{PROOF_PREFIX}code"):
        return await reauthentication.confirm_by_code(ctx, session, code)
    password = (form_data.get(f"{PROOF_PREFIX}password") or [""])[0]
    if not password:
        raise validation_error(Problem(f"{PROOF_PREFIX}password", "required"))
    return await reauthentication.confirm_by_password(ctx, session, password)


def _page(
    request: Request[Any, Any, Any],
    session: Session,
    target: str,
    fields: list[tuple[str, str]],
    errors: dict[str, str],
    status: int,
    *,
    is_form: bool,
) -> Response[Any]:
    ctx: Context = request.app.state.ctx
    return render_cabinet_page(
        request,
        session,
        "cabinet/access/reauthentication.html",
        section="settings",
        status=status,
        errors=errors,
        target=target,
        is_form=is_form,
        fields=[(name, value) for name, value in fields if name != "csrf"],
        has_app=Proof.TOTP in session.proofs,
        has_passkey=Proof.PASSKEY in session.proofs,
        party=relying_party(ctx.settings.base_url),
        options_url=f"{URL}/options",
        form_url=URL,
        hide_plus=True,
    )


HANDLERS = [confirm_page, confirm_options, confirm]
