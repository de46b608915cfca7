"""The whole local system as one context manager: engine, deployed stack, queues and front door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from local import LocalError
from local.deploy import Stack, deploy, deploy_if_changed, parameters
from local.engine import HOST, REGION, Engine, free_port, require_free
from local.front_door import FrontDoor
from local.lock import sole_user
from local.mailbox import Mailbox
from local.queues import listen, subscribe
from local.waiting import Say

INBOX = "appointments-local-inbox"
FEED = "appointments-local-feed"
EVENTS = "appointments-local-events"
STACK = "appointments-local"


@dataclass(frozen=True)
class System:
    """What runs, and where to reach it."""

    engine: Engine
    stack: Stack
    api_url: str
    inbox_queue_url: str
    feed_queue_url: str
    events_queue_url: str

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
            "eventBus": self.stack.event_bus,
            "inboxQueueUrl": self.inbox_queue_url,
            "mailFolder": str(self.engine.mail),
            "conflictDetectorFunction": self.stack.conflict_detector,
            "reminderSenderFunction": self.stack.reminder_sender,
            "reminderSweepFunction": self.stack.reminder_sweep,
        }


def verify(engine: Engine, address: str | None) -> None:
    """Let SES send from an address, as its owner does on AWS."""
    if address:
        ses = engine.client("sesv2")
        with suppress(ses.exceptions.AlreadyExistsException):
            ses.create_email_identity(EmailIdentity=address)


@contextmanager
def serving(
    engine: Engine, say: Say, *, stack_name: str = STACK, port: int | None = None, memory: Path | None = None
) -> Iterator[System]:
    """Deploy to a running engine and serve the API until the block ends.

    ``memory`` is the file that remembers what was deployed to an engine that keeps its state.
    """
    verify(engine, parameters().get("EmailFrom"))
    port = port or free_port()
    links = {"LinkBase": f"http://{HOST}:{port}"}  # as people reach the API here
    if memory:
        stack = deploy_if_changed(engine, stack_name, say, memory, links)
    else:
        stack = deploy(engine, stack_name, say, links)
    inbox, feed = (subscribe(engine, stack.topic_arn, queue) for queue in (INBOX, FEED))
    with FrontDoor(port, stack.api_target, Mailbox(engine.mail)) as door:
        yield System(engine, stack, door.url, inbox, feed, listen(engine, stack.event_bus, EVENTS))


@contextmanager
def system(
    say: Say, *, port: int | None = None, engine_port: int | None = None, state: Path | None = None
) -> Iterator[System]:
    """Run everything until the block ends. Without ports it takes free ones, without ``state`` it forgets."""
    if port is not None and port == engine_port:
        raise LocalError(f"PORT and ENGINE_PORT are both {port}, and they must differ")
    with ExitStack() as stack:
        # Before the ports: a second `make run` should hear of the first one, and not of a port.
        lock = None if state is None else stack.enter_context(sole_user(state, f"http://{HOST}:{port}"))
        if port is not None:
            require_free(port, "PORT")
        if engine_port is not None:
            require_free(engine_port, "ENGINE_PORT")
        say("starting the embedded engine")
        engine = stack.enter_context(Engine(port=engine_port, state=state, lock=lock, say=say))
        memory = None if state is None else state.parent / "deployed"
        yield stack.enter_context(serving(engine, say, port=port, memory=memory))
