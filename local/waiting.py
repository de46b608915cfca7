"""Waiting for what takes time: it shows that work goes on, and it ends when somebody asks the program to stop.

A signal only sets a flag, and every wait reads it. A handler that raised could do so anywhere, for instance in a
callback of the garbage collector, where Python drops the exception and the wish with it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

# Nobody should see nothing for 10 s. What lies between two steps that say so takes some seconds on a busy machine.
SAY_EVERY = 5.0
POLL_SECONDS = 0.1

Say = Callable[[str], None]
T = TypeVar("T")


class Stopped(BaseException):
    """Somebody asked this program to stop."""


class _Wish:
    """Whether somebody asked. Signals belong to the process, so there is one."""

    asked = False


def ask_to_stop() -> None:
    """Let the next wait raise `Stopped`."""
    _Wish.asked = True


def heed() -> None:
    """Raise `Stopped` if somebody asked this program to stop."""
    if _Wish.asked:
        raise Stopped


def stop_on_signals() -> None:
    """From now on Ctrl-C, SIGTERM and a closed terminal ask this program to stop; a second one changes nothing."""

    def stop(number: int, frame: FrameType | None) -> None:
        ask_to_stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def pause(seconds: float) -> None:
    """Sleep. Raises `Stopped` as soon as somebody asks for it."""
    deadline = time.monotonic() + seconds
    heed()
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, POLL_SECONDS))
        heed()


class Heartbeat:
    """Says now and then what is still going on."""

    def __init__(self, say: Say, what: str) -> None:
        self._say = say
        self._what = what
        self._began = self._spoke = time.monotonic()

    def beat(self) -> None:
        """Say it, unless that was just done."""
        now = time.monotonic()
        if now - self._spoke >= SAY_EVERY:
            self._spoke = now
            self._say(f"  still {self._what} ({now - self._began:.0f} s)")


def patiently(work: Callable[[], T], what: str, say: Say) -> T:
    """Do something that may block. Raises what ``work`` raises, and `Stopped`, which leaves it to itself."""
    result: list[T] = []
    problem: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as exc:  # noqa: BLE001 - raised below, where somebody waits for it
            problem.append(exc)

    heartbeat = Heartbeat(say, what)
    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    while thread.is_alive():
        heed()
        thread.join(POLL_SECONDS)
        heartbeat.beat()
    if problem:
        raise problem[0]
    return result[0]
