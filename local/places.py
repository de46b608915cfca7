"""Where things lie in the checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"
BUILD = ROOT / ".aws-sam" / "build"
ENGINE_PYTHON = ROOT / ".venv-engine" / "bin" / "python"

# Everything that `make run` keeps between two starts.
LOCAL = ROOT / ".local"
