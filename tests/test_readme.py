"""The five minutes of the README are true: its commands run against a real demo and pay."""

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
START_S = 60


def three_ports() -> int:
    """A free port whose neighbours for the sandbox (+1) and its mail (+25) are free too."""
    while True:
        sockets = [socket.socket() for _ in range(3)]
        try:
            sockets[0].bind(("127.0.0.1", 0))
            port = int(sockets[0].getsockname()[1])
            for one, beside in zip(sockets[1:], (1, 25), strict=True):
                one.bind(("127.0.0.1", min(port + beside, 65_535)))
        except OSError:
            continue
        else:
            return port
        finally:
            for one in sockets:
                one.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running `sigma demo`; what it told, and the folder it runs in."""
    folder = tmp_path_factory.mktemp("demo")
    told = folder / "var" / "demo" / "demo.json"
    command = [Path(sys.executable).with_name("sigma"), "demo", "--port", str(three_ports())]
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + START_S
        while not told.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield {**json.loads(told.read_text()), "folder": folder}
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("name", ["README.md", "README.ru.md"])
def test_the_commands_of_the_readme_end_in_a_paid_invoice(name: str, demo: dict[str, Any]) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    script = script.replace("http://127.0.0.1:8000", demo["app_url"])
    script = script.replace("http://127.0.0.1:8001", demo["sandbox_url"])
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=demo["folder"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    payments = json.loads(done.stdout[done.stdout.index("{") :])["data"]
    assert [p["status"] for p in payments] == ["captured"]
    assert payments[0]["answers"]["email"] == "client@example.com"
    assert payments[0]["method"]["mask"] == "220000******0004"
    assert payments[0]["receipt_url"].startswith(f"{demo['app_url']}/r/")
