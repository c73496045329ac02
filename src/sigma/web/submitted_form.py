"""The posted form, stored in the request for the page that offers to send it again."""

from typing import Any

from litestar import Request
from litestar.datastructures import FormMultiDict, MultiDict, UploadFile

_STATE = "submitted_form"
# Password fields of all forms. What was typed into them is not written into a page that may stay
# open for hours, as one about an outage does.
SECRET_FIELDS = frozenset({"password", "old", "new", "secret", "smtp_url", "key", "token"})
# Fields of the page that asks for a proof of identity: they are never put into a page again.
PROOF_PREFIX = "reauthentication_"


async def read_form(request: Request[Any, Any, Any]) -> FormMultiDict:
    """Return the posted form. Raises the errors of Litestar for a malformed one."""
    form = await request.form()
    request.scope["state"][_STATE] = form
    return form


def field_values(form: MultiDict[Any] | FormMultiDict) -> dict[str, list[str]]:
    """Return the texts of a form or a query, name → values, uncleaned. Files are left out.

    In linear time, unlike `form.getall` for each name: a form can hold 20,000 names.
    """
    values: dict[str, list[str]] = {}
    for name, value in form.items():
        of_name = values.setdefault(name, [])
        if isinstance(value, str):
            of_name.append(value)
    return values


async def close_files(form: FormMultiDict) -> None:
    """Delete the temporary files of a form that no handler reads, in linear time."""
    for value in form.values():
        if isinstance(value, UploadFile):
            await value.close()


def submitted_fields(
    request: Request[Any, Any, Any], *, has_secrets: bool = False
) -> list[tuple[str, str]] | None:
    """Return the fields of the form that was read, to be sent again, without proofs of identity.

    `has_secrets`: typed passwords and keys may be among them; the page that asks who the person is
    hands them on within a minute and is never stored. None when no form was read, and when it has
    what cannot be put into a page: files, secrets.
    """
    form: FormMultiDict | None = request.scope["state"].get(_STATE)
    if form is None:
        return None
    fields = list(form.items())
    if not all(isinstance(value, str) for _, value in fields):
        return None
    fields = [(name, value) for name, value in fields if not name.startswith(PROOF_PREFIX)]
    if not has_secrets and any(value for name, value in fields if name in SECRET_FIELDS):
        return None
    return [(name, str(value)) for name, value in fields]
