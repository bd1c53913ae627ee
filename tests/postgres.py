"""A real PostgreSQL server for the tests: started where its binaries are, in a folder and on a port of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_postgres = pytest.mark.skipif(
    not (shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))),
    reason="no PostgreSQL server is installed here (apt-get install postgresql)",
)


def _program(name: str) -> str:
    packaged = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(packaged[-1]) if packaged else shutil.which(name) or name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server() -> Iterator[str]:
    """Run a server; the URL of an empty database in it. It refuses to run as root, so root starts it as `postgres`."""
    as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="momentum-opt-postgres-"))
    name = pwd.getpwuid(os.geteuid()).pw_name
    try:
        if as_user:
            shutil.chown(folder, "postgres", "postgres")
            name = "postgres"
        data, port = folder / "data", _free_port()

        def run(*command: str | Path) -> None:
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user)

        run(_program("initdb"), "-D", data, "-A", "trust", "-U", name, "--no-sync", "--locale=C", "-E", "UTF8")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
        run(_program("pg_ctl"), "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql://{name}@127.0.0.1:{port}/postgres"
        finally:
            run(_program("pg_ctl"), "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
