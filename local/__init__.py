"""The embedded engine: start it, deploy the real template to it, serve the API, show what happens.

Nothing in this package is deployed. It exists so that one machine without Docker or an account runs
the same `template.yaml` that AWS runs.
"""

from __future__ import annotations


class LocalError(Exception):
    """Something that keeps the local system from running, in one sentence that a person can act on."""
