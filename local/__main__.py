"""`make run`: heeds whoever asks it to stop from its first moment on, before the long imports of what it runs."""

from __future__ import annotations

import sys

from local.waiting import stop_on_signals

if __name__ == "__main__":
    stop_on_signals()
    from local.run import main

    sys.exit(main())
