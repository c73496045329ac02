"""Shared parts of API handlers: authentication, list queries, idempotency, JSON responses."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency

from sigma.domain.accounts.member import Member
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.idempotency import Idempotency
from sigma.domain.limits import (
    API_REFUSALS,
    API_REQUESTS,
    Limit,
    too_many_requests,
    with_amount,
)
from sigma.domain.lists.filters import is_filter_parameter
from sigma.domain.time_units import SECOND_US
from sigma.services.accounts import api_keys
from sigma.services.context import Context
from sigma.services.limits import client_network
from sigma.services.paging import DEFAULT_LIMIT, MAX_LIMIT
from sigma.services.platform.idempotency import run_once
from sigma.services.security_log import SecurityEvent, record
from sigma.web.api.body import MAX_PROBLEMS
from sigma.web.ids import is_id
from sigma.web.middleware.requests import EXTRA_HEADERS
from sigma.web.request_identity import ACTOR, program_origin, remote_ip

ApiRequest = Request[Any, Any, Any]
Ctx = NamedDependency[Context]
CurrentMember = NamedDependency[Member]
ResultT = TypeVar("ResultT")

JSON = "application/json"
MAX_BODY_BYTES = 1024 * 1024  # more than the largest valid invoice with 100 items

_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,128}")
_JSON_MEDIA_TYPE = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json")
_ENCODER = msgspec.json.Encoder()

encode = _ENCODER.encode


async def authenticate(request: ApiRequest, ctx: NamedDependency[Context]) -> Member:
    """Return the member of the bearer API key, and count the request for the key.

    A wrong key counts for the address. Either way the response says what is left of the limit.
    The route names the scope that the key needs; a route without one is refused. Raises
    RefusedError: "unauthorized", "key_expired", "address_not_allowed", "too_many_requests",
    "missing_scope".
    """
    try:
        member = await _read_member(request, ctx)
    except RefusedError:
        ip = remote_ip(request)
        record(SecurityEvent.API_KEY_REFUSED, ip=ip)
        await _count_request(request, ctx, API_REFUSALS, client_network(ip))
        raise
    request.state[ACTOR] = member.actor
    limit = with_amount(API_REQUESTS, ctx.settings.api_requests_per_minute)
    await _count_request(request, ctx, limit, member.actor)
    member.require_scope(request.route_handler.opt["scope"])
    return member


async def _read_member(request: ApiRequest, ctx: Context) -> Member:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise RefusedError("unauthorized")
    member = await api_keys.authenticate(ctx, secret.strip(), ip=remote_ip(request))
    return replace(member, origin=program_origin(request))


async def _count_request(request: ApiRequest, ctx: Context, limit: Limit, subject: str) -> None:
    """Count a request and set the RateLimit headers. Raises RefusedError("too_many_requests").

    https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06
    """
    usage = await ctx.limiter.count(limit, subject)
    reset_s = max(-(-usage.wait_us // SECOND_US), 1)
    values = {
        "ratelimit-limit": limit.amount,
        "ratelimit-remaining": usage.remaining,
        "ratelimit-reset": reset_s,
        "ratelimit-policy": f"{limit.amount};w={limit.window_s}",
    }
    request.scope["state"][EXTRA_HEADERS] = tuple(
        (name.encode(), str(value).encode()) for name, value in values.items()
    )
    if usage.is_exceeded:
        raise too_many_requests(usage.wait_us)


async def read_json(request: ApiRequest) -> bytes:
    """Return the body of a request that must be JSON in UTF-8.

    A request without Content-Type is taken for JSON. Raises RefusedError("unsupported_media_type").
    """
    media_type, _, parameters = request.headers.get("content-type", JSON).lower().partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters)
    if not _JSON_MEDIA_TYPE.fullmatch(media_type.strip()) or (
        charset and charset[1] not in ("utf-8", "utf8")
    ):
        raise RefusedError("unsupported_media_type")
    return await request.body()


def json_response(body: Any) -> Response[bytes]:
    """Return a 200 response with a struct encoded as JSON."""
    return Response(encode(body), media_type=JSON)


def read_idempotency(
    request: ApiRequest,
    member: Member,
    body: bytes,
    *,
    status: int,
    render: Callable[[ResultT], str],
) -> Idempotency[ResultT]:
    """Return the Idempotency-Key of a request, with the status and the renderer of its response.

    Raises RefusedError("idempotency_key_missing"), also for a malformed key.
    """
    key = request.headers.get("idempotency-key", "")
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise RefusedError("idempotency_key_missing")
    fingerprint = f"{request.scope['method']} {request.scope['path']}\n".encode() + body
    return Idempotency(member.shop_id, key, hashlib.sha256(fingerprint).hexdigest(), status, render)


async def respond_once(
    ctx: Context, idempotency: Idempotency[ResultT], action: Callable[[], Awaitable[ResultT]]
) -> Response[bytes]:
    """Run an action at most once per Idempotency-Key; it must pass `idempotency` to the service.

    A repeated request gets the stored response byte for byte, with `Idempotent-Replayed: true`.
    Raises RefusedError like services.platform.idempotency.
    """
    stored, is_repeat = await run_once(ctx, idempotency, action)
    headers = {"idempotent-replayed": "true"} if is_repeat else None
    return Response(
        stored.body.encode(), status_code=stored.status, media_type=JSON, headers=headers
    )


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Parsed query string of a list; `filters` holds only the filters that are present."""

    limit: int
    cursor: str | None
    filters: dict[str, str]


def parse_list_query(request: ApiRequest, prefix: str, filters: Collection[str]) -> ListQuery:
    """Parse the query string of a list. `prefix`: id prefix of a valid cursor.

    "metadata[key]" among `filters` allows every key. Raises RefusedError("validation"), also for
    an unknown parameter: a misspelt filter must not be ignored silently.
    """
    params = request.query_params
    problems = [
        Problem(name[:100], "unknown_field")
        for name in params
        if not is_filter_parameter(name, filters) and name not in ("limit", "cursor")
    ]
    limit = params.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MAX_LIMIT:
        problems.append(Problem("limit", "range", {"min": 1, "max": MAX_LIMIT}))
    cursor = params.get("cursor")
    if cursor is not None and not is_id(cursor, prefix):
        problems.append(Problem("cursor", "cursor"))
    if problems:
        raise validation_error(*problems[:MAX_PROBLEMS])
    found = {n: str(params[n]) for n in params if is_filter_parameter(n, filters)}
    return ListQuery(int(limit), cursor, found)


def filter_values(query: ListQuery) -> Mapping[str, Sequence[str]]:
    """Return the filters as parsers of `sigma.domain.lists.filters` take them."""
    return {name: [value] for name, value in query.filters.items()}


def filter_choice(query: ListQuery, name: str, choices: Collection[str]) -> str | None:
    """Return a filter value, None if absent. Raises RefusedError("validation") if not a choice."""
    value = query.filters.get(name)
    if value is not None and value not in choices:
        raise validation_error(Problem(name, "choose"))
    return value
