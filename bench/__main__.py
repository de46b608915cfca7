"""`make bench`: runs the parts that are named, or all, and keeps what they print in `.local/bench`."""

from __future__ import annotations

import contextlib
import importlib
import io
import site
import sys
import sysconfig
import time
from datetime import UTC, datetime

from bench.places import VENV
from local import LocalError
from local.places import LOCAL

# In the order in which they answer: what a start costs, a booking, many at once, and what that means.
PARTS = (
    "cold",
    "warm",
    "contention",
    "crowded",
    "door",
    "reminders",
    "availability",
    "pools",
    "worst",
    "desk",
    "cost",
    "scale",
)


class Both(io.StringIO):
    """Keeps what is printed, and shows it."""

    def write(self, text: str) -> int:
        sys.__stdout__.write(text)  # type: ignore[union-attr]  # there is one
        return super().write(text)


def main(wanted: list[str]) -> int:
    """Run the parts in turn; 1 if one could not."""
    unknown = set(wanted) - set(PARTS)
    if unknown:
        print(f"bench: there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    # Behind this environment's own packages: only what those do not have comes from there.
    site.addsitedir(sysconfig.get_path("purelib", vars={"base": str(VENV)}))
    folder = LOCAL / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for part in [name for name in PARTS if name in wanted or not wanted]:
        module = importlib.import_module(f"bench.{part}")
        said = Both()
        began = time.monotonic()
        with contextlib.redirect_stdout(said):
            print(f"## {part}\n\n{module.__doc__}")
            try:
                module.main()
            except LocalError as problem:
                print(f"bench: {part} did not run: {problem}")
                failed.append(part)
            print(f"\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {time.monotonic() - began:.0f} s\n", flush=True)
        (folder / f"{part}.md").write_text(said.getvalue())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
