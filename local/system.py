"""The whole local system as one context manager: engine, deployed stack, queues and front door."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from local.deploy import Say, Stack, deploy, deploy_if_changed
from local.engine import REGION, Engine, free_port, require_free
from local.front_door import FrontDoor
from local.queues import subscribe

INBOX = "appointments-local-inbox"
FEED = "appointments-local-feed"
STACK = "appointments-local"


class Stopped(BaseException):
    """Somebody asked this program to stop."""


@dataclass(frozen=True)
class System:
    """What runs, and where to reach it."""

    engine: Engine
    stack: Stack
    api_url: str
    inbox_queue_url: str
    feed_queue_url: str

    def described(self) -> dict[str, str]:
        """What other programs need to use it, as `.local/stack.json` has it."""
        return {
            "apiUrl": self.api_url,
            "engineUrl": self.engine.url,
            "region": REGION,
            "stackName": self.stack.name,
            "appointmentsTable": self.stack.appointments_table,
            "calendarsTable": self.stack.calendars_table,
            "topicArn": self.stack.topic_arn,
            "inboxQueueUrl": self.inbox_queue_url,
            "conflictDetectorFunction": self.stack.conflict_detector,
            "reminderSenderFunction": self.stack.reminder_sender,
            "reminderSweepFunction": self.stack.reminder_sweep,
        }


@contextmanager
def serving(
    engine: Engine, say: Say, *, stack_name: str = STACK, port: int | None = None, memory: Path | None = None
) -> Iterator[System]:
    """Deploy to a running engine and serve the API until the block ends.

    ``memory`` is the file that remembers what was deployed to an engine that keeps its state.
    """
    stack = deploy_if_changed(engine, stack_name, say, memory) if memory else deploy(engine, stack_name, say)
    inbox, feed = (subscribe(engine, stack.topic_arn, queue) for queue in (INBOX, FEED))
    with FrontDoor(port or free_port(), stack.api_target) as door:
        yield System(engine, stack, door.url, inbox, feed)


@contextmanager
def system(
    say: Say, *, port: int | None = None, engine_port: int | None = None, state: Path | None = None
) -> Iterator[System]:
    """Run everything until the block ends. Without ports it takes free ones, without ``state`` it forgets."""
    if port is not None:
        require_free(port, "PORT")
    if engine_port is not None:
        require_free(engine_port, "ENGINE_PORT")
    say("starting the embedded engine")
    memory = None if state is None else state.parent / "deployed"
    with Engine(port=engine_port, state=state) as engine, serving(engine, say, port=port, memory=memory) as running:
        yield running


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into `Stopped`, once: the way out is not interrupted."""

    def stop(number: int, frame: FrameType | None) -> None:
        for wish in wishes:
            signal.signal(wish, signal.SIG_IGN)
        raise Stopped

    wishes = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("signals reach the main thread only")
    for wish in wishes:
        signal.signal(wish, stop)
    yield
