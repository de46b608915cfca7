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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits for a deployed stack, and do so in two of the three processes of `make test`.

    Each process is dealt a third, in order, and takes over from others when it is done.
    """
    waits = {item: item.path.parent.name == "e2e" for item in items}
    longest = [item for item in items if item.path.name == "test_contract.py" and waits[item]]
    deployed = [item for item in items if waits[item] and item not in longest]
    others = [item for item in items if not waits[item]]
    third = len(items) // 3
    # Two more, since shares differ by one where the tests do not divide by three.
    second = max(third, 2 * third - len(deployed)) + 2
    items[:] = [*others[:third], *deployed, *others[third:second], *longest, *others[second:]]


def pytest_collection_finish() -> None:
    """All that was loaded stays to the end: without this the garbage collector goes through it every few tests."""
    gc.freeze()


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
