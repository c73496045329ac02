"""`python -m bench.rotate`: rotation of the secret key with 100,000 messages, under load.

`sigma keys rotate` runs in its own process, is killed (SIGKILL) halfway and run again, while
operators edit messages here. Afterwards every message must open with the new key alone, and have
the text that was written last.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from bench.stage import SECRET, Harness, open_harness
from sigma.domain.billing.connection import Connection
from sigma.domain.change import Change
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Message, MessageBody
from sigma.logs import configure
from sigma.services.context import Context
from sigma.services.conversations import message_codec
from sigma.services.platform import key_rotation
from sigma.store import changes, key_rotations
from sigma.store.encryption import Cipher
from sigma.store.engine.interface import BusyError, StaleError
from sigma.store.installation_keys import load_cipher
from sigma.store.messaging import messages
from sigma.store.schema.migrate import upgrade
from tests.postgres import postgres_server, run_sql, with_database

OLD, NEW = "old-secret-of-the-bench-" * 2, "new-secret-of-the-bench-" * 2
ROWS_PER_COMMIT = 200
MESSAGES_PER_CONVERSATION = 100
QUIET_S = 5.0  # the load alone, for comparison
PAUSE_S = 0.002  # between two edits of an operator


@dataclass
class Operators:
    """Operators who edit messages all the time. `texts`: what was committed last."""

    ctx: Context
    texts: dict[str, str]
    times_ms: list[float] = field(default_factory=list)
    refused_count: int = 0

    async def run(self) -> None:
        """Edit one message after the other until cancelled."""
        ids, number = list(self.texts), 0
        choice = random.Random(7)
        while True:
            number += 1
            message_id = choice.choice(ids)
            started_s = time.perf_counter()
            try:
                await asyncio.shield(self._edit(message_id, f"правка {number}"))
            except (StaleError, BusyError):
                self.refused_count += 1  # the rotation was first: the page answers 409
            self.times_ms.append((time.perf_counter() - started_s) * 1000)
            await asyncio.sleep(PAUSE_S)

    async def _edit(self, message_id: str, text: str) -> None:
        async with self.ctx.db.read() as tx:
            row = await messages.get(tx, message_id)
        assert row is not None
        body = message_codec.encrypt_body(self.ctx.cipher, row.id, MessageBody(text))
        await changes.commit(self.ctx.db, Change((replace(row, body_encrypted=body),)), 0)
        self.texts[message_id] = text


async def _with_secrets(ctx: Context, *secrets: str) -> Context:
    return replace(ctx, cipher=await load_cipher(ctx.db, secrets, ctx.now_us()))


async def create_messages(harness: Harness, count: int) -> dict[str, str]:
    """Create messages encrypted with OLD; return id → text."""
    ctx, shop_id, now_us = harness.ctx, harness.member.shop_id, harness.ctx.now_us()
    connection = Connection(ctx.new_id("con", shop_id), shop_id, "vk", "Студия", "1", "", now_us)
    community = Community(connection.id, shop_id, 1, "Студия", "studio", "", now_us)
    await changes.commit(ctx.db, Change((connection, community)), now_us)
    conversations = [
        Conversation(ctx.new_id("cnv", shop_id), shop_id, connection.id, n + 1, now_us)
        for n in range(count // MESSAGES_PER_CONVERSATION)
    ]
    for start in range(0, len(conversations), ROWS_PER_COMMIT):
        await changes.commit(
            ctx.db, Change(tuple(conversations[start : start + ROWS_PER_COMMIT])), now_us
        )
    texts: dict[str, str] = {}
    rows = _messages(ctx, conversations, texts)
    while chunk := tuple(islice(rows, ROWS_PER_COMMIT)):
        await changes.commit(ctx.db, Change(chunk), now_us)
    return texts


def _messages(
    ctx: Context, conversations: list[Conversation], texts: dict[str, str]
) -> Iterator[Message]:
    for conversation in conversations:
        for n in range(1, MESSAGES_PER_CONVERSATION + 1):
            message_id = ctx.new_id("msg", conversation.shop_id)
            texts[message_id] = f"Здравствуйте! Есть ли время завтра после {n}?"
            yield Message(
                id=message_id,
                shop_id=conversation.shop_id,
                conversation_id=conversation.id,
                is_outgoing=False,
                author="client",
                body_encrypted=message_codec.encrypt_body(
                    ctx.cipher, message_id, MessageBody(texts[message_id])
                ),
                written_at_us=n,
                position=n,
                cmid=n,
            )


async def start_command(url: str, *args: str) -> asyncio.subprocess.Process:
    """Start a command of `sigma keys` with both secrets."""
    environ = os.environ | {"SIGMA_DATABASE_URL": url, "SIGMA_SECRET_KEY": f"{NEW},{OLD}"}
    program = Path(sys.executable).with_name("sigma")
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        program, "keys", *args, env=environ, stdout=pipe, stderr=pipe
    )


async def _rotated_count(ctx: Context) -> int:
    async with ctx.db.read() as tx:
        rotation = await key_rotations.get(tx, ctx.cipher.current_key_id)
    return rotation.rotated_count if rotation else 0


async def _kill_at(ctx: Context, process: asyncio.subprocess.Process, row_count: int) -> int:
    """Kill the rotation when it has done `row_count` rows; return how many it did."""
    while await _rotated_count(ctx) < row_count:
        assert process.returncode is None, "the rotation ended before it was killed"
        await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    return await _rotated_count(ctx)


async def measure(kind: str, url: str, count: int) -> None:
    """Rotate one database and print what was measured."""
    async with open_harness(url) as harness:
        await key_rotation.rotate(await _with_secrets(harness.ctx, OLD, SECRET))
        harness.ctx = await _with_secrets(harness.ctx, OLD)
        texts = await create_messages(harness, count)
        ctx = await _with_secrets(harness.ctx, NEW, OLD)
        operators = Operators(ctx, texts)
        working = asyncio.create_task(operators.run())
        await asyncio.sleep(QUIET_S)
        quiet_ms, operators.times_ms = operators.times_ms, []

        # Edits encrypt with the new key too, so the rotation has less to do.
        old_count = sum(usage.row_count for usage in (await key_rotation.list_usages(ctx))[1:])
        started_s = time.perf_counter()
        killed = await start_command(url, "rotate")
        at_kill = await _kill_at(ctx, killed, old_count // 3)
        resumed = await start_command(url, "rotate", "--json")
        out, err = await resumed.communicate()
        assert resumed.returncode == 0, err.decode()
        duration_s = time.perf_counter() - started_s
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await asyncio.sleep(0.2)  # the edit in hand

        old = next(key for key in json.loads(out)["keys"] if key["role"] == "old")
        assert old["removable"], old
        await _check(ctx, operators.texts)
    p95_quiet, p95 = (statistics.quantiles(t, n=20)[18] for t in (quiet_ms, operators.times_ms))
    print(
        f"{kind:<11}{count:>8} rows  {duration_s:6.1f} s  {count / duration_s:7.0f} rows/s"
        f"  killed at {at_kill}  edits {len(operators.times_ms)}, refused"
        f" {operators.refused_count}  p95 of an edit {p95:.1f} ms (alone {p95_quiet:.1f} ms)"
        "  lost 0, old key removable"
    )


async def _check(ctx: Context, texts: dict[str, str]) -> None:
    """Require that the new key alone opens every message, with its last text."""
    alone = Cipher([NEW])
    for message_id, text in texts.items():
        async with ctx.db.read() as tx:
            row = await messages.get(tx, message_id)
        assert row is not None
        body = message_codec.decrypt_body(alone, row.id, row.body_encrypted)
        assert body.text == text, (message_id, body.text, text)


def main() -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(prog="python -m bench.rotate", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    count = parser.parse_args().rows
    configure("warning", "console")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        upgrade(url)
        asyncio.run(measure("sqlite", url, count))
    with postgres_server() as server:
        run_sql(server, "CREATE DATABASE bench")
        url = with_database(server, "bench")
        upgrade(url)
        asyncio.run(measure("postgresql", url, count))


if __name__ == "__main__":
    main()
