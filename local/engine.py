"""The embedded AWS as a child process: on 127.0.0.1 only, with or without a memory, and gone when we are."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from local import LocalError
from local.places import ENGINE_PYTHON
from local.waiting import Heartbeat, Say, pause

HOST = "127.0.0.1"
REGION = "us-east-1"
START_SECONDS = 60
STOP_SECONDS = 60
PROGRAM = Path(__file__).with_name("engine_process.py")
# What engine_process.py ends with where it could not save its state: this, plus the number of the system's error.
UNSAVED = 100


def silent(text: str) -> None:
    """Say nothing: for whoever shows no progress."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def require_free(port: int, setting: str) -> None:
    """Refuse a port that something else listens on, and name the setting that changes it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as problem:
            raise LocalError(
                f"Port {port} on {HOST} cannot be used ({getattr(problem, 'strerror', None) or problem}); "
                f"stop what uses it or choose another: make run {setting}={port + 1}"
            ) from problem


class Engine:
    """One engine. As a context manager it is started on entry and stopped, with its state saved, on exit."""

    def __init__(
        self,
        *,
        port: int | None = None,
        state: Path | None = None,
        auth: bool = False,
        lock: int | None = None,
        say: Say = silent,
        program: Sequence[str | Path] = (PROGRAM,),
    ) -> None:
        """Without ``state`` the engine forgets everything when it stops. ``auth`` makes it enforce IAM.

        ``lock`` is a descriptor that the engine holds open until it has saved its state and ended. ``program`` is what
        its Python runs, with arguments.
        """
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.auth = auth
        self._state = state
        self._lock = lock
        self._say = say
        self._program = program
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._home = Path()
        self.log = Path()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the engine and wait until it answers."""
        if not ENGINE_PYTHON.exists():
            raise LocalError("The embedded engine is not installed; run: make setup")
        if self._state is None:
            self._home = Path(tempfile.mkdtemp(prefix="appointments-engine-"))
            self._stack.callback(shutil.rmtree, self._home, ignore_errors=True)
        else:
            self._home = self._state
        # The engine unpacks functions and writes a pid file into its temporary folder: keep those here too.
        scratch = self._home / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        self.log = self._home / "engine.log" if self._state is None else self._state.parent / "engine.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(ENGINE_PYTHON), *map(str, self._program)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._home,
                env=self._environment(scratch),
                # Ctrl-C in a terminal reaches every process of the group; this one stops when told to.
                start_new_session=True,
                pass_fds=() if self._lock is None else (self._lock,),
            )
        try:
            self._wait_until_ready()
        except BaseException:
            # It has changed nothing yet that could be lost, and while it starts it may miss a milder signal.
            self._process.kill()
            self._process.wait()
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the engine so that it saves its state, and wait for that. Raises `LocalError` where it did not."""
        process, self._process = self._process, None
        unsaved = None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            unsaved = self._failure(process)
        if process is not None and process.stdin is not None:
            process.stdin.close()
        self._stack.close()
        if unsaved and self._state is not None:
            raise LocalError(
                f"The data was NOT saved in full: {unsaved}. It lies in {self._state}. "
                "What changed since `make run` started may be lost"
            )

    def _failure(self, process: subprocess.Popen[bytes]) -> str | None:
        """Wait for the end of an engine that was told to stop; why it did not save its state, None where it did."""
        heartbeat = Heartbeat(self._say, "saving the data")
        deadline = time.monotonic() + STOP_SECONDS
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                return f"the engine did not stop within {STOP_SECONDS} s and was killed"
            time.sleep(0.05)
            heartbeat.beat()
        if process.returncode > UNSAVED:
            return os.strerror(process.returncode - UNSAVED)
        if process.returncode:
            return f"the engine ended with exit code {process.returncode}, and its log may say why: {self.log}"
        return None

    @property
    def running(self) -> bool:
        """Whether the engine's process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def mail(self) -> Path:
        """The folder of all email and SMS that were sent, as `engine_mail.py` keeps them."""
        return self._home / "mail"

    def client(self, service: Any, **config: Any) -> Any:
        """A boto3 client of this engine, with the engine's root credentials."""
        return boto3.session.Session().client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the engine's public root credentials
            config=Config(
                **{"retries": {"max_attempts": 3}, "connect_timeout": 5, "read_timeout": 30} | config  # type: ignore[arg-type]
            ),
        )

    def environment(self) -> dict[str, str]:
        """This process's environment, pointed at the engine: for `sam` and other AWS tools."""
        # Whatever account, profile or endpoint the caller has set up must not be reached by accident.
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE", "MFLAGS"))}
        return clean | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "1",
        }

    def _environment(self, scratch: Path) -> dict[str, str]:
        """The engine's own environment. Functions inherit it, so it holds nothing of the caller's."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
        settings = {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "AUTH": "true" if self.auth else "false",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(scratch),
            "PYTHONUNBUFFERED": "1",
        }
        if self._state is not None:
            settings |= {
                "PERSIST_STATE": "1",
                "STATE_DIR": str(self._state),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(self._state / "s3"),
            }
        return keep | settings

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        heartbeat = Heartbeat(self._say, "starting the embedded engine")
        while time.monotonic() < deadline:
            if not self.running:
                raise LocalError(f"The embedded engine stopped while starting; its log says why: {self.log}")
            try:
                with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2):  # noqa: S310 - http to ourselves
                    return
            except (urllib.error.URLError, OSError):
                pause(0.1)
                heartbeat.beat()
        raise LocalError(f"The embedded engine did not answer within {START_SECONDS} s; its log: {self.log}")
