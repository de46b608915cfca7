"""What every command shares with the person at the terminal: a question before harm, and a sign of life meanwhile."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SAY_EVERY = 5.0
# What a shell answers for a command that Ctrl-C ended.
BROKEN_OFF = 130


def confirmed(question: str, answer: str) -> bool:
    """Whether the person types the answer. The end of the input is a no."""
    try:
        return input(question) == answer
    except EOFError:
        print()
        return False


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say now and then, for as long as the block runs, that it still does."""
    done = threading.Event()
    began = time.monotonic()

    def say() -> None:
        while not done.wait(SAY_EVERY):
            print(f"  still {what} ({time.monotonic() - began:.0f} s)", flush=True)

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
