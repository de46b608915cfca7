"""One system at a time on one state folder: two would each save over what the other wrote."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import LocalError

NAME = "lock"


@contextmanager
def sole_user(state: Path, url: str) -> Iterator[int]:
    """Keep other systems off the folder ``state``. Raises `LocalError`, which names the one that uses it.

    Gives the lock's descriptor. A child that inherits it keeps the folder locked until it has ended too.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / NAME).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LocalError(_refusal(file.read())) from None
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "url": url}))
        file.flush()
        yield file.fileno()


def _refusal(written: str) -> str:
    """Who has the lock, in a sentence, by what was written in its file."""
    try:
        holder = json.loads(written)
        pid, url = int(holder["pid"]), holder["url"]
    except (ValueError, KeyError, TypeError):
        return "Another `make run` uses this checkout; wait until it is ready, or stop it"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return f"The engine of an earlier `make run` (process {pid}) still saves its data; try again in some seconds"
    except PermissionError:
        pass  # it is another user's, and it is alive
    return f"Another `make run` uses this checkout: process {pid}, {url}; use that one, or stop it first"
