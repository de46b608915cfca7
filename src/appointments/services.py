"""What can be booked, once and for all: a service with its steps, pools, rules and policy. JSON in, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.json_text import to_json
from appointments.matching import distinct
from appointments.model import DAY, MAX_DURATION, MAX_HOLD_MINUTES
from appointments.reader import MAX_CALENDARS, MAX_TITLE, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from appointments.model import Step

FIELDS = (
    "title",
    "description",
    "steps",
    "bufferMinutes",
    "stepMinutes",
    "strictSteps",
    "minNoticeMinutes",
    "horizonDays",
    "maxPerPersonPerDay",
    "approval",
    "holdMinutes",
    "reminders",
    "cancelUntilMinutes",
    "moveUntilMinutes",
    "quietHours",
    "notices",
)
STEP_FIELDS = ("durationMinutes", "resourceIds", "pools", "gapMinutes")
POOL_FIELDS = ("anyOf", "assign")
FAIR, IN_ORDER = "fair", "inOrder"
# The kinds of `appointments.notices`, which booking does not import.
NOTICES = ("booked", "moved", "cancelled", "declined", "approved", "expired")

DAY_MINUTES = 24 * 60
MAX_MINUTES = int(MAX_DURATION / timedelta(minutes=1))
MAX_STEPS = 10
# Pools that share calendars are counted in every combination.
MAX_POOLS = 5
# All calendars that are named: each is read to book, and to find what is free.
MAX_NAMED = 50
MAX_PER_DAY = 1000
MAX_DESCRIPTION = 4000
# Every appointment keeps what it was booked with.
MAX_BYTES = 16 * 1024
# Of the 100 actions of a transaction, one writes the appointment and one checks the service.
MAX_ITEMS = 98


class Pool(NamedTuple):
    """Any one of several calendars. `fair`: the least booked of the day, otherwise the first of them that is free."""

    any_of: tuple[str, ...]
    fair: bool = True


class ServiceStep(NamedTuple):
    """A part of a service: all of `resource_ids` and one of each pool, for `duration`.

    After it comes a gap from `least_gap` to `most_gap` before the next step, in which others may have its calendars.
    """

    duration: timedelta
    resource_ids: tuple[str, ...] = ()
    pools: tuple[Pool, ...] = ()
    least_gap: timedelta = timedelta()
    most_gap: timedelta = timedelta()

    @property
    def named(self) -> Iterator[str]:
        """Every calendar that it may take."""
        return chain(self.resource_ids, *(pool.any_of for pool in self.pools))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Service:
    """What can be booked. `buffer_before` and `buffer_after` are kept free around each step on the step's calendars.

    Starts are offered every `grid`, and with `strict` only those can be booked. `horizon_days` are whole local days.
    `hold` is how long a hold lasts for which the request does not say. `cancel_until` and `move_until` are how long
    before the start a person may still do so by a link. From the first minute of the day in `quiet` to the
    second, on the clock of its appointments, no reminders are sent.
    """

    steps: tuple[ServiceStep, ...]
    grid: timedelta
    title: str = ""
    description: str = ""
    buffer_before: timedelta = timedelta()
    buffer_after: timedelta = timedelta()
    strict: bool = False
    min_notice: timedelta = timedelta()
    horizon_days: int | None = None
    max_per_person_per_day: int | None = None
    approval: bool = False
    hold: timedelta | None = None
    reminders: tuple[str, ...] | None = None
    cancel_until: timedelta | None = None
    move_until: timedelta | None = None
    quiet: tuple[int, int] | None = None

    @property
    def calendar_ids(self) -> tuple[str, ...]:
        """Every calendar that it may take, each once, in the order in which they are named."""
        return tuple(dict.fromkeys(chain.from_iterable(step.named for step in self.steps)))

    @property
    def has_choice(self) -> bool:
        """Whether there is anything to choose: a calendar out of several, or how long a gap is."""
        return any(step.pools or step.most_gap > step.least_gap for step in self.steps)

    @property
    def least_length(self) -> timedelta:
        """From the first start to the last end, with the shortest gaps."""
        return sum((step.duration + step.least_gap for step in self.steps), timedelta())

    @property
    def most_length(self) -> timedelta:
        """The same with the longest gaps."""
        return sum((step.duration + step.most_gap for step in self.steps), timedelta())

    def binding(self, *, people: bool, notice: bool = True) -> Service:
        """The service with the rules that bind `people` alone, or without them; and with its notice, or without it."""
        bound = self if people or not self.strict else replace(self, strict=False)
        return bound if notice or not self.min_notice else replace(bound, min_notice=timedelta())

    def with_calendars(self, steps: Sequence[Step]) -> Service:
        """The service with only those calendars to choose from that an appointment of it was given.

        A step of an appointment lists its calendars as the service does: those of `resource_ids`, then one per pool.
        """
        pinned = [
            own._replace(
                pools=tuple(
                    pool._replace(any_of=(given,))
                    for pool, given in zip(own.pools, booked.resource_ids[len(own.resource_ids) :], strict=True)
                )
            )
            for own, booked in zip(self.steps, steps, strict=True)
        ]
        return replace(self, steps=tuple(pinned))


def check_service(body: Mapping[str, Any]) -> None:
    """Check a service that is sent, as a whole. Raises InvalidRequestError with every fault that it has."""
    _ServiceReader(body, FIELDS, required=("steps",)).service()


def parse_service(body: Mapping[str, Any]) -> Service:
    """What a service means that was checked when it was stored."""
    # A newer version, which knows more fields, may have written it.
    return _ServiceReader(body, (*FIELDS, *body), required=("steps",), stored=True).service()


@dataclass(slots=True, eq=False, repr=False)
class _PartReader(Reader):
    """Reads an object that lies deeper in the body; `within` says where, with the dot."""

    stored: bool = False
    within: str = ""

    def fault(self, name: str, message: str) -> None:
        Reader.fault(self, f"{self.within}{name}".removesuffix("."), message)

    def inside(self, where: str, value: object, fields: tuple[str, ...], required: tuple[str, ...]) -> _PartReader:
        """A reader of an object within this one. It adds its faults to these."""
        body = value if isinstance(value, dict) else {}
        known = (*fields, *body) if self.stored else fields
        if not isinstance(value, dict):
            self.fault(where, f"must be an object with the fields {', '.join(fields)}")
            required = ()
        return _PartReader(body, known, required, self.faults, stored=self.stored, within=f"{self.within}{where}.")

    def span(self, name: str, least: int, most: int) -> timedelta:
        return self.minutes(name, least, most) or timedelta()

    def elements(self, name: str, least: int, most: int) -> list[Any]:
        """The elements of a list."""
        value = self.body.get(name, [])
        if name not in self.body and name in self.required:
            self.fault(name, "is required")
        elif not isinstance(value, list) or (name in self.body and not least <= len(value) <= most):
            self.fault(name, f"must be a list of {f'{least} to' if least else 'at most'} {most} elements")
        else:
            return value
        return []


class _ServiceReader(_PartReader):
    __slots__ = ()

    def service(self) -> Service:
        before, after = self.buffer()
        self.notices()
        steps = self.steps()
        service = Service(
            steps=steps,
            grid=self.minutes("stepMinutes", 1, MAX_MINUTES) or timedelta(),
            title=self.short_text("title", MAX_TITLE),
            description=self.short_text("description", MAX_DESCRIPTION),
            buffer_before=before,
            buffer_after=after,
            strict=self.flag("strictSteps"),
            min_notice=self.span("minNoticeMinutes", 0, 366 * DAY_MINUTES),
            horizon_days=self.whole("horizonDays", 1, 3650),
            max_per_person_per_day=self.whole("maxPerPersonPerDay", 1, MAX_PER_DAY),
            approval=self.flag("approval"),
            hold=self.minutes("holdMinutes", 1, MAX_HOLD_MINUTES),
            reminders=self.reminder_offsets(),
            cancel_until=self.minutes("cancelUntilMinutes", 0, 366 * DAY_MINUTES),
            move_until=self.minutes("moveUntilMinutes", 0, 366 * DAY_MINUTES),
            quiet=self.quiet_hours(),
        )
        if not service.grid:
            service = replace(service, grid=service.least_length + before + after)
        if not self.faults:
            self.limit(service)
        self.raise_faults()
        return service

    def buffer(self) -> tuple[timedelta, timedelta]:
        """Before and after a step; one number is the latter."""
        value = self.body.get("bufferMinutes", {})
        if not isinstance(value, dict):
            minutes = self.whole_value("bufferMinutes", value, 0, DAY_MINUTES)
            return timedelta(), timedelta(minutes=minutes or 0)
        inner = self.inside("bufferMinutes", value, ("before", "after"), ())
        return inner.span("before", 0, DAY_MINUTES), inner.span("after", 0, DAY_MINUTES)

    def steps(self) -> tuple[ServiceStep, ...]:
        found = self.elements("steps", 1, MAX_STEPS)
        return tuple(
            _step(
                self.inside(f"steps[{index}]", value, STEP_FIELDS, ("durationMinutes",)), last=index == len(found) - 1
            )
            for index, value in enumerate(found)
        )

    def notices(self) -> None:
        """Faults of the kinds of which people are told. Who tells reads them from the appointment, and nobody else."""
        kinds = self.elements("notices", 0, len(NOTICES))
        for index, kind in enumerate(kinds):
            if kind not in NOTICES:
                self.fault(f"notices[{index}]", f"must be one of {', '.join(NOTICES)}")
            elif kind in kinds[:index]:
                self.fault(f"notices[{index}]", "must not stand there twice")

    def limit(self, service: Service) -> None:
        """Faults of the service as a whole, where each of its parts is good."""
        size = len(to_json(self.body).encode())
        if size > MAX_BYTES and not self.stored:
            self.fault("", f"must be at most {MAX_BYTES} bytes of JSON; these are {size}")
        if service.most_length > MAX_DURATION:
            self.fault("steps", f"must be at most {MAX_DURATION.days} days long together, the longest gaps included")
        if len(service.calendar_ids) > MAX_NAMED:
            self.fault("steps", f"must name at most {MAX_NAMED} calendars")
        taken = [len(step.resource_ids) + len(step.pools) for step in service.steps]
        if sum(taken) > MAX_CALENDARS:
            self.fault(
                "steps", f"must take at most {MAX_CALENDARS} calendars, counted step by step; these are {sum(taken)}"
            )
        buffers = service.buffer_before + service.buffer_after
        items = (
            1
            + _most_days(service.most_length)
            + (0 if self.stored else _to_count_by_day(service, sum(taken)))
            + sum(
                count * (1 + _most_days(step.duration + buffers))
                for count, step in zip(taken, service.steps, strict=True)
            )
        )
        if items > MAX_ITEMS:
            self.fault(
                "steps",
                f"and their calendars make {items} calendar days and settings to check or to write; at most "
                f"{MAX_ITEMS} fit into one transaction, so take fewer calendars or days",
            )


def _step(reader: _PartReader, *, last: bool) -> ServiceStep:
    resource_ids = reader.calendar_ids("resourceIds")
    pools = tuple(
        _pool(reader.inside(f"pools[{index}]", value, POOL_FIELDS, ("anyOf",)))
        for index, value in enumerate(reader.elements("pools", 0, MAX_POOLS))
    )
    wishes = [[id_ for id_ in pool.any_of if id_ not in resource_ids] for pool in pools]
    if all(pool.any_of for pool in pools) and distinct(wishes) is None:
        reader.fault("pools", "must have a calendar for each, none of them twice, and none of resourceIds")
    gap = reader.inside("gapMinutes", reader.body.get("gapMinutes", {}), ("min", "max"), ())
    least, most = gap.span("min", 0, MAX_MINUTES), gap.span("max", 0, MAX_MINUTES)
    if "max" not in gap.body:
        most = least
    elif most < least:
        gap.fault("max", "must not be less than min")
    if last and most:
        reader.fault("gapMinutes", "must not stand on the last step: it is the gap before the next one")
    return ServiceStep(reader.span("durationMinutes", 1, MAX_MINUTES), resource_ids, pools, least, most)


def _pool(reader: _PartReader) -> Pool:
    faults = len(reader.faults)
    any_of = reader.calendar_ids("anyOf")
    if not any_of and len(reader.faults) == faults:
        reader.fault("anyOf", "must name at least one calendar")
    return Pool(any_of, fair=reader.choice("assign", (FAIR, IN_ORDER)) != IN_ORDER)


def _to_count_by_day(service: Service, taken: int) -> int:
    """How many items it takes to count by day: the person's whole local day, and the settings that say the zone."""
    return 0 if service.max_per_person_per_day is None else 2 + max(len(service.calendar_ids) - taken, 0)


def _most_days(length: timedelta) -> int:
    """The most UTC days that an interval of a length touches."""
    return -(-length // DAY) + 1
