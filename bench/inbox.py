"""How fast the dialogs open when there are very many: the list, its searches, one dialog, through
the whole web application in one process.
"""

import gc
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import httpx

from bench.stage import SECRET, Stage
from sigma.domain.billing.connection import Connection
from sigma.domain.change import Change
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import STEP, Body, Shown
from sigma.services.accounts import users
from sigma.services.conversations import message_codec, search_index
from sigma.store import changes
from sigma.store.engine.statements import text_statement
from sigma.web.app import create_app
from sigma.web.cabinet.guards import COOKIE

FIRST = ("Анна", "Мария", "Ольга", "Ирина", "Пётр", "Павел", "Юлия", "Дарья", "Игорь", "Софья")
LAST = ("Иванова", "Петрова", "Кузнецова", "Соколова", "Лебедева", "Новикова", "Морозова")
RARE_NAME = "Феврония Редкая"
COMMON_WORD, RARE_WORD = "маникюр", "мезороллер"
MINUTE = 60_000_000
CHUNK, PART = 64, 1000  # dialogs that are written together, and whose messages are

_messages = text_statement(
    """
    INSERT INTO messages (id, shop_id, conversation_id, "out", author, body_sealed, at, place,
        status, cmid, vk_id, key, random_id, tried_at, failure, edited_at, version)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST(:many AS BIGINT))
    SELECT 'msg_' || c.id || '_' || n.i, c.shop_id, c.id, n.i % 2,
        CASE WHEN n.i % 2 = 1 THEN CAST(:author AS TEXT) ELSE 'client' END,
        CASE WHEN n.i % 2 = 1 THEN CAST(:ours AS TEXT) ELSE CAST(:theirs AS TEXT) END,
        c.last_at - (CAST(:many AS BIGINT) - n.i) * 60000000, n.i * 1000000,
        CASE WHEN n.i % 2 = 1 THEN 'sent' ELSE 'received' END,
        n.i, c.peer_id * 1000 + n.i, NULL, n.i, NULL, '', NULL, 1
    FROM conversations c JOIN n ON 1 = 1 WHERE c.shop_id = CAST(:shop_id AS TEXT)
        AND c.peer_id > CAST(:above AS BIGINT) AND c.peer_id <= CAST(:upto AS BIGINT)
    """,
    "many",
    "author",
    "ours",
    "theirs",
    "shop_id",
    "above",
    "upto",
)
# A dialog's other words: twenty of a few thousand, and one that every third dialog has.
_words = text_statement(
    """
    INSERT INTO conversation_words (shop_id, word, conversation_id)
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
    SELECT DISTINCT c.shop_id,
        CASE WHEN n.i = 0 AND c.peer_id % 3 = 0 THEN CAST(:common AS BIGINT)
             WHEN n.i = 1 AND c.peer_id % 2000 = 0 THEN CAST(:rare AS BIGINT)
             ELSE (c.peer_id * 31 + n.i * 7919) % 4001 END, c.id
    FROM conversations c JOIN n ON 1 = 1 WHERE c.shop_id = CAST(:shop_id AS TEXT)
        AND c.peer_id > CAST(:above AS BIGINT) AND c.peer_id <= CAST(:upto AS BIGINT)
    """,
    "common",
    "rare",
    "shop_id",
    "above",
    "upto",
)


@dataclass(frozen=True)
class Seen:
    """How long one page took, in milliseconds."""

    name: str
    times: Sequence[float]

    def line(self) -> str:
        """The middle one and one of the slowest."""
        p99 = statistics.quantiles(self.times, n=100)[98]
        return f"{self.name:<54}{statistics.median(self.times):>10.2f}{p99:>12.2f}"


