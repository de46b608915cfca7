"""Halting a stack's functions for an operation, and letting them go on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from ops.release import release
from ops.restore import FUNCTIONS
from ops.stack import HALTED_TAG, PAUSES, Stack, StillHaltedError

if TYPE_CHECKING:
    from collections.abc import Callable


class Gone(Exception):  # noqa: N818 - stands in for ResourceNotFoundException
    """There is no such function."""


@dataclass
class Functions:
    """Lambda, as far as concurrency goes: what is reserved for each function, None where nothing is."""

    reserved: dict[str, int | None]
    broken: str = ""
    # How many more calls that let a function go on are refused, by its name.
    throttled: dict[str, int] = field(default_factory=dict)
    tags: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    class exceptions:  # noqa: N801 - as a client has it
        ResourceNotFoundException = Gone

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803 - botocore's name
        if FunctionName not in self.reserved:
            raise Gone
        return {"FunctionArn": f"arn:{FunctionName}"}

    def get_function_concurrency(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        number = self.reserved[FunctionName]
        return {} if number is None else {"ReservedConcurrentExecutions": number}

    def put_function_concurrency(self, FunctionName: str, ReservedConcurrentExecutions: int) -> None:  # noqa: N803
        if FunctionName == self.broken:
            raise RuntimeError("throttled")
        self.reserved[FunctionName] = ReservedConcurrentExecutions

    def delete_function_concurrency(self, FunctionName: str) -> None:  # noqa: N803
        if self.throttled.get(FunctionName, 0):
            self.throttled[FunctionName] -= 1
            problem: Any = {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}
            raise ClientError({"Error": problem}, "DeleteFunctionConcurrency")
        self.reserved[FunctionName] = None

    def list_tags(self, Resource: str) -> dict[str, Any]:  # noqa: N803
        return {"Tags": self.tags[Resource]}

    def tag_resource(self, Resource: str, Tags: dict[str, str]) -> None:  # noqa: N803
        self.tags[Resource] |= Tags

    def untag_resource(self, Resource: str, TagKeys: list[str]) -> None:  # noqa: N803
        for key in TagKeys:
            self.tags[Resource].pop(key, None)


@pytest.fixture
def stack_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Functions], Stack]:
    def make(functions: Functions) -> Stack:
        monkeypatch.setattr(Stack, "client", lambda *_: functions)
        monkeypatch.setattr(Stack, "resource", lambda _, logical_id: logical_id)
        return Stack("appointments-test")

    return make


def test_functions_are_halted_meanwhile_and_go_on_as_before(stack_of: Callable[[Functions], Stack]) -> None:
    functions = Functions({"a": 100, "b": None, "c": 0})
    with stack_of(functions).halted("a", "b", "c", by="restore"):
        assert functions.reserved == {"a": 0, "b": 0, "c": 0}
    assert functions.reserved == {"a": 100, "b": None, "c": 0}
    assert not any(functions.tags.values())


def test_what_failed_halfway_stays_halted_until_it_is_run_again(
    stack_of: Callable[[Functions], Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    functions = Functions({"a": 100})
    stack = stack_of(functions)
    with pytest.raises(RuntimeError), stack.halted("a", by="restore"):
        raise RuntimeError
    assert functions.reserved == {"a": 0}
    assert "stays halted" in capsys.readouterr().err
    with stack.halted("a", by="restore"):
        pass
    assert functions.reserved == {"a": 100}


def test_a_halt_that_fails_does_not_leave_a_function_halted_for_good(stack_of: Callable[[Functions], Stack]) -> None:
    functions = Functions({"a": 100, "b": None}, broken="b")
    stack = stack_of(functions)
    with pytest.raises(RuntimeError, match="throttled"), stack.halted("a", "b", by="restore"):
        pytest.fail("it went on")
    functions.broken = ""
    with stack.halted("a", "b", by="restore"):
        pass
    assert functions.reserved == {"a": 100, "b": None}


def test_a_tag_that_was_left_behind_is_not_believed(stack_of: Callable[[Functions], Stack]) -> None:
    functions = Functions({"a": 100})
    functions.tags["arn:a"][HALTED_TAG] = "7"
    with stack_of(functions).halted("a", by="restore"):
        pass
    assert functions.reserved == {"a": 100}


def test_a_function_that_is_gone_is_left_out(stack_of: Callable[[Functions], Stack]) -> None:
    functions = Functions({"a": 5})
    stack = stack_of(functions)
    stack.halt("gone", "a", by="restore")
    assert functions.reserved == {"a": 0}
    stack.release("gone", "a")
    assert functions.reserved == {"a": 5}


def test_what_was_never_halted_is_not_changed(stack_of: Callable[[Functions], Stack]) -> None:
    functions = Functions({"a": 5})
    stack_of(functions).release("a")
    assert functions.reserved == {"a": 5}


DETECTOR, SENDER, SWEEP = "ConflictDetectorFunction", "ReminderSenderFunction", "ReminderSweepFunction"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("ops.stack.time.sleep", pauses.append)
    return pauses


def test_a_release_that_is_throttled_is_tried_again(stack_of: Callable[[Functions], Stack], slept: list[float]) -> None:
    functions = Functions(dict.fromkeys(FUNCTIONS), throttled={SENDER: 2})
    with stack_of(functions).halted(*FUNCTIONS, by="restore"):
        pass
    assert functions.reserved == dict.fromkeys(FUNCTIONS)
    assert slept == list(PAUSES[:2])


@pytest.mark.parametrize("broken", [SENDER, SWEEP])
def test_a_release_that_fails_names_what_stays_halted_and_what_to_run(
    stack_of: Callable[[Functions], Stack],
    slept: list[float],
    broken: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    functions = Functions(dict.fromkeys(FUNCTIONS), throttled={broken: 99})
    stack = stack_of(functions)
    with pytest.raises(StillHaltedError) as told, stack.halted(*FUNCTIONS, by="restore"):
        pass
    assert len(slept) == len(PAUSES)
    halted = {name for name, number in functions.reserved.items() if number == 0}
    assert halted == {*FUNCTIONS[: FUNCTIONS.index(broken) + 1]}
    assert DETECTOR in halted  # nobody books while nobody is reminded
    assert {name for name in FUNCTIONS if name in str(told.value)} == halted
    assert "make release STACK=appointments-test" in str(told.value)
    assert "STAYS HALTED" in capsys.readouterr().err
    functions.throttled = {}
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert release(stack, sure=False) == 1
    assert functions.reserved[DETECTOR] == 0
    monkeypatch.setattr("builtins.input", lambda _: stack.name)
    assert release(stack, sure=False) == 0
    assert functions.reserved == dict.fromkeys(FUNCTIONS)
    said = capsys.readouterr().out
    assert {name for name in FUNCTIONS if f"halted by restore: {name}" in said} == halted
    assert release(stack, sure=False) == 0
    assert "No function of appointments-test is halted" in capsys.readouterr().out


def test_a_release_that_is_broken_off_says_that_it_is(
    stack_of: Callable[[Functions], Stack], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    stack = stack_of(Functions({"a": None}))
    monkeypatch.setattr(Stack, "_release", broken_off)
    with pytest.raises(KeyboardInterrupt), stack.halted("a", by="restore"):
        pass
    assert "make release STACK=appointments-test" in capsys.readouterr().err


def test_an_operation_lets_go_only_what_it_has_halted(
    stack_of: Callable[[Functions], Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    functions = Functions({"a": 5, "b": 7})
    stack = stack_of(functions)
    stack.halt("a", by="restore")
    stack.halt("a", "b", by="delete")
    assert stack.halted_functions("a", "b") == {"a": "restore", "b": "delete"}
    stack.release("a", "b", by="delete")
    assert functions.reserved == {"a": 0, "b": 7}
    stack.halt("b", by="delete")
    with stack.halted("a", "b", by="restore"):
        pass
    assert functions.reserved == {"a": 5, "b": 0}
    assert "b stays halted by delete: `make release STACK=appointments-test`" in capsys.readouterr().err
    stack.release("a", "b")
    assert functions.reserved == {"a": 5, "b": 7}
    assert not any(functions.tags.values())
