"""Shared by every folder: an engine, and the real template deployed to it, started only for tests that ask for them."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from local.engine import Engine
from local.system import System, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.deploy import Stack


# How fast a busy machine is says nothing about the code; in a fresh checkout Hypothesis first builds its table of
# characters, which takes seconds.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


# A long test that begins last keeps a process busy while the others are done.
LONG_FIRST = ("faults", "race", "exploration")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what waits for one deployed stack in one process of `make test`, and so what deploys stacks of its own."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "deployed_system" in fixtures:
            item.add_marker(pytest.mark.xdist_group("deployed"))
        elif "engine" in fixtures and item.path.parent.name == "e2e":
            item.add_marker(pytest.mark.xdist_group("stacks"))
    items.sort(key=lambda item: item.path.parent.name not in LONG_FIRST)


def pytest_collection_finish() -> None:
    """All that was loaded stays to the end: without this the garbage collector goes through it every few tests.

    It also looks less often at what comes: a test's objects are few, and go with the test.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine of this test process's own, on a free port, without a memory, and strict about IAM."""
    with Engine(auth=True) as running:
        yield running


@pytest.fixture(scope="session")
def deployed_system(engine: Engine, pytestconfig: pytest.Config) -> Iterator[System]:
    """The real template, built by `sam build`, deployed by `sam deploy`, behind the front door."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        # It takes half a minute, and whoever waits should see why.
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", end="", flush=True)

    with serving(engine, say, stack_name="appointments-test") as running:
        yield running


@pytest.fixture(scope="session")
def deployed_stack(deployed_system: System) -> Stack:
    """What the deployed stack consists of."""
    return deployed_system.stack


@pytest.fixture(scope="session")
def api_url(deployed_system: System) -> str:
    """The address that a user would send requests to."""
    return deployed_system.api_url
