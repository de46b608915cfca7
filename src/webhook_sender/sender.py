"""Sends what lies in the queue: at least once to each receiver, and none of them keeps another waiting.

A try that fails opens the receiver's breaker: nobody tries it before the pause is over, which grows with each failure.
Then one message is tried, under a breaker that ends by itself, so a sender that dies keeps nobody out. Until then
its messages go back into the queue, hidden. So it goes, without a pause, with a receiver that accepts slowly: one
sender at a time waits for it. A day after it was sent, a message becomes a dead letter.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from random import SystemRandom
from typing import TYPE_CHECKING, NamedTuple

from appointments.storage.deliveries import State
from appointments.storage.webhooks import Breaker
from appointments.telemetry import EventType, logger
from appointments.webhooks import signed_headers
from webhook_sender.guard import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from appointments.storage.deliveries import Deliveries
    from appointments.storage.webhooks import StoredWebhook, WebhookItems
    from appointments.webhook_queue import DeliveryQueue
    from appointments.webhook_secrets import WebhookSecrets
    from appointments.webhooks import Delivery

FIRST_PAUSE = timedelta(seconds=5)
# Short enough that whoever was away for an hour has everything some minutes after it is back.
LONGEST_PAUSE = timedelta(minutes=5)
# How long one sender alone may try a receiver that failed. Longer than a try takes, calls to AWS included.
PROBE = timedelta(seconds=20)
# An event that its receiver refuses again and again is tried ever more rarely, though others get through.
LONGEST_OF_ONE = timedelta(minutes=15)
GIVEN_UP_AFTER = timedelta(hours=24)
# How long one receiver is tried in a batch. What is left of its messages goes back, so that a slow one ends the batch.
# One that takes as long for a single message is slow.
SECONDS_PER_RECEIVER = 2.0
GONE = 410

_chance = SystemRandom()


class Letter(NamedTuple):
    """A message of the queue: what is to be delivered, and what the queue says of it."""

    delivery: Delivery
    receipt: str
    sent_at: datetime
    received: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WebhookSender:
    """Delivers batches over collaborators that a test can replace.

    `post` sends one request and answers its status; it raises UnansweredError.
    """

    items: WebhookItems
    deliveries: Deliveries
    secrets: WebhookSecrets
    queue: DeliveryQueue
    post: Callable[[str, Mapping[str, str], bytes], int]
    clock: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic

    def send(self, letters: Sequence[Letter]) -> set[str]:
        """Deliver a batch; the receipts of what has to stay in the queue. Receivers are tried at the same time."""
        of_receiver: dict[str, list[Letter]] = {}
        for letter in letters:
            of_receiver.setdefault(letter.delivery.webhook_id, []).append(letter)
        stay: dict[str, int | None] = {}
        with ThreadPoolExecutor(max(len(of_receiver), 1)) as pool:
            for staying in pool.map(self._to_one_receiver, of_receiver, of_receiver.values()):
                stay |= staying
        self.queue.put_back({receipt: seconds for receipt, seconds in stay.items() if seconds is not None})
        return set(stay)

    def refuse(self, message_id: str, text: str) -> bool:
        """Make a dead letter of a message that nobody can read: it would come back for ever. False where it stays."""
        try:
            self.queue.give_up(text, "not a delivery")
        except Exception:  # noqa: BLE001 - the others are done, and this one comes back
            logger.exception("Message not refused", event_type=EventType.WEBHOOK_ERROR, message_id=message_id)
            return False
        logger.error("Not a delivery", event_type=EventType.WEBHOOK_GIVEN_UP, message_id=message_id)
        return True

    def _to_one_receiver(self, webhook_id: str, letters: Sequence[Letter]) -> dict[str, int | None]:
        """Deliver what goes to one receiver. What stays in the queue, with the seconds for which it is hidden."""
        batch = _Batch(self, webhook_id)
        for letter in letters:
            try:
                batch.take(letter)
            except Exception:  # noqa: BLE001 - the others go on, and this one comes back when the queue thinks it lost
                logger.exception(
                    "Webhook not sent",
                    event_type=EventType.WEBHOOK_ERROR,
                    webhook_id=webhook_id,
                    event_id=letter.delivery.event_id,
                )
                batch.stay.setdefault(letter.receipt, None)
                batch.known = False
        return batch.stay


class _Batch:
    """The letters of a batch to one receiver, one after the other."""

    def __init__(self, sender: WebhookSender, webhook_id: str) -> None:
        self.sender = sender
        self.webhook_id = webhook_id
        self.stay: dict[str, int | None] = {}
        self.began = sender.monotonic()
        # The webhook as it is known to be; to be read where nobody knows.
        self.known = False
        self.stored: StoredWebhook | None = None

    def take(self, letter: Letter) -> None:
        """Deliver a letter, put it back, or have done with it."""
        if not self.known:
            self.stored, self.known = self.sender.items.get(self.webhook_id), True
        stored, now = self.stored, self.sender.clock()
        if stored is None or stored.made != letter.delivery.made:
            self._drop(letter, "deleted")  # also where there is another webhook under its id by now
        elif not stored.webhook.active:
            self._drop(letter, "switched-off")
        elif now - letter.sent_at >= GIVEN_UP_AFTER:
            self._give_up(letter)
        elif stored.breaker and now < stored.breaker.until:
            self._put_back(letter, max(_wait(stored.breaker, now), _patience(letter)))
        elif self.sender.monotonic() - self.began >= SECONDS_PER_RECEIVER:
            self._put_back(letter, _patience(letter))
        elif stored.breaker is None:
            self._try(letter, stored)
        elif probed := self._turn(stored, Breaker.of(now + PROBE, stored.breaker.pause)):
            self._try(letter, probed)
        else:  # another sender tries it at this moment, or has done so
            self._put_back(letter, _patience(letter))

    def _try(self, letter: Letter, stored: StoredWebhook) -> None:
        delivery, now = letter.delivery, self.sender.clock()
        secrets = self.sender.secrets.all_of(self.webhook_id, stored.nonces(now))
        self.sender.deliveries.keep(delivery, now)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "appointments-webhooks/1",
            **signed_headers(delivery, secrets, now),
        }
        began = self.sender.monotonic()
        try:
            status = self.sender.post(stored.webhook.url, headers, delivery.body.encode())
            outcome = str(status)
        except UnansweredError as exc:
            status, outcome = 0, exc.reason
        slow = self.sender.monotonic() - began >= SECONDS_PER_RECEIVER
        if 200 <= status < 300:
            self._delivered(letter, stored, outcome, slow=slow)
        elif status == GONE:
            self._gone(letter, stored)
        else:
            self._failed(letter, stored, outcome)

    def _delivered(self, letter: Letter, stored: StoredWebhook, outcome: str, *, slow: bool) -> None:
        now = self.sender.clock()
        if slow:
            self._turn(stored, Breaker.of(now, timedelta()))
        elif stored.breaker is not None:
            self._turn(stored, None)
        attempts = self.sender.deliveries.record(letter.delivery, State.DELIVERED, now, outcome)
        logger.info(
            "Webhook delivered",
            event_type=EventType.WEBHOOK_DELIVERED,
            attempts=attempts,
            lateness_ms=max(now - letter.sent_at, timedelta()) // timedelta(milliseconds=1),
            extra=_about(letter),
        )

    def _gone(self, letter: Letter, stored: StoredWebhook) -> None:
        self.known = False
        if self.sender.items.switch_off(stored, self.sender.clock()):
            logger.warning("Receiver gone", event_type=EventType.WEBHOOK_GONE, extra=_about(letter))
            self._drop(letter, str(GONE))
        else:  # it was put anew meanwhile, so this is for the receiver that it has now
            self._put_back(letter, timedelta())

    def _failed(self, letter: Letter, stored: StoredWebhook, outcome: str) -> None:
        now = self.sender.clock()
        pause = min(max(stored.breaker.pause * 2, FIRST_PAUSE), LONGEST_PAUSE) if stored.breaker else FIRST_PAUSE
        self._turn(stored, Breaker.of(now + pause, pause))
        attempts = self.sender.deliveries.record(letter.delivery, State.RETRYING, now, outcome)
        logger.warning(
            "Webhook failed",
            event_type=EventType.WEBHOOK_FAILED,
            outcome=outcome,
            attempts=attempts,
            extra=_about(letter),
        )
        if attempts is not None:  # otherwise it was delivered before, and this was a repetition
            own = min(FIRST_PAUSE * 2 ** min(attempts - 1, 10), LONGEST_OF_ONE)
            self._put_back(letter, max(pause, own))

    def _turn(self, stored: StoredWebhook, breaker: Breaker | None) -> StoredWebhook | None:
        """Turn the breaker. None where another sender was first: what it did is read for the next letter."""
        self.stored = self.sender.items.turn(stored, breaker)
        self.known = self.stored is not None
        return self.stored

    def _put_back(self, letter: Letter, wait: timedelta) -> None:
        # Not all at the same moment: each of them is looked at.
        spread = _chance.uniform(0, min(wait.total_seconds() / 10, 10))
        self.stay[letter.receipt] = min(int(wait.total_seconds() + spread) + 1, 43200)

    def _drop(self, letter: Letter, outcome: str) -> None:
        # It can be sent again by hand, where the webhook is on again by then.
        now = self.sender.clock()
        self.sender.deliveries.keep(letter.delivery, now)
        self.sender.deliveries.record(letter.delivery, State.DROPPED, now, outcome, tried=outcome == str(GONE))
        logger.info("Webhook dropped", outcome=outcome, extra=_about(letter))

    def _give_up(self, letter: Letter) -> None:
        now = self.sender.clock()
        self.sender.queue.give_up(letter.delivery.message, "not delivered within a day")
        self.sender.deliveries.record(letter.delivery, State.FAILED, now, tried=False)
        logger.error("Webhook given up", event_type=EventType.WEBHOOK_GIVEN_UP, extra=_about(letter))


def _wait(breaker: Breaker, now: datetime) -> timedelta:
    """How long a message waits for a breaker: to its end, and then for up to as much of a pause as has passed by now.

    What came in during a pause would else come back all at once, and keep every sender busy.
    """
    left = breaker.until - now
    return left + max(breaker.pause - left, timedelta()) * _chance.random()


def _patience(letter: Letter) -> timedelta:
    """How long a message waits that was not tried: ever longer, so that many of them keep no sender busy."""
    return min(FIRST_PAUSE * letter.received, LONGEST_PAUSE)


def _about(letter: Letter) -> dict[str, str]:
    """What every line about a letter tells: ids, and nothing of where it goes."""
    return {
        "webhook_id": letter.delivery.webhook_id,
        "event_id": letter.delivery.event_id,
        "webhook_event": letter.delivery.type,
    }
