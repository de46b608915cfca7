"""Write what is configured over one of the versions that `If-Match` allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from appointments.errors import PreconditionFailedError
from appointments.storage.versioned import SettingsChangedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conflict_detector.request import Request

Written = TypeVar("Written")

# What no version is.
NO_VERSION = -1


def over_allowed_version(request: Request, write: Callable[[int | None], Written]) -> Written:
    """What `write` returns over a version that is allowed, or over any. Raises PreconditionFailedError."""
    allowed = request.versions()
    version = None if allowed is None else min(allowed, default=NO_VERSION)
    while True:
        try:
            return write(version)
        except SettingsChangedError as exc:
            if allowed is None or exc.version not in allowed or exc.version == version:
                raise PreconditionFailedError(exc.version) from exc
            version = exc.version
