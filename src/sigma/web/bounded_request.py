"""The request class: parses what a client sends within bounds, and keeps nothing of it.

Litestar caches the last 1024 forms, queries and cookie headers of a process as they were sent and
parsed. A client could fill the memory with them, and they hold passwords and answers. Its parser of
quoted cookies needs quadratic time (CVE-2024-7592).
"""

from collections import Counter
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import FormMultiDict, MultiDict
from litestar.types import Empty

from sigma.domain.errors import RefusedError
from sigma.web.submitted_form import close_files

URL_ENCODED = "application/x-www-form-urlencoded"
# The largest form of the cabinet compares thousands of services with market items.
MAX_FORM_FIELDS = 20_000
MAX_FIELD_CHARS = 256 * 1024
MAX_QUERY_FIELDS = 200
# The cells of a price list, packed by us: ASCII, which a thread unpacks.
PACKED_FIELD = "body"
# A name counts once: two values would be read differently by the parts of Sigma and by a firewall
# in front of it. Only these fields are lists: a form of another shop is sent with the tokens of
# both. On an invoice those of questions with several answers are, which the domain checks.
LIST_FIELDS = frozenset({"scope", "identifiers", "identities", "column", "csrf"})
LIST_FIELDS_OF_INVOICE = "/i/"
# Links to these travel through other services, which add parameters of their own, some of them
# twice. The first value of a name counts.
PAGES_OF_CLIENTS = ("/i/", "/r/", "/s/")
SINGLE_FIELDS_OF_INVOICE = frozenset({"nonce", "consent", "_d"})
OWN_COOKIES = ("sigma_", "__Host-sigma_")
_FORM = "bounded_form"


class BoundedRequest(Request[Any, Any, Any]):
    """A request whose query, cookies and form are bounded and are not cached by the process."""

    @property
    def query_params(self) -> MultiDict[Any]:
        """Return the query. One with too many fields is read as empty: `require_valid_query`."""
        if self._parsed_query is Empty:
            self._parsed_query = tuple(_parse_query(self.scope["query_string"]) or ())
        return MultiDict(self._parsed_query)

    @property
    def cookies(self) -> dict[str, str]:
        """Return Sigma's own cookies, as they are: Sigma sets no value that needs quotes."""
        if self._cookies is Empty:
            found = {}
            for part in self.headers.get("cookie", "").split(";"):
                name, _, value = part.strip().partition("=")
                if name.startswith(OWN_COOKIES):
                    found[name] = value.strip()
            self._cookies = found
        return self._cookies

    async def form(self) -> FormMultiDict:
        """Return the posted form, empty for another content type.

        Raises RefusedError("too_large") when it has more fields, or more text in one of them, than
        any form of Sigma, "repeated_field" when a field that is no list has several values, and the
        errors of Litestar for a malformed one.
        """
        form: FormMultiDict | None = self.scope.setdefault("state", {}).get(_FORM)
        if form is None:
            if self.content_type[0] == URL_ENCODED:
                form = FormMultiDict(_parse_form(await self.body()))
            else:
                form = await super().form()  # the parser of multipart forms bounds their parts
            if not _has_short_texts(form):
                await close_files(form)
                raise RefusedError("too_large")
            if not _has_single_values(form, self.scope["path"]):
                await close_files(form)
                raise RefusedError("repeated_field")
            self.scope["state"][_FORM] = form
        return form


def require_valid_query(path: str, query: bytes) -> None:
    """Raise RefusedError("bad_request") for a query with too many fields, "repeated_field" when a
    name has several values, except on the pages of clients.
    """
    fields = _parse_query(query)
    if fields is None:
        raise RefusedError("bad_request")
    is_repeated = len({name for name, _ in fields}) < len(fields)
    if is_repeated and not path.startswith(PAGES_OF_CLIENTS):
        raise RefusedError("repeated_field")


def _parse_query(query: bytes) -> list[tuple[str, str]] | None:
    if query.count(b"&") >= MAX_QUERY_FIELDS:
        return None
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def _parse_form(body: bytes) -> list[tuple[str, str]]:
    if body.count(b"&") >= MAX_FORM_FIELDS:
        raise RefusedError("too_large")
    return parse_qsl(body.decode("latin-1"), keep_blank_values=True)


def _has_single_values(form: FormMultiDict, path: str) -> bool:
    names = Counter(name for name, _ in form.items())
    repeated = {name for name, count in names.items() if count > 1}
    if path.startswith(LIST_FIELDS_OF_INVOICE):
        return not repeated & SINGLE_FIELDS_OF_INVOICE
    return repeated <= LIST_FIELDS


def _has_short_texts(form: FormMultiDict) -> bool:
    return all(
        len(value) <= MAX_FIELD_CHARS
        for name, value in form.items()
        if isinstance(value, str) and name != PACKED_FIELD
    )
