"""`sigma serve` with a certificate: https with TLS 1.2 or newer, and no plain http."""

import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from sigma.cli.output import CliError
from sigma.cli.servers import open_tls
from sigma.settings import Settings
from sigma.store.schema.migrate import upgrade
from tests.outbound.servers import make_authority, server_context
from tests.test_cli import environment


def wait_until_ready(url: str, client: httpx.Client, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            assert client.get(url).status_code == 200
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")


def test_sigma_serves_tls_and_no_http(tmp_path: Path) -> None:
    authority = make_authority()
    server_context(authority, tmp_path, "127.0.0.1")
    path = tmp_path / "sigma.db"
    upgrade(f"sqlite:///{path}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [Path(sys.executable).with_name("sigma"), "serve", "--port", str(port)],
        env=environment(
            SIGMA_DATABASE_URL=f"sqlite:///{path}",
            SIGMA_BASE_URL=f"https://127.0.0.1:{port}",
            SIGMA_TLS_CERTIFICATE=str(tmp_path / "server-127.0.0.1.pem"),
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        trusting = ssl.create_default_context(cadata=authority.pem)
        with httpx.Client(verify=trusting, trust_env=False) as client:
            wait_until_ready(f"https://127.0.0.1:{port}/healthz", client, process)
            page = client.get(f"https://127.0.0.1:{port}/sign-in")
            assert page.status_code == 303 or page.status_code == 200
            assert "strict-transport-security" in page.headers
            with pytest.raises(httpx.TransportError):
                client.get(f"http://127.0.0.1:{port}/healthz")
        weak = ssl.create_default_context(cadata=authority.pem)
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
        with (
            socket.create_connection(("127.0.0.1", port)) as sock,
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            weak.wrap_socket(sock, server_hostname="127.0.0.1")
    finally:
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr


def test_file_that_is_no_certificate_stops_the_start_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "tls.pem"
    file.write_text("nothing")
    with pytest.raises(CliError, match=r"tls\.pem"):
        open_tls(Settings(tls_certificate=str(file)))
    assert open_tls(Settings()) is None
