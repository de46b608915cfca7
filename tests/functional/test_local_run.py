"""`make run` on one machine: alone on its state, honest about what it saved, and never deaf to who wants to stop it."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from contextlib import AbstractContextManager, contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

import local.run
from local import LocalError, waiting
from local.deploy import only_one
from local.engine import Engine
from local.feed import Screen
from local.lock import sole_user
from local.receiver import Receiver
from local.waiting import Heartbeat, Stopped, ask_to_stop, patiently, pause, stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.system import System

URL = "http://127.0.0.1:39999"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def nobody_has_asked() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    waiting._Wish.asked = False


@pytest.fixture
def make_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """`make run` with its folder elsewhere, and on free ports."""
    monkeypatch.setattr(local.run, "LOCAL", tmp_path)
    monkeypatch.setenv("PORT", "39998")
    monkeypatch.setenv("ENGINE_PORT", "39997")
    return tmp_path


# --- one at a time ---------------------------------------------------------------------------------------


def test_a_second_run_is_refused_and_names_the_first(make_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described = make_run / "stack.json"
    with sole_user(make_run / "state", URL):
        described.write_text("{}")
        assert local.run.main() == 1
    told = capsys.readouterr()
    assert f"process {os.getpid()}, {URL}" in told.err
    assert described.read_text() == "{}"


def test_the_state_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with sole_user(tmp_path / "state", URL):
            pass


def test_the_state_stays_locked_until_the_engine_has_ended(tmp_path: Path) -> None:
    """A killed `make run` leaves an engine that still saves its data."""
    state = tmp_path / "state"
    with sole_user(state, URL) as lock:
        engine = Engine(state=state, lock=lock)
        engine.start()
    try:
        (state / "lock").write_text(f'{{"pid": {2**22 + 1}, "url": "{URL}"}}')  # no process has that number
        with pytest.raises(LocalError, match="still saves its data"), sole_user(state, URL):
            pytest.fail("two on one folder")
    finally:
        engine.stop()
    with sole_user(state, URL):
        pass


@pytest.mark.parametrize("written", ["", "no JSON", "[]", '{"pid": null, "url": ""}'])
def test_a_lock_that_is_just_being_written_is_a_lock(tmp_path: Path, written: str) -> None:
    with sole_user(tmp_path, URL):
        (tmp_path / "lock").write_text(written)
        with pytest.raises(LocalError, match="Another `make run`"), sole_user(tmp_path, URL):
            pytest.fail("two on one folder")


def test_equal_ports_are_named(
    make_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGINE_PORT", "39998")
    assert local.run.main() == 1
    assert "PORT and ENGINE_PORT are both 39998" in capsys.readouterr().err


# --- a full disk -----------------------------------------------------------------------------------------


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    state = tmp_path / "state"
    engine = Engine(state=state)
    engine.start()
    engine.client("sqs").create_queue(QueueName="letters")
    (state / "sqs.json.tmp").symlink_to("/dev/full")
    with pytest.raises(LocalError, match="NOT saved in full: No space left on device"):
        engine.stop()
    assert not engine.running
    with Engine(state=state) as again:
        assert again.client("sqs").list_queues().get("QueueUrls", []) == []


def test_data_that_was_not_saved_is_not_called_kept(
    make_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def full(*_: Any, **__: Any) -> Iterator[System]:
        with Unsaved():
            raise Stopped
        yield System.__new__(System)

    class Unsaved(AbstractContextManager[None]):
        def __exit__(self, *_: object) -> bool:
            raise LocalError("The data was NOT saved in full")

    monkeypatch.setattr(local.run, "system", full)
    assert local.run.main() == 1
    told = capsys.readouterr()
    assert "NOT saved in full" in told.err
    assert "kept" not in told.out


def test_a_disk_that_takes_nothing_at_the_start_is_one_sentence(
    make_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (make_run / "state").symlink_to("/dev/full")  # what is written below it fails
    assert local.run.main() == 1
    told = capsys.readouterr().err
    assert told.startswith("make run: [Errno")
    assert "Traceback" not in told


# --- asked to stop ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_garbage_collection_is_heeded(number: signal.Signals) -> None:
    """Python drops what is raised there, so a handler that raises would be lost with its wish."""
    stop_on_signals()

    def collecting(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            os.kill(os.getpid(), number)
            sum(range(1000))  # the handler runs in here

    gc.callbacks.append(collecting)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(collecting)
    with pytest.raises(Stopped):
        pause(60)


def test_a_second_signal_changes_nothing_and_the_wish_stays() -> None:
    stop_on_signals()
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    for _ in range(2):
        with pytest.raises(Stopped):
            pause(60)


def test_what_blocks_is_left_to_itself() -> None:
    stop_on_signals()
    blocked = threading.Event()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    with pytest.raises(Stopped):
        patiently(lambda: blocked.wait(100), "blocking", print)
    blocked.set()
    timer.join()


def test_work_that_is_waited_for_gives_its_result_or_its_failure() -> None:
    assert patiently(lambda: 7, "counting", print) == 7
    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 // 0, "dividing", print)


def test_waiting_for_another_build_heeds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("local.deploy.LOCAL", tmp_path)
    with only_one(print):
        threading.Timer(0.2, ask_to_stop).start()
        with pytest.raises(Stopped), only_one(print):
            pytest.fail("two at the same time")


def test_nobody_left_to_read_is_a_wish_to_stop() -> None:
    class Gone(StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    Screen(Gone()).say("hello")
    with pytest.raises(Stopped):
        pause(60)


def test_what_takes_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    heartbeat = Heartbeat(said.append, "building")
    for now in range(100, 120):  # noqa: B007 - read by the clock
        heartbeat.beat()
    assert said == ["  still building (5 s)", "  still building (10 s)", "  still building (15 s)"]


# --- the demo's receiver -------------------------------------------------------------------------------


def test_the_receiver_refuses_what_is_not_signed_and_says_so() -> None:
    with Receiver() as receiver:
        receiver.secret = "whsec_bm9uZQ=="
        signed = {"webhook-id": "1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,bm9uZQ=="}
        request = urllib.request.Request(receiver.url, b"{}", signed)
        with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(request, timeout=5):
            pass
        refused.value.close()
        assert refused.value.code == 401
        assert [line.kind for line in receiver.lines()] == ["WEBHOOK_REFUSED"]
        assert receiver.lines() == []
