"""What cloudformation-validate says of templates, and parliament of IAM policies, as JSON.

    python local/second_opinion.py TEMPLATE.json… < POLICIES.json

Runs in the environment of `make security`, `.venv-security`, and may import nothing of this project. A policy's name
leads to its document. Findings of templates are lists of rule, place and message, those of policies likewise.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")  # parliament uses pkg_resources, which warns

import cloudformation_validate  # noqa: E402
import parliament  # noqa: E402


def of_template(engine: Any, path: str) -> dict[str, Any]:
    """Warnings and worse of one template, and what the tool could not look at."""
    report = engine.validate_template(path)
    told = [d for d in report.diagnostics if d.severity.name not in ("INFO", "DEBUG")]
    found = [(d.rule_id, d.entity.logical_id if d.entity else "template", d.message) for d in told]
    return {
        "rules": report.metadata.rules_evaluated,
        "resources": report.metadata.resources_scanned,
        "complete": report.status.name != "ANALYSIS_INCOMPLETE",
        "findings": found,
    }


def of_policy(name: str, document: Any) -> list[tuple[str, str, str]]:
    """What parliament finds in one policy."""
    findings = parliament.analyze_policy_string(json.dumps(document)).findings
    return [(finding.issue, name, f"{finding.detail or finding.location}") for finding in findings]


if __name__ == "__main__":
    engine = cloudformation_validate.CompositeEngine()
    templates = [of_template(engine, path) for path in sys.argv[1:]]
    policies = [found for name, document in json.load(sys.stdin).items() for found in of_policy(name, document)]
    json.dump({"templates": templates, "policies": policies}, sys.stdout)
