"""Measure the inbox with very many conversations: the list, its searches, one conversation.

Requests go through the whole web application in one process.
"""

import gc
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import httpx

from bench.stage import SECRET, Harness
from sigma.domain.billing.connection import Connection
from sigma.domain.change import Change
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import POSITION_STEP, MessageAttachment, MessageBody
from sigma.services.accounts import users
from sigma.services.conversations import message_codec, search_index
from sigma.store import changes
from sigma.store.engine.statements import text_statement
from sigma.web.app import create_app
from sigma.web.cabinet.guards import SESSION_COOKIE

FIRST_NAMES = (
    "Анна",
    "Мария",
    "Ольга",
    "Ирина",
    "Пётр",
    "Павел",
    "Юлия",
    "Дарья",
    "Игорь",
    "Софья",
)
LAST_NAMES = ("Иванова", "Петрова", "Кузнецова", "Соколова", "Лебедева", "Новикова", "Морозова")
RARE_NAME = "Феврония Редкая"
COMMON_WORD, RARE_WORD = "маникюр", "мезороллер"
MINUTE_US = 60_000_000
ROWS_PER_COMMIT = 64  # conversations per transaction when their rows are written
CONVERSATIONS_PER_INSERT = 1000  # conversations per transaction when messages are written

_INSERT_MESSAGES = text_statement(
    """
    INSERT INTO messages (id, shop_id, conversation_id, is_outgoing, author, body_encrypted,
        written_at_us, position, status, cmid, vk_id, idempotency_key, random_id,
        first_attempt_at_us, failure, edited_at_us, version)
    WITH RECURSIVE n(i) AS (
        SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST(:message_count AS BIGINT)
    )
    SELECT 'msg_' || c.id || '_' || n.i, c.shop_id, c.id, n.i % 2,
        CASE WHEN n.i % 2 = 1 THEN CAST(:author AS TEXT) ELSE 'client' END,
        '',
        c.last_at_us - (CAST(:message_count AS BIGINT) - n.i) * 60000000, n.i * 1000000,
        CASE WHEN n.i % 2 = 1 THEN 'sent' ELSE 'received' END,
        n.i, c.peer_id * 1000 + n.i, NULL, n.i, NULL, '', NULL, 1
    FROM conversations c JOIN n ON 1 = 1 WHERE c.shop_id = CAST(:shop_id AS TEXT)
        AND c.peer_id > CAST(:after_peer_id AS BIGINT) AND c.peer_id <= CAST(:to_peer_id AS BIGINT)
    """,
    "message_count",
    "author",
    "shop_id",
    "after_peer_id",
    "to_peer_id",
)
_LIST_MESSAGES = text_statement(
    "SELECT id, is_outgoing FROM messages WHERE conversation_id = :conversation_id",
    "conversation_id",
)
_SET_BODY = text_statement(
    "UPDATE messages SET body_encrypted = :body WHERE id = :id", "body", "id"
)
# Each conversation gets 20 search tokens out of 4001. The common token replaces one of them in
# every 3rd conversation, and the rare token replaces one in every 2000th.
_INSERT_TOKENS = text_statement(
    """
    INSERT INTO search_tokens (shop_id, token_hash, conversation_id)
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
    SELECT DISTINCT c.shop_id,
        CASE WHEN n.i = 0 AND c.peer_id % 3 = 0 THEN CAST(:common AS BIGINT)
             WHEN n.i = 1 AND c.peer_id % 2000 = 0 THEN CAST(:rare AS BIGINT)
             ELSE (c.peer_id * 31 + n.i * 7919) % 4001 END, c.id
    FROM conversations c JOIN n ON 1 = 1 WHERE c.shop_id = CAST(:shop_id AS TEXT)
        AND c.peer_id > CAST(:after_peer_id AS BIGINT) AND c.peer_id <= CAST(:to_peer_id AS BIGINT)
    """,
    "common",
    "rare",
    "shop_id",
    "after_peer_id",
    "to_peer_id",
)


@dataclass(frozen=True)
class PageTimes:
    """Latencies of one page in milliseconds."""

    name: str
    times_ms: Sequence[float]

    def format_row(self) -> str:
        """Format the median and the 99th percentile."""
        p99 = statistics.quantiles(self.times_ms, n=100)[98]
        return f"{self.name:<54}{statistics.median(self.times_ms):>10.2f}{p99:>12.2f}"


async def create_conversations(harness: Harness, conversations: int, messages: int) -> list[str]:
    """Create a community with conversations of `messages` messages each; return their ids."""
    ctx, member, now_us = harness.ctx, harness.member, harness.ctx.now_us()
    connection = Connection(
        id=ctx.new_id("con", member.shop_id),
        shop_id=member.shop_id,
        provider="vk",
        title="Студия",
        account="1",
        secret_encrypted="",  # VK is never called
        created_at_us=now_us,
    )
    community = Community(connection.id, member.shop_id, 1, "Студия", "studio", "", now_us)
    await changes.commit(ctx.db, Change((connection, community)), now_us)
    ids = [ctx.new_id("cnv", member.shop_id) for _ in range(conversations)]
    rows = (
        _conversation(harness, connection.id, ids[n], n, messages, now_us)
        for n in range(conversations)
    )
    while chunk := tuple(islice(rows, ROWS_PER_COMMIT)):
        await changes.commit(ctx.db, Change(chunk), now_us)
    for after_peer_id in range(0, conversations, CONVERSATIONS_PER_INSERT):
        await _insert_messages(harness, messages, after_peer_id)
    return ids


