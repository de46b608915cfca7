"""`make delete`: nothing left behind by accident, nothing halted without a word, and safe to run again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from ops import delete as tool
from ops.delete import Deletion, Doomed, Kept, look, remove_rest, remove_stack
from ops.stack import NoStackError
from world import SENDER_ARN

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

TABLES = tuple(Kept(tool.TABLE, name) for name in ("AppointmentsTable", "CalendarsTable"))


@dataclass
class FakeStack:
    """A stack as far as halting goes, and whether it is halted."""

    name: str = "appointments-test"
    halted: bool = False
    # What another operation had halted before, by function.
    others: dict[str, str] = field(default_factory=dict)
    failed: list[dict[str, str]] = field(default_factory=list)
    # As CloudFormation has it; empty where it is gone.
    status: str = "UPDATE_COMPLETE"

    def halt(self, *functions: str, by: str) -> None:
        assert (functions, by) == (tool.HALTED, "delete")
        self.halted = True

    def release(self, *functions: str, by: str) -> None:
        assert (functions, by) == (tool.HALTED, "delete")
        self.halted = bool(self.others)

    def halted_functions(self, *functions: str) -> dict[str, str]:
        assert functions == tool.HALTED
        return self.others

    def client(self, service: str) -> Any:
        assert service == "cloudformation"
        return self

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - botocore's name
        if not self.status:
            problem: Any = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": problem}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": self.status}]}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_stack_resources"
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [{"StackResourceSummaries": self.failed}]


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "LOOK_AGAIN_SECONDS", 0)


@pytest.fixture
def deletion(world: World) -> Deletion:
    return Deletion(world.events, world.dynamodb, pools=None)


DOOMED = Doomed("appointments-test", exists=True, sender_arn=SENDER_ARN, data=TABLES)


def aim(world: World, name: str, sender: str = SENDER_ARN) -> None:
    world.events.put_rule(Name=name, ScheduleExpression="cron(0 8 15 1 ? 2030)")
    world.events.put_targets(Rule=name, Targets=[{"Id": "reminder-sender", "Arn": sender, "Input": json.dumps({})}])


def tables(world: World) -> set[str]:
    return set(world.dynamodb.list_tables()["TableNames"])


def test_rules_of_both_names_of_the_sender_go_and_no_others(world: World, deletion: Deletion) -> None:
    aim(world, "appointment-reminder-1h-a")
    aim(world, "appointment-reminder-1h-b", f"{SENDER_ARN}:live")
    aim(world, "appointment-reminder-1h-c", f"{SENDER_ARN}-of-another-stack")
    aim(world, "nightly")
    assert deletion.remove_rules(SENDER_ARN) == (2, [])
    assert set(world.rules()) == {"appointment-reminder-1h-c", "nightly"}


def test_rules_without_a_target_go_too(world: World, deletion: Deletion) -> None:
    with world.failing("PutTargets", times=2):
        world.book("9:00", "10:00", user="anna")
    with world.failing("DeleteRule", times=1):
        _, body = world.book("11:00", "12:00", user="ben", reminders=["1h"])
        world.request("DELETE", f"/appointments/{body['appointmentId']}")
    aim(world, "appointment-reminder-1h-c", f"{SENDER_ARN}-of-another-stack")
    world.events.put_rule(Name="nightly", ScheduleExpression="cron(0 8 15 1 ? 2030)")
    aimless = len(world.rules()) - 2
    assert aimless >= 2
    with world.failing("DeleteRule", times=1):
        removed, (why,) = deletion.remove_rules(SENDER_ARN)
    assert removed == aimless - 1
    assert why.startswith("rule appointment-reminder-")
    assert deletion.remove_rules(SENDER_ARN) == (1, [])
    assert set(world.rules()) == {"appointment-reminder-1h-c", "nightly"}


def test_a_rule_that_gets_its_target_meanwhile_stays(world: World, deletion: Deletion) -> None:
    world.events.put_rule(Name="appointment-reminder-1h-d", ScheduleExpression="cron(0 8 15 1 ? 2030)")
    with world.failing("DeleteRule", times=1, code="ValidationException"):
        assert deletion.remove_rules(SENDER_ARN) == (0, [])
    assert set(world.rules()) == {"appointment-reminder-1h-d"}


def test_rules_that_a_running_sweep_made_meanwhile_go_too(
    world: World, deletion: Deletion, capsys: pytest.CaptureFixture[str]
) -> None:
    aim(world, "appointment-reminder-1h-before")

    def sam() -> int:
        for number in range(7):
            aim(world, f"appointment-reminder-1h-late-{number}", f"{SENDER_ARN}:live")
        return 0

    assert remove_stack(FakeStack(), DOOMED, deletion, sam) == []  # type: ignore[arg-type]
    assert len(world.rules()) == 7
    assert remove_rest(DOOMED, deletion, data=False) == []
    assert world.rules() == {}
    assert "7 more reminder rules removed" in capsys.readouterr().out


def test_it_looks_until_nothing_new_is_found(world: World, deletion: Deletion, monkeypatch: pytest.MonkeyPatch) -> None:
    late = iter(["appointment-reminder-1h-b", "appointment-reminder-1h-c"])

    def meanwhile(_: float) -> None:
        for name in late:
            aim(world, name)
            return

    monkeypatch.setattr("ops.delete.time.sleep", meanwhile)
    aim(world, "appointment-reminder-1h-a")
    assert deletion.remove_late_rules(SENDER_ARN) == (3, [])
    assert world.rules() == {}


def test_one_rule_that_cannot_be_removed_keeps_no_other(world: World, deletion: Deletion) -> None:
    for name in "abc":
        aim(world, f"appointment-reminder-1h-{name}")
    with world.failing("RemoveTargets", times=1):
        removed, left = deletion.remove_rules(SENDER_ARN)
    assert removed == 2
    assert len(left) == 1
    assert left[0].startswith("rule appointment-reminder-1h-a: ")
    assert deletion.remove_rules(SENDER_ARN) == (1, [])


def test_what_cannot_be_deleted_is_named_and_the_rest_goes(
    world: World, deletion: Deletion, capsys: pytest.CaptureFixture[str]
) -> None:
    with world.failing("DeleteTable", times=1):
        left = remove_rest(DOOMED, deletion, data=True)
    assert len(left) == 1
    assert left[0].startswith(f"{TABLES[0]}: ")
    assert tables(world) == {"AppointmentsTable"}
    assert f"deleted: {TABLES[1]}" in capsys.readouterr().out
    assert remove_rest(DOOMED, deletion, data=True) == []
    assert tables(world) == set()


def test_data_is_kept_unless_it_is_asked_for(
    world: World, deletion: Deletion, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remove_rest(DOOMED, deletion, data=False) == []
    assert tables(world) == {table.name for table in TABLES}
    assert all(f"kept: {table}" in capsys.readouterr().out for table in TABLES[:1])


def test_what_is_protected_is_found_before_anything_happens(world: World, deletion: Deletion) -> None:
    assert deletion.protected([*TABLES, Kept(tool.TABLE, "gone-already")]) == []
    world.dynamodb.update_table(TableName="CalendarsTable", DeletionProtectionEnabled=True)
    (how,) = deletion.protected(TABLES)
    assert "--table-name CalendarsTable --no-deletion-protection-enabled" in how


@pytest.mark.parametrize("broken", [KeyboardInterrupt, ClientError({"Error": {"Code": "Throttling"}}, "ListRules")])
def test_broken_off_before_the_stack_goes_it_goes_on(
    world: World, deletion: Deletion, monkeypatch: pytest.MonkeyPatch, broken: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise broken

    monkeypatch.setattr(Deletion, "remove_rules", fail)
    stack = FakeStack()
    with pytest.raises((KeyboardInterrupt, ClientError)):
        remove_stack(stack, DOOMED, deletion, lambda: pytest.fail("deleted"))  # type: ignore[arg-type]
    assert not stack.halted
    assert "goes on" in capsys.readouterr().err


def test_broken_off_it_does_not_let_go_what_a_restore_halted(
    world: World, deletion: Deletion, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Deletion, "remove_rules", fail)
    stack = FakeStack(others=dict.fromkeys(tool.HALTED, "restore"))
    with pytest.raises(KeyboardInterrupt):
        remove_stack(stack, DOOMED, deletion, lambda: pytest.fail("deleted"))  # type: ignore[arg-type]
    assert stack.halted
    told = capsys.readouterr().err
    assert "ConflictDetectorFunction was halted by restore before and STAYS HALTED" in told
    assert "goes on" not in told


@pytest.mark.parametrize("data", [False, True])
def test_tables_that_may_be_half_restored_are_not_kept_without_a_word(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: bool
) -> None:
    stack = FakeStack(others=dict.fromkeys(tool.HALTED, "restore"))
    clients = {"events": world.events, "dynamodb": world.dynamodb}
    monkeypatch.setattr(FakeStack, "client", lambda _, service: clients.get(service))
    monkeypatch.setattr(tool, "look", lambda *_: DOOMED)
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "no"

    monkeypatch.setattr("builtins.input", answer)
    assert tool.delete(stack, data=data, sure=False) == 1  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert "halted by a restore that is not finished" in told
    assert len(asked) == (1 if data else 0)
    assert ("Nothing was changed" in told) is not data
    assert not stack.halted


def test_broken_off_while_the_stack_goes_it_says_that_it_is_halted(
    world: World, deletion: Deletion, capsys: pytest.CaptureFixture[str]
) -> None:
    def sam() -> int:
        raise KeyboardInterrupt

    stack = FakeStack(status="DELETE_IN_PROGRESS")
    with pytest.raises(KeyboardInterrupt):
        remove_stack(stack, DOOMED, deletion, sam)  # type: ignore[arg-type]
    assert stack.halted
    assert "STAYS HALTED" in capsys.readouterr().err


def test_a_stack_that_cannot_be_deleted_is_named_with_what_holds_it(
    world: World, deletion: Deletion, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = {"ResourceType": "AWS::SNS::Topic", "PhysicalResourceId": "arn:topic"}
    failed = resource | {"ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": "no permission"}
    there = [failed, resource | {"ResourceStatus": "DELETE_COMPLETE"}]
    stack = FakeStack(failed=there, status="DELETE_FAILED")
    left = remove_stack(stack, DOOMED, deletion, lambda: 1)  # type: ignore[arg-type]
    assert left == ["stack appointments-test: sam delete failed", "AWS::SNS::Topic arn:topic: no permission"]
    assert stack.halted
    told = capsys.readouterr().err
    assert "STAYS HALTED" in told
    assert "make release STACK=appointments-test" in told


def test_a_stack_that_nobody_deletes_goes_on(
    world: World, deletion: Deletion, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = FakeStack()
    left = remove_stack(stack, DOOMED, deletion, lambda: 1)  # type: ignore[arg-type]
    assert left == ["stack appointments-test: sam delete failed"]
    assert not stack.halted
    assert "was not deleted and goes on" in capsys.readouterr().err


def test_a_status_that_cannot_be_read_leaves_it_halted_and_says_so(
    world: World, deletion: Deletion, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "Throttling"}}, "DescribeStacks")

    monkeypatch.setattr(FakeStack, "describe_stacks", fail)
    stack = FakeStack()
    remove_stack(stack, DOOMED, deletion, lambda: 1)  # type: ignore[arg-type]
    assert stack.halted
    assert "make release STACK=appointments-test" in capsys.readouterr().err


def test_a_stack_that_is_gone_although_sam_failed_is_deleted(world: World, deletion: Deletion) -> None:
    assert remove_stack(FakeStack(status=""), DOOMED, deletion, lambda: 1) == []  # type: ignore[arg-type]


def test_without_sam_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "SAM", tmp_path / "sam")
    monkeypatch.setattr(tool, "look", lambda *_: DOOMED)
    monkeypatch.setattr(FakeStack, "client", lambda *_: None)
    stack = FakeStack()
    assert tool.delete(stack, data=False, sure=True) == 1  # type: ignore[arg-type]
    assert not stack.halted
    assert "SAM is not installed" in capsys.readouterr().err


# --- what there is of a stack ----------------------------------------------------------------------------


@dataclass
class CloudFormation:
    """One stack, there or deleted, and an older one of the same name."""

    exists: bool

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - botocore's name
        if not self.exists:
            problem: Any = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": problem}, "DescribeStacks")
        return {"Stacks": [{"StackId": self.id("2")}]}

    @staticmethod
    def id(number: str) -> str:
        return f"arn:aws:cloudformation:eu-west-1:123456789012:stack/appointments-test/{number}"

    def get_paginator(self, operation: str) -> Any:
        return getattr(self, operation)

    class list_stacks:  # noqa: N801 - the operation's name
        @staticmethod
        def paginate(StackStatusFilter: list[str]) -> list[dict[str, Any]]:  # noqa: N803
            assert StackStatusFilter == ["DELETE_COMPLETE"]
            deleted = [("appointments-test", "2", 2), ("appointments-test", "1", 1), ("other", "3", 3)]
            return [
                {"StackSummaries": [{"StackName": name, "StackId": CloudFormation.id(n), "CreationTime": at}]}
                for name, n, at in deleted
            ]

    class list_stack_resources:  # noqa: N801
        @staticmethod
        def paginate(StackName: str) -> list[dict[str, Any]]:  # noqa: N803
            assert StackName == "appointments-test"
            there = [
                ("Calendars", tool.TABLE, "calendars"),
                ("Topic", "AWS::SNS::Topic", "topic"),
                ("Pool", tool.USER_POOL, ""),
            ]
            return [
                {
                    "StackResourceSummaries": [
                        {"LogicalResourceId": id_, "ResourceType": kind, "PhysicalResourceId": name}
                        for id_, kind, name in there
                    ]
                }
            ]

    class describe_stack_events:  # noqa: N801
        @staticmethod
        def paginate(StackName: str) -> list[dict[str, Any]]:  # noqa: N803
            assert StackName.endswith("/2")
            events = [
                ("Appointments", tool.TABLE, "DELETE_SKIPPED", "appointments"),
                ("Topic", "AWS::SNS::Topic", "DELETE_COMPLETE", "topic"),
                ("ReminderSenderFunction", "AWS::Lambda::Function", "CREATE_COMPLETE", "x-reminder-sender"),
                ("ReminderSenderFunction", "AWS::Lambda::Function", "CREATE_IN_PROGRESS", ""),
            ]
            return [
                {
                    "StackEvents": [
                        {
                            "LogicalResourceId": id_,
                            "ResourceType": kind,
                            "ResourceStatus": status,
                            "PhysicalResourceId": name,
                        }
                        for id_, kind, status, name in events
                    ]
                }
            ]


SENDER = "arn:aws:lambda:eu-west-1:123456789012:function:x-reminder-sender"


def test_a_stack_that_exists_is_found_with_its_data() -> None:
    data = (Kept(tool.TABLE, "appointments"), Kept(tool.TABLE, "calendars"))
    assert look(CloudFormation(exists=True), "appointments-test") == Doomed("appointments-test", True, SENDER, data)


def test_what_the_last_deleted_stack_left_is_found() -> None:
    found = look(CloudFormation(exists=False), "appointments-test")
    assert found == Doomed("appointments-test", False, SENDER, (Kept(tool.TABLE, "appointments"),))


def test_a_name_that_no_stack_ever_had() -> None:
    with pytest.raises(NoStackError, match="there is no stack misspelt"):
        look(CloudFormation(exists=False), "misspelt")
