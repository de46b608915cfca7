"""The conflict detector: the Lambda function behind the HTTP API."""

from __future__ import annotations

import os
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from appointments.start import ON_LAMBDA, finish
from appointments.telemetry import logger
from appointments.wiring import contact_index_of, hold_counts_of, links_of, storage_of, timers_of, webhooks_of
from conflict_detector.api import Api

# What nearly every request needs is imported and made at the start, which has seven times the processor.
from conflict_detector.appointments import handlers as _handlers  # noqa: F401 - for the start alone
from conflict_detector.settings import Settings
from conflict_detector.visits import Visits

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from conflict_detector.responses import Response


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer one API Gateway proxy event (REST API, payload format 1.0)."""
    return _api().handle(event)


@cache
def _api() -> Api:
    return api_of(Settings.from_env(os.environ))


def api_of(settings: Settings) -> Api:
    """The API over the resources that the settings name."""
    # A person is waiting: a timer that EventBridge does not take at once is left to the sweep.
    timers = timers_of(settings.timers, read_timeout=1.5, attempts=2)
    storage = storage_of(settings.appointments_table, settings.calendars_table, settings.retention)
    webhooks = cache(partial(webhooks_of, settings.calendars_table, *settings.webhook_settings))
    contacts = cache(partial(contact_index_of, storage.database, settings.calendars_table, settings.contact_key))
    links = cache(partial(links_of, settings.link_key_id))
    counts = cache(partial(hold_counts_of, storage.database, settings.calendars_table, settings.contact_key))
    return Api(
        storage,
        timers,
        settings.access,
        settings.cors_origin,
        webhooks=webhooks,
        contacts=contacts,
        links=links,
        visits=Visits(settings.open_booking, settings.holds_per_address, counts),
        pages=settings.pages,
    )


if ON_LAMBDA:
    _api().timers.get_ready()
finish()
