"""Everything on this machine, and a live feed of what happens."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from local import LocalError, bridge, invoke
from local.feed import Feed, Screen
from local.places import LOCAL
from local.seed import seed
from local.system import System, system
from local.waiting import Stopped, ask_to_stop, pause

API_PORT, ENGINE_PORT = 3000, 4566
# The example's reminder is due on the first whole minute that leaves this long to paste it.
PASTING = timedelta(seconds=80)
POLL_SECONDS = 0.5


def port(name: str, default: int) -> int:
    """A port from the environment."""
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise LocalError(f"{name} must be a port number from 1 to 65535, and it is {text!r}")
    return int(text)


def example(url: str, due: datetime, user: str) -> str:
    """A booking to paste into another terminal, whose 1h reminder is due at ``due``."""
    start = due + timedelta(hours=1)
    end = start + timedelta(minutes=30)
    return f"""\
curl -i {url}/appointments \\
  -H 'Content-Type: application/json' -d '{{
    "userId": "{user}",
    "startTime": "{start:%Y-%m-%dT%H:%M:%SZ}",
    "endTime": "{end:%Y-%m-%dT%H:%M:%SZ}",
    "details": {{"title": "Check-up", "location": "Room 2"}},
    "reminders": ["1h"]
  }}'"""


def welcome(screen: Screen, running: System, containers: str | None) -> None:
    """What a person needs to know to go on, in lines of 80 columns at most."""
    now = datetime.now(UTC)
    due = (now + PASTING + timedelta(minutes=1)).replace(second=0, microsecond=0)
    screen.say(f"ready {running.api_url}")
    screen.say()
    screen.say(f"  desk             {running.api_url}/desk")
    screen.say(f"  booking page     {running.api_url}/book")
    screen.say(f"  email and SMS    {running.api_url}/mailbox")
    screen.say(f"  try every call   {running.api_url}/docs")
    screen.say(f"  embedded AWS     {running.engine.url}")
    if containers:
        screen.say(f"  for containers   {containers}")
    screen.say()
    if os.environ.get("SEED") != "on":
        screen.say("For a clinic to look at, run in another terminal: make seed")
    screen.say("Book an appointment from another terminal:")
    screen.say()
    # Whoever starts a second time should not meet the first time's example.
    screen.say(example(running.api_url, due, f"alice-{now:%H%M%S}"))
    screen.say()
    screen.say("It starts in an hour or so, and its reminder arrives some seconds after")
    screen.say(f"{due.astimezone():%H:%M:%S}. Sent once more, it is refused as a conflict.")
    screen.say("Ctrl-C stops everything and keeps the data.")
    screen.say()
    screen.dim("What happens, in local time:")


def run(screen: Screen) -> None:
    """Start everything and show what happens until somebody asks to stop."""
    LOCAL.mkdir(exist_ok=True)
    described = LOCAL / "stack.json"
    state = LOCAL / "state"
    ports = {"port": port("PORT", API_PORT), "engine_port": port("ENGINE_PORT", ENGINE_PORT)}
    with (
        system(screen.dim, state=state, **ports) as running,
        bridge.offered(running.engine.port, screen.dim) as containers,
    ):
        if os.environ.get("SEED") == "on":
            seed(running.engine, running.stack.appointments_table, running.stack.calendars_table, screen.dim)
        described.write_text(json.dumps(running.described(), indent=2) + "\n")
        invoke.write(running.engine, running.stack, containers, LOCAL)
        try:
            feed = Feed(running.engine, running.stack, running.feed_queue_url, running.events_queue_url)
            welcome(screen, running, containers)
            parent = os.getppid()
            while running.engine.running:
                if os.getppid() != parent:
                    ask_to_stop()  # `make` is gone, and nobody is left to stop this program
                for line in feed.poll():
                    screen.show(line)
                pause(POLL_SECONDS)
            raise LocalError("The embedded engine has stopped; .local/engine.log says why")
        except Stopped:
            screen.dim("stopping")
            raise
        finally:
            described.unlink(missing_ok=True)


def main() -> int:
    """Run, and turn what goes wrong into one sentence."""
    screen = Screen(sys.stdout)
    try:
        run(screen)
    except Stopped:
        screen.dim("stopped; the data is kept in .local")
        return 0
    except (LocalError, BotoCoreError, ClientError, OSError) as problem:
        print(f"make run: {problem}", file=sys.stderr)
        return 1
    return 0
