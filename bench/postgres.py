"""A PostgreSQL server of the bench's own: Debian's package, its own port on 127.0.0.1 and a data folder that goes."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import LocalError
from local.engine import HOST, free_port


def _programs() -> Path:
    """The newest installed server's folder."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise LocalError("PostgreSQL is not installed; on Debian and Ubuntu: apt-get install postgresql")
    return found[-1].parent


@contextmanager
def postgres() -> Iterator[str]:
    """Start a server, and give its connection string; durable as it comes, with nothing tuned."""
    programs, port = _programs(), free_port()
    home = Path(tempfile.mkdtemp(prefix="appointments-postgres-"))
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    as_user = ["runuser", "-u", user, "--"] if os.geteuid() == 0 else []
    try:
        if as_user:
            shutil.chown(home, user)
        data = home / "data"
        run = [*as_user, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "bench", "--encoding=UTF8"]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL, cwd=home)
        control = [*as_user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-s", "-l", str(home / "log")]
        options = f"-p {port} -c listen_addresses={HOST} -c unix_socket_directories={home} -c max_connections=100"
        subprocess.run([*control, "-o", options, "start"], check=True, cwd=home)
        try:
            yield f"host={HOST} port={port} user=bench dbname=postgres"
        finally:
            subprocess.run([*control, "-m", "fast", "stop"], check=True, cwd=home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
