"""Forty sign-ins at once on a real `sigma serve`: they are hashed in a queue, in little memory."""

import asyncio
import re
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx

from sigma.store.schema.migrate import upgrade
from tests.test_cli import environment, wait_until_ready

SIGN_INS = 40


def peak_mb(pid: int) -> float:
    """Return the largest amount of memory that a process has had (MB)."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


async def sign_in_at_once(port: int) -> Counter[int]:
    """Post sign-ins of as many strangers from as many addresses; return the number by status."""
    base_url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=base_url, timeout=60) as client:
        responses = await asyncio.gather(
            *(
                client.post(
                    "/sign-in",
                    data={"login": f"owner-{n}@example.org", "password": "wrong"},
                    headers={"X-Forwarded-For": f"198.51.100.{n}", "Origin": base_url},
                )
                for n in range(SIGN_INS)
            )
        )
    return Counter(response.status_code for response in responses)


def test_forty_sign_ins_at_once_on_a_server_need_little_memory(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"sqlite:///{tmp_path / 'sigma.db'}"
    upgrade(url)
    process = subprocess.Popen(
        [Path(sys.executable).with_name("sigma"), "serve", "--port", str(port)],
        env=environment(SIGMA_DATABASE_URL=url, SIGMA_TRUSTED_PROXIES="127.0.0.1"),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_ready(port, process)
        before_mb = peak_mb(process.pid)
        statuses = asyncio.run(sign_in_at_once(port))
        grown_mb = peak_mb(process.pid) - before_mb
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert statuses.total() == SIGN_INS
    assert set(statuses) == {422, 429}, statuses
    assert 60 < grown_mb < 150, "a hash takes 64 MB, so at least one was made"
