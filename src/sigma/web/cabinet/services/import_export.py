"""Import and export of services: price lists as files, and the goods of a community."""

import base64
from typing import Any

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Problem, Refused
from sigma.services.accounts.users import Session
from sigma.services.catalogue import price_list_import, services
from sigma.services.catalogue.price_list_import import Listed, What
from sigma.services.context import Context
from sigma.services.market import market_apply, market_diff
from sigma.services.market.market_apply import Failure, Outcome
from sigma.services.market.market_diff import Comparison
from sigma.services.vk import community_client
from sigma.texts import Words
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import cabinet_page, go, posted, sentences, words_of
from sigma.web.cabinet.services import price_list
from sigma.web.cabinet.services.market_comparison import shown
from sigma.web.forms import Given, one, read_id

MAX_BODY = 2 * price_list.MAX_BYTES  # a file comes back from the page that showed it, encoded
MAX_CHOICES = 1024 * 1024


@get("/services/exchange")
async def exchange_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Where a price list comes from and goes to."""
    return await _page(request, ctx, session, {})


async def _page(
    request: WebRequest, ctx: Context, session: Session, errors: dict[str, str]
) -> Response[Any]:
    session.member.must(Permission.CATALOGUE)
    language = 0 if session.locale == "ru" else 1
    return cabinet_page(
        request,
        session,
        "cabinet/services/exchange.html",
        place="services",
        status=422 if errors else 200,
        errors=errors,
        communities=[
            line.community for line in await community_client.lines_of(ctx, session.member)
        ],
        count=len(await services.listing(ctx, session.member)),
        file_mb=price_list.MAX_BYTES // 1024**2,
        columns=[names[language][0] for names in price_list.COLUMNS.values()],
        hide_plus=True,
    )


@get("/services/export.csv")
async def export_csv(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[bytes]:
    """The catalogue for a spreadsheet; the same file can be loaded again."""
    found = await services.listing(ctx, session.member)
    headers = {"content-disposition": 'attachment; filename="services.csv"'}
    return Response(
        price_list.write(found, session.locale),
        media_type="text/csv; charset=utf-8",
        headers=headers,
    )


@post("/services/exchange/csv", request_max_body_size=MAX_BODY)
async def read_csv(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """What a file would do, line by line; nothing is written yet."""
    session.member.must(Permission.CATALOGUE)
    sent = (await request.form()).get("file")
    data = await sent.read() if isinstance(sent, UploadFile) else b""
    if not data:
        wrong = [Problem("file", "required")]
        return await _page(request, ctx, session, sentences(words_of(session), wrong))
    listed, problems = price_list.read(data)
    if problems:
        return await _page(request, ctx, session, sentences(words_of(session), problems))
    return await _preview(request, ctx, session, listed, data)


async def _preview(
    request: WebRequest, ctx: Context, session: Session, listed: list[Listed], data: bytes
) -> Response[Any]:
    words = words_of(session)
    steps = await price_list_import.preview(ctx, session.member, listed)
    counts = {str(what): sum(step.what is what for step in steps) for what in What}
    return cabinet_page(
        request,
        session,
        "cabinet/services/csv.html",
        place="services",
        steps=steps,
        counts=counts,
        said={step.line: _said(step.problems, words) for step in steps},
        doing=counts["add"] + counts["change"],
        body=base64.b64encode(data).decode(),
        hide_plus=True,
    )


def _said(problems: tuple[Problem, ...], words: Words) -> list[str]:
    """What is wrong with a line, each fault with the name of its column."""
    found = []
    for p in problems:
        key = f"services.column_{p.field.split('.')[0]}"
        name = words.t(key) if words.has(key) else ""
        found.append(f"{name}: {words.problem(p)}" if name else words.problem(p))
    return found


@post("/services/exchange/csv/apply", request_max_body_size=MAX_BODY)
async def apply_csv(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Does what the page showed. Pressed twice, the second time finds everything done."""
    session.member.must(Permission.CATALOGUE)
    given = await posted(request)
    try:
        data = base64.b64decode(one(given, "body"), validate=True)
    except ValueError:  # binascii.Error is one
        raise Refused("bad_request") from None
    listed, problems = price_list.read(data)
    if problems:
        return await _page(request, ctx, session, sentences(words_of(session), problems))
    try:
        done = await price_list_import.apply(ctx, session.member, listed)
    except Refused as refused:
        if not refused.problems:
            raise
        said = words_of(session).problem(refused.problems[0])
        return await _page(request, ctx, session, {"file": said})
    return go(
        "/services",
        "services.done_csv",
        added=done.of(What.ADD),
        changed=done.of(What.CHANGE),
        same=done.of(What.SAME),
        wrong=done.of(What.WRONG),
    )


@get("/services/exchange/vk/{community_id:str}")
async def compare_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """The catalogue beside the goods of a community, or why they cannot be seen."""
    return await _compared(request, ctx, session, read_id(community_id, "con"))


@post("/services/exchange/vk/{community_id:str}", request_max_body_size=MAX_CHOICES)
async def apply_choices(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """Does what was chosen, then shows how both sides stand now."""
    community_id = read_id(community_id, "con")
    chosen = _chosen(await posted(request))
    try:
        outcome = await market_apply.act(ctx, session.member, community_id, chosen)
    except Refused as refused:
        if refused.code not in ("vk_refused", "vk_silent", "no_community"):
            raise
        return await _compared(request, ctx, session, community_id)
    return await _compared(request, ctx, session, community_id, outcome)


def _chosen(given: Given) -> dict[str, tuple[str, str]]:
    """Line's key → what was chosen, and the mark of what was seen."""
    keys = [name.removeprefix("do.") for name in given if name.startswith("do.")]
    return {key: (one(given, f"do.{key}"), one(given, f"mark.{key}")) for key in keys}


async def _compared(
    request: WebRequest,
    ctx: Context,
    session: Session,
    community_id: str,
    outcome: Outcome | None = None,
) -> Response[Any]:
    words = words_of(session)
    seen: Comparison | None = None
    trouble = ""
    try:
        seen = await market_diff.compare(ctx, session.member, community_id)
    except Refused as refused:
        if refused.code not in ("vk_refused", "vk_silent", "no_community"):
            raise
        trouble = words.refusal(refused)
    pairs = seen.open_pairs if seen else []
    return cabinet_page(
        request,
        session,
        "cabinet/services/compare.html",
        place="services",
        community=seen.line.community if seen else None,
        community_id=community_id,
        closed=_closed(seen.closed, words) if seen and seen.closed else "",
        trouble=trouble,
        pairs=[shown(pair, words) for pair in pairs],
        same=len(seen.pairs) - len(pairs) if seen else 0,
        outcome=outcome,
        failures=[(f.title, _why(f, words)) for f in outcome.failures] if outcome else [],
        hide_plus=True,
    )


def _closed(code: str, words: Words) -> str:
    key = f"services.vk_closed_{code}"
    return words.t(key) if words.has(key) else words.t("services.vk_closed_other", code=code)


def _why(failure: Failure, words: Words) -> str:
    """Why a line did not work out, in a sentence."""
    if failure.problems:
        return " ".join(_said(failure.problems, words))
    if words.has(f"services.vk_no_{failure.code}"):
        return words.t(f"services.vk_no_{failure.code}")
    if words.has(f"errors.refusal.{failure.code}"):
        return words.t(f"errors.refusal.{failure.code}")
    return words.t("services.vk_no", code=failure.code, words=failure.words or "…")


HANDLERS = [
    exchange_page,
    export_csv,
    read_csv,
    apply_csv,
    compare_page,
    apply_choices,
]
