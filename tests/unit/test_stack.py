"""Halting a stack's functions for an operation, and letting them go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ops.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable


class Gone(Exception):  # noqa: N818 - stands in for ResourceNotFoundException
    """There is no such function."""


@dataclass
class Functions:
    """Lambda, as far as concurrency goes: what is reserved for each function, None where nothing is."""

    reserved: dict[str, int | None]
    broken: str = ""

    class exceptions:  # noqa: N801 - as a client has it
        ResourceNotFoundException = Gone

    def get_function_concurrency(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803 - botocore's name
        if FunctionName not in self.reserved:
            raise Gone
        number = self.reserved[FunctionName]
        return {} if number is None else {"ReservedConcurrentExecutions": number}

    def put_function_concurrency(self, FunctionName: str, ReservedConcurrentExecutions: int) -> None:  # noqa: N803
        if FunctionName == self.broken:
            raise RuntimeError("throttled")
        self.reserved[FunctionName] = ReservedConcurrentExecutions

    def delete_function_concurrency(self, FunctionName: str) -> None:  # noqa: N803
        self.reserved[FunctionName] = None


@pytest.fixture
def stack_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Functions], Stack]:
    def make(functions: Functions) -> Stack:
        monkeypatch.setattr(Stack, "client", lambda *_: functions)
        monkeypatch.setattr(Stack, "resource", lambda _, logical_id: logical_id)
        return Stack("appointments-test")

    return make


def test_functions_are_halted_meanwhile_and_go_on_as_before(stack_of: Callable[[Functions], Stack]) -> None:
    functions = Functions({"a": 100, "b": None})
    with stack_of(functions).halted("a", "b"):
        assert functions.reserved == {"a": 0, "b": 0}
    assert functions.reserved == {"a": 100, "b": None}


def test_what_failed_halfway_stays_halted_until_it_is_run_again(
    stack_of: Callable[[Functions], Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    functions = Functions({"a": 100})
    stack = stack_of(functions)
    with pytest.raises(RuntimeError), stack.halted("a"):
        raise RuntimeError
    assert functions.reserved == {"a": 0}
    assert "stays halted" in capsys.readouterr().err
    with stack.halted("a"):
        pass
    assert functions.reserved == {"a": None}
    assert "next deployment" in capsys.readouterr().out


def test_a_halt_that_fails_does_not_leave_a_function_halted_for_good(stack_of: Callable[[Functions], Stack]) -> None:
    functions = Functions({"a": 100, "b": None}, broken="b")
    stack = stack_of(functions)
    with pytest.raises(RuntimeError, match="throttled"), stack.halted("a", "b"):
        pytest.fail("it went on")
    functions.broken = ""
    with stack.halted("a", "b"):
        pass
    assert functions.reserved == {"a": None, "b": None}


def test_a_function_that_is_gone_is_left_out(stack_of: Callable[[Functions], Stack]) -> None:
    functions = Functions({"a": 5})
    assert stack_of(functions).halt("gone", "a") == {"a": 5}
    assert functions.reserved == {"a": 0}
