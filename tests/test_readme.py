"""The quick start of the README works: its commands run against a real demo and pay."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 60


def free_demo_port() -> int:
    """Return a free port for which +1 (sandbox) and +25 (its mail server) are free too."""
    while True:
        sockets = [socket.socket() for _ in range(3)]
        try:
            sockets[0].bind(("127.0.0.1", 0))
            port = int(sockets[0].getsockname()[1])
            for sock, offset in zip(sockets[1:], (1, 25), strict=True):
                sock.bind(("127.0.0.1", min(port + offset, 65_535)))
        except OSError:
            continue
        else:
            return port
        finally:
            for sock in sockets:
                sock.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running `sigma demo`: the content of its demo.json, and the folder it runs in."""
    folder = tmp_path_factory.mktemp("demo")
    info_file = folder / "var" / "demo" / "demo.json"
    command = [
        str(Path(sys.executable).with_name("sigma")),
        "demo",
        "--port",
        str(free_demo_port()),
    ]
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not info_file.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield {**json.loads(info_file.read_text()), "folder": folder}
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("name", ["README.md", "README.ru.md"])
def test_readme_commands_end_with_a_captured_payment(name: str, demo: dict[str, Any]) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    script = script.replace("http://127.0.0.1:8000", demo["app_url"])
    script = script.replace("http://127.0.0.1:8001", demo["sandbox_url"])
    result = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=demo["folder"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    payments = json.loads(result.stdout[result.stdout.index("{") :])["data"]
    assert [p["status"] for p in payments] == ["captured"]
    assert payments[0]["answers"]["email"] == "client@example.com"
    assert payments[0]["method"]["mask"] == "220000******0004"
    assert payments[0]["receipt_url"].startswith(f"{demo['app_url']}/r/")
