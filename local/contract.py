"""`make openapi`: writes the contract, `openapi.yaml`, as the JSON that is deployed: Lambda has no YAML parser."""

from __future__ import annotations

import json

import yaml

from local.places import ROOT

WRITTEN = ROOT / "openapi.yaml"
DEPLOYED = ROOT / "src" / "conflict_detector" / "docs" / "page" / "openapi.json"


def as_json() -> str:
    """The contract as JSON, anchors and merges resolved."""
    return json.dumps(yaml.safe_load(WRITTEN.read_text()), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DEPLOYED.write_text(as_json())
