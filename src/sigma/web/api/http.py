"""How every API handler begins and ends: the key, the query, an answer given once, JSON."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency

from sigma.domain.accounts.member import Member
from sigma.domain.errors import Problem, Refused, invalid
from sigma.services.accounts import api_keys
from sigma.services.context import Context
from sigma.services.platform import idempotency
from sigma.services.platform.idempotency import Remember

ApiRequest = Request[Any, Any, Any]
Ctx = NamedDependency[Context]
Who = NamedDependency[Member]

JSON = "application/json"
MAX_BODY = 1024 * 1024  # bytes; the longest invoice with a hundred lines is smaller
MAX_LIMIT, DEFAULT_LIMIT = 100, 25

_KEY = re.compile(r"[\x20-\x7e]{1,128}")
_ID = re.compile(r"[a-z]{3}_[0-9a-z]{10,40}")
_ENCODER = msgspec.json.Encoder()

encode = _ENCODER.encode


async def authenticate(request: ApiRequest, ctx: NamedDependency[Context]) -> Member:
    """The program behind the bearer key. Raises Refused("unauthorized")."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refused("unauthorized")
    return await api_keys.authenticate(ctx, secret.strip())


def json(told: Any) -> Response[bytes]:
    """An answer to a question."""
    return Response(encode(told), media_type=JSON)


async def once(
    ctx: Context,
    member: Member,
    request: ApiRequest,
    body: bytes,
    act: Callable[[Remember], Awaitable[Any]],
) -> Response[bytes]:
    """Acts at most once for an Idempotency-Key; a repeat gets the first answer byte for byte."""
    key = request.headers.get("idempotency-key", "")
    if not _KEY.fullmatch(key):
        raise Refused("idempotency_key_missing")
    asked = f"{request.scope['method']} {request.scope['path']}\n".encode() + body
    answered, repeated = await idempotency.once(
        ctx, member, key, hashlib.sha256(asked).hexdigest(), act
    )
    headers = {"idempotent-replayed": "true"} if repeated else None
    return Response(
        answered.body.encode(), status_code=answered.status, media_type=JSON, headers=headers
    )


def is_id(text: str, prefix: str) -> bool:
    """Whether it can be an id of that kind."""
    return text.startswith(f"{prefix}_") and bool(_ID.fullmatch(text))


def read_id(text: str, prefix: str) -> str:
    """An id from the address. Raises Refused("not_found") for what cannot be one."""
    if not is_id(text, prefix):
        raise Refused("not_found")
    return text


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for; `filters` holds those that were given."""

    limit: int
    cursor: str | None
    filters: dict[str, str]


def read_query(request: ApiRequest, prefix: str, filters: Collection[str]) -> Query:
    """Raises Refused("validation") for what is not known: a misspelt filter must not pass."""
    given = request.query_params
    problems = [
        Problem(name[:100], "unknown_field")
        for name in given
        if name not in filters and name not in ("limit", "cursor")
    ]
    limit = given.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MAX_LIMIT:
        problems.append(Problem("limit", "range", {"min": 1, "max": MAX_LIMIT}))
    cursor = given.get("cursor")
    if cursor is not None and not is_id(cursor, prefix):
        problems.append(Problem("cursor", "cursor"))
    if problems:
        raise invalid(*problems)
    return Query(int(limit), cursor, {n: str(given[n]) for n in filters if n in given})


def choice(query: Query, name: str, choices: Collection[str]) -> str | None:
    """A filter with known words. Raises Refused("validation")."""
    value = query.filters.get(name)
    if value is not None and value not in choices:
        raise invalid(Problem(name, "choose"))
    return value
