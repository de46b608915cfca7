"""Where the bench keeps what only it needs, as bench/setup.sh put it there."""

from __future__ import annotations

from local.places import ROOT

VENV = ROOT / ".venv-bench"
PYTHON = VENV / "bin" / "python"
TYPICAL = VENV / "typical"
DYNAMODB_LOCAL = VENV / "dynamodb-local"
DOCS = ROOT / "docs"
