"""JSON text, as it is stored, answered and sent: compact, and not escaped, so that a text keeps its size in bytes."""

from __future__ import annotations

import json

# One encoder for all: `json.dumps` makes one for each call that has options. It raises as `json.dumps` does.
to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