async def _insert_messages(harness: Harness, messages: int, after_peer_id: int) -> None:
    """Insert messages and search tokens of the next conversations in one transaction.

    These are CONVERSATIONS_PER_INSERT conversations with peer ids above `after_peer_id`.
    """
    ctx, member = harness.ctx, harness.member
    scope = {
        "shop_id": member.shop_id,
        "after_peer_id": after_peer_id,
        "to_peer_id": after_peer_id + CONVERSATIONS_PER_INSERT,
    }
    async with ctx.db.write() as tx:
        await tx.execute(
            _INSERT_MESSAGES,
            message_count=messages,
            author=member.actor,
            **scope,
        )
        await tx.execute(_INSERT_TOKENS, **scope, **_token_hashes(harness))


async def encrypt_messages(harness: Harness, conversation_ids: Sequence[str]) -> None:
    """Encrypt the bodies of the conversations that will be opened: each is bound to its row."""
    ctx = harness.ctx
    client_text = (
        "Здравствуйте! Подскажите, сколько стоит маникюр с покрытием и есть ли время на завтра?"
    )
    attachments = (
        MessageAttachment("photo", "", "https://vk.example/1.jpg", "https://vk.example/1.jpg"),
    )
    operator_body = MessageBody("Да, есть окно в 18:00. Записать вас?")
    client_body = MessageBody(client_text, attachments)
    for conversation_id in conversation_ids:
        async with ctx.db.write() as tx:
            for row in await tx.fetch_all(_LIST_MESSAGES, conversation_id=conversation_id):
                body = operator_body if row["is_outgoing"] else client_body
                encrypted = message_codec.encrypt_body(ctx.cipher, row["id"], body)
                await tx.execute(_SET_BODY, id=row["id"], body=encrypted)


def _conversation(
    harness: Harness, connection_id: str, conversation_id: str, n: int, messages: int, now_us: int
) -> Conversation:
    last_at_us = now_us - n * MINUTE_US
    name = f"{FIRST_NAMES[n % 10]} {LAST_NAMES[n % 7]} {n}"
    return Conversation(
        id=conversation_id,
        shop_id=harness.member.shop_id,
        connection_id=connection_id,
        peer_id=n + 1,
        created_at_us=last_at_us,
        name=RARE_NAME if n % 5000 == 4999 else name,
        photo_url="https://vk.example/1.jpg",
        last_at_us=last_at_us,
        last_incoming_at_us=last_at_us,
        preview_encrypted=message_codec.encrypt_preview(
            harness.ctx.cipher, conversation_id, MessageBody("Подскажите, есть ли время на завтра?")
        ),
        last_cmid=messages,
        last_position=messages * POSITION_STEP,
        unread_count=n % 4 == 0,
        is_unanswered=n % 8 == 0,
        changed_at_us=last_at_us,
    )


def _token_hashes(harness: Harness) -> Mapping[str, int]:
    words = {"common": COMMON_WORD, "rare": RARE_WORD}
    return {
        name: search_index.query_hashes(harness.ctx.cipher, harness.member.shop_id, word)[0]
        for name, word in words.items()
    }


async def measure(harness: Harness, ids: Sequence[str], request_count: int) -> list[PageTimes]:
    """Open each page `request_count` times with a signed-in session."""
    session = await users.sign_in(harness.ctx, "owner@example.org", SECRET, ip="bench")
    transport = httpx.ASGITransport(cast("Any", create_app(harness.ctx)))
    gc.collect()
    gc.freeze()  # as `sigma serve` does
    base = harness.ctx.settings.base_url
    cookies = {SESSION_COOKIE: session.secret}
    step = max(len(ids) // request_count, 1)
    await encrypt_messages(harness, ids[1::step])
    pages = {
        "list": ["/inbox"],
        "unread": ["/inbox?only=unread"],
        "found by a common name": ["/inbox?q=Анна"],
        "found by a rare name": [f"/inbox?q={RARE_NAME}"],
        "found by a common word": [f"/inbox?q={COMMON_WORD}"],
        "found by a rare word": [f"/inbox?q={RARE_WORD}"],
        "nothing found": ["/inbox?q=ничего такого"],
        "one conversation and the list beside it": [f"/inbox/{one}" for one in ids[1::step]],
    }
    async with httpx.AsyncClient(transport=transport, base_url=base, cookies=cookies) as http:
        return [
            PageTimes(name, await _time_requests(http, urls, request_count))
            for name, urls in pages.items()
        ]


async def _time_requests(
    http: httpx.AsyncClient, urls: Sequence[str], request_count: int
) -> list[float]:
    times_ms = []
    for number in range(request_count + 5):
        start_s = time.perf_counter()
        response = await http.get(urls[number % len(urls)])
        times_ms.append((time.perf_counter() - start_s) * 1000)
        assert response.status_code == 200, response.status_code
    return times_ms[5:]  # the first requests prepare statements and compile templates