async def fill(stage: Stage, dialogs: int, messages: int) -> list[str]:
    """A community with so many dialogs of so many messages each; returns the dialogs' ids."""
    ctx, member, now = stage.ctx, stage.member, stage.ctx.now()
    connection = Connection(
        id=ctx.new_id("con", member.shop_id),
        shop_id=member.shop_id,
        provider="vk",
        title="Студия",
        account="1",
        secret_sealed=ctx.sealer.seal("no key"),
        created_at=now,
    )
    community = Community(connection.id, member.shop_id, 1, "Студия", "studio", "", now)
    await changes.commit(ctx.db, Change((connection, community)), now)
    ids = [ctx.new_id("dlg", member.shop_id) for _ in range(dialogs)]
    rows = (_dialog(stage, connection.id, ids[n], n, messages, now) for n in range(dialogs))
    while chunk := tuple(islice(rows, CHUNK)):
        await changes.commit(ctx.db, Change(chunk), now)
    for above in range(0, dialogs, PART):
        await _say(stage, messages, above)
    return ids


async def _say(stage: Stage, messages: int, above: int) -> None:
    """The messages of PART dialogs and their words, in one transaction."""
    ctx, member = stage.ctx, stage.member
    said = "Здравствуйте! Подскажите, сколько стоит маникюр с покрытием и есть ли время на завтра?"
    hung = (Shown("photo", "", "https://vk.example/1.jpg", "https://vk.example/1.jpg"),)
    whose = {"shop_id": member.shop_id, "above": above, "upto": above + PART}
    async with ctx.db.write() as tx:
        await tx.execute(
            _messages,
            many=messages,
            author=member.actor,
            ours=message_codec.seal(ctx.sealer, Body("Да, есть окно в 18:00. Записать вас?")),
            theirs=message_codec.seal(ctx.sealer, Body(said, hung)),
            **whose,
        )
        await tx.execute(_words, **whose, **_hashes(stage))


def _dialog(
    stage: Stage, connection_id: str, dialog_id: str, n: int, messages: int, now: int
) -> Conversation:
    at = now - n * MINUTE
    name = f"{FIRST[n % 10]} {LAST[n % 7]} {n}"
    return Conversation(
        id=dialog_id,
        shop_id=stage.member.shop_id,
        connection_id=connection_id,
        peer_id=n + 1,
        created_at=at,
        name=RARE_NAME if n % 5000 == 4999 else name,
        photo_url="https://vk.example/1.jpg",
        last_at=at,
        last_in_at=at,
        preview_sealed=stage.ctx.sealer.seal("Подскажите, есть ли время на завтра?"),
        last_cmid=messages,
        last_place=messages * STEP,
        unread=n % 4 == 0,
        unanswered=n % 8 == 0,
        changed_at=at,
    )


def _hashes(stage: Stage) -> Mapping[str, int]:
    asked = {"common": COMMON_WORD, "rare": RARE_WORD}
    return {
        name: search_index.marks(stage.ctx.sealer, stage.member.shop_id, word)[0]
        for name, word in asked.items()
    }


async def measure(stage: Stage, ids: Sequence[str], times: int) -> list[Seen]:
    """Opens each page so many times, as a browser does."""
    signed = await users.sign_in(stage.ctx, "owner@example.org", SECRET, ip="bench")
    transport = httpx.ASGITransport(create_app(stage.ctx))
    gc.collect()
    gc.freeze()  # as `sigma serve` does
    base = stage.ctx.settings.base_url
    cookies = {COOKIE: signed.secret}
    step = max(len(ids) // times, 1)
    pages = {
        "list": ["/inbox"],
        "unread": ["/inbox?only=unread"],
        "found by a common name": ["/inbox?q=Анна"],
        "found by a rare name": [f"/inbox?q={RARE_NAME}"],
        "found by a common word": [f"/inbox?q={COMMON_WORD}"],
        "found by a rare word": [f"/inbox?q={RARE_WORD}"],
        "nothing found": ["/inbox?q=ничего такого"],
        "one dialog and the list beside it": [f"/inbox/{one}" for one in ids[1::step]],
    }
    async with httpx.AsyncClient(transport=transport, base_url=base, cookies=cookies) as http:
        return [Seen(name, await _open(http, urls, times)) for name, urls in pages.items()]


async def _open(http: httpx.AsyncClient, urls: Sequence[str], times: int) -> list[float]:
    took = []
    for number in range(times + 5):
        began = time.perf_counter()
        answer = await http.get(urls[number % len(urls)])
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.status_code
    return took[5:]  # the first ones prepare statements and templates
