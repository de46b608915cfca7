"""The start of a function: Lambda gives it a whole processor, and a request, at 256 MB, a seventh of one.

It makes a hundred thousand objects, nearly all of which stay. Python's collector would go through them for garbage
again and again while they come to be, for a sixth of a start, and later in every answer that is large. So it rests
until the start is over, and never looks at what is there by then.
"""

from __future__ import annotations

import gc
import os

# Elsewhere, as in tests, importing a function needs no AWS, no environment, and leaves the collector alone.
ON_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def begin() -> None:
    """To be called before anything else is imported."""
    if ON_LAMBDA:
        gc.disable()


def finish() -> None:
    """To be called when the first request can be served."""
    if ON_LAMBDA:
        gc.freeze()
        gc.enable()
