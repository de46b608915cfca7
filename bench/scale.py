"""A million bookings a day, by simulation: Monday morning at ten times the mean, on calendars more and less sought.

Arrivals are Poisson, the calendar of a resource is drawn by Zipf's law, the day by how far ahead people book. What
the simulation takes for given stands above it as constants; calls, items and retries are those of the code. It is
seeded.
"""

from __future__ import annotations

import heapq
import random
import statistics
from bisect import bisect
from collections import Counter, defaultdict
from itertools import accumulate, count
from typing import NamedTuple

from bench.measure import Figure, Row, table

SEED = 20261124
A_DAY = 1_000_000
PEAK = 10 * A_DAY / 86_400  # bookings a second
SECONDS = 300
RESOURCES = 20_000
ZIPF = 1.0
# Days ahead, on average, that people book; at most 60.
AHEAD_DAYS = 7
# A busy resource's day, from which slots are drawn at random and refused once taken.
SLOTS = 48
# Stands for the settings among a resource's days.
SETTINGS = -1
# Seconds: a transaction holds its items from its first phase to its last; then a rule or schedule and the answer.
TRANSACTION = 0.008
READ = 0.004
FUNCTION = 0.075
TRIES_FOR = 5.0
# Write units of one transaction on a calendar-day that is full, some 5 KB of it.
DAY_UNITS = 10


class Outcome(NamedTuple):
    """What a simulated peak came to."""

    booked: int
    refused: int
    gave_up: int
    conflicts: int
    waits_ms: list[float]
    # Writes of one calendar-day within one second.
    by_second: Counter[tuple[tuple[int, int], int]]


class Chance:
    """Draws resources and days."""

    def __init__(self, seed: int, zipf: float) -> None:
        self.random = random.Random(seed)
        self.cumulated = list(accumulate(1 / (n + 1) ** zipf for n in range(RESOURCES)))

    def resource(self) -> int:
        return bisect(self.cumulated, self.random.random() * self.cumulated[-1])

    def day(self) -> int:
        return min(int(self.random.expovariate(1 / AHEAD_DAYS)), 60)


def simulate(rate: float, zipf: float = ZIPF, seed: int = SEED) -> Outcome:
    """Every booking takes its person's calendar, which nobody else wants, and a resource's calendar-day.

    Two transactions that hold one item at once conflict, and a booking without a read holds the resource's settings as
    well, whatever the day. The later one waits as `booking.decide` does, and tries again.
    """
    chance = Chance(seed, zipf)
    order = count()
    events: list[tuple[float, int, float, tuple[int, int], int, int]] = []
    moment = 0.0
    while (moment := moment + chance.random.expovariate(rate)) < SECONDS:
        item = (chance.resource(), chance.day())
        heapq.heappush(events, (moment, next(order), moment, item, chance.random.randrange(SLOTS), 0))
    held_until: dict[tuple[int, int], float] = {}
    taken: dict[tuple[int, int], set[int]] = defaultdict(set)
    by_second: Counter[tuple[tuple[int, int], int]] = Counter()
    waits: list[float] = []
    booked = refused = gave_up = conflicts = 0
    while events:
        now, _, since, item, slot, attempt = heapq.heappop(events)
        if slot in taken[item]:
            # The transaction fails on its condition, which holds nothing, and the day is read.
            refused += 1
            waits.append((now - since + TRANSACTION + READ) * 1000)
        elif now < max(held_until.get(item, 0), held_until.get((item[0], SETTINGS), 0)):
            conflicts += 1
            attempt += 1
            if now - since > TRIES_FOR:
                gave_up += 1
                continue
            pause = chance.random.uniform(0, min(0.02 * 2**attempt, 0.5))
            heapq.heappush(events, (now + pause, next(order), since, item, slot, attempt))
        else:
            held_until[item] = held_until[item[0], SETTINGS] = now + TRANSACTION
            taken[item].add(slot)
            by_second[item, int(now)] += 1
            booked += 1
            waits.append((now - since + TRANSACTION) * 1000)
    return Outcome(booked, refused, gave_up, conflicts, waits, by_second)


def main() -> None:
    """Simulate, print and draw."""
    rows, curves = [], {}
    for zipf in (0.8, 1.0, 1.2):
        points = []
        for share in (0.1, 0.5, 1, 2, 5):
            rate = PEAK * share
            found = simulate(rate, zipf)
            attempts = found.booked + found.refused + found.gave_up
            waits = sorted(found.waits_ms)
            # Little's law: so many requests are under way as come in while one lasts.
            at_once = rate * (FUNCTION + statistics.mean(waits) / 1000)
            points.append((rate, found.conflicts / attempts * 100))
            if share >= 1:
                rows.append(
                    Row(
                        {
                            "Zipf": zipf,
                            "bookings/s": f"{rate:.0f}",
                            "refused": f"{found.refused / attempts:.1%}",
                            "conflicts per 1000": f"{found.conflicts / attempts * 1000:.1f}",
                            "gave up": found.gave_up,
                            "p99 ms": f"{waits[int(len(waits) * 0.99)]:.0f}",
                            "median ms": f"{statistics.median(waits):.0f}",
                            "units of the hottest day in a second": max(found.by_second.values()) * DAY_UNITS,
                            "functions at once": f"{at_once:.0f}",
                        }
                    )
                )
        curves[zipf] = points
    print(table(rows))
    figure = Figure()
    axes = figure.axes[0]
    for zipf, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=f"Zipf {zipf}")
    axes.set(title="Transactions that met another, per 100 bookings", xlabel="bookings tried per second", ylabel="%")
    axes.axvline(PEAK, color="grey", linestyle=":", label="Monday's peak")
    axes.legend()
    figure.save("scale-conflicts")
