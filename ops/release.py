"""Let the functions of a stack go on that an operation has left halted: `make release STACK=appointments-prod`.

It names them and asks. Nothing else is changed: neither tables nor rules.
"""

from __future__ import annotations

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError

from ops.restore import FUNCTIONS, OPERATION
from ops.stack import Stack, StillHaltedError
from ops.terminal import BROKEN_OFF, confirmed


def release(stack: Stack, *, sure: bool) -> int:
    """Let what is halted go on; 0 where nothing is halted any more."""
    halted = stack.halted_functions(*FUNCTIONS)
    if not halted:
        print(f"No function of {stack.name} is halted.")
        return 0
    for name, who in halted.items():
        print(f"halted by {who or 'an operation'}: {name}")
    if OPERATION in halted.values():
        print(
            "A restore that was broken off while it wrote leaves tables half restored: then run `make restore` again."
        )
    if not sure and not confirmed(f"Let {stack.name} go on? Type its name: ", stack.name):
        print("Nothing was changed.")
        return 1
    stack.release(*FUNCTIONS)
    print(f"{stack.name} goes on")
    return 0


def main() -> int:
    """Let the stack go on that the arguments name."""
    parser = argparse.ArgumentParser(prog="make release", description="Let halted functions of a stack go on.")
    parser.add_argument("stack", help="such as appointments-prod")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args()
    try:
        return release(Stack(arguments.stack), sure=arguments.yes)
    except (StillHaltedError, ClientError, BotoCoreError) as problem:
        print(f"release: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("release: broken off; run it again for the rest", file=sys.stderr)
        return BROKEN_OFF


if __name__ == "__main__":
    sys.exit(main())
