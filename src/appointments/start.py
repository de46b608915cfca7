"""The start of a function: Lambda gives it a whole processor, and a request, at 256 MB, a seventh of one.

It makes a hundred thousand objects, nearly all of which stay. Python's collector would go through them for garbage
again and again while they come to be, for a sixth of a start, and later in every answer that is large. So it rests
until the start is over, and never looks at what is there by then.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

# Elsewhere, as in tests, importing a function needs no AWS, no environment, and leaves the collector alone.
ON_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def begin() -> None:
    """To be called before anything else is imported."""
    if ON_LAMBDA:
        gc.disable()
        # Powertools' logger imports it for paths of correlation ids, which no function here has. It imports
        # typing_extensions, whose compilation is a tenth of a start.
        import_when_used("aws_lambda_powertools.utilities.jmespath_utils")


def import_when_used(name: str) -> None:
    """Let an import of a module find a stand-in, which imports it when something of it is first used.

    `importlib.util.LazyLoader` would load it at once: up to Python 3.11, an import reads an attribute of what it finds.
    """
    stand_in = ModuleType(name)

    def attribute(wanted: str) -> Any:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(import_module(name), wanted)

    stand_in.__dict__["__getattr__"] = attribute
    sys.modules[name] = stand_in


def finish() -> None:
    """To be called when the first request can be served."""
    if ON_LAMBDA:
        gc.freeze()
        gc.enable()
