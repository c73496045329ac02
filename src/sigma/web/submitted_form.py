"""The form of a request, remembered for the page that offers to send it again."""

from typing import Any

from litestar import Request
from litestar.datastructures import FormMultiDict

_STATE = "submitted_form"
# Fields of the page that asks for a proof of identity: they are never put into a page again.
PROOF_PREFIX = "reauthentication_"


async def read_form(request: Request[Any, Any, Any]) -> FormMultiDict:
    """Return the posted form. Raises the errors of Litestar for a malformed one."""
    form = await request.form()
    request.scope["state"][_STATE] = form
    return form


def submitted_fields(request: Request[Any, Any, Any]) -> list[tuple[str, str]] | None:
    """Return the fields of the form that was read, to be sent again, without proofs of identity.

    None when no form was read, or when it has files: they cannot be put into a page.
    """
    form: FormMultiDict | None = request.scope["state"].get(_STATE)
    if form is None:
        return None
    fields = list(form.multi_items())
    if not all(isinstance(value, str) for _, value in fields):
        return None
    return [(name, str(value)) for name, value in fields if not name.startswith(PROOF_PREFIX)]
