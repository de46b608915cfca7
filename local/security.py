"""`make security`: looks for what is unsafe in the template, in its IAM policies, in the code and in what is deployed.

checkov and cloudformation-validate read the template as CloudFormation gets it, parliament its policies, bandit the
code, and pip-audit the deployed packages. The tools have an environment of their own, `.venv-security`. What is
accepted is written here with its reason, and what is accepted without need fails too, so that the list stays true.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.deploy import CONFIG
from local.places import LOCAL, ROOT, TEMPLATE
from local.resolved import decide, policies

TOOLS = ROOT / ".venv-security" / "bin"
STAGE = "prod"
LOCKS = ("src/requirements.txt",)

# Checks of checkov that fail, and why that is right here.
ACCEPTED: Mapping[str, str] = {
    "CKV_AWS_7": "KMS rotates no HMAC keys; a test holds that all others are rotated",
    "CKV_AWS_73": "X-Ray is a parameter, Tracing, and costs per trace",
    "CKV_AWS_76": "access logs need a role that is set for the whole account; the function logs each outcome",
    "CKV_AWS_115": "reminders must not be refused for want of instances; the other functions have their number",
    "CKV_AWS_116": "what fails goes to a queue by EventInvokeConfig, with its error; the API's caller gets its error",
    "CKV_AWS_117": "nothing that the functions use is in a VPC, and one would add seconds to a cold start",
    "CKV_AWS_119": "tables are encrypted with AWS's key for DynamoDB; a key of one's own costs a call per few minutes",
    "CKV_AWS_120": "answers are of the moment and for one caller",
    "CKV_AWS_158": "logs hold ids and times, which a test proves, and CloudWatch encrypts them with a key of its own",
    "CKV_AWS_173": "the variables are names of resources; nothing in them is secret",
    "CKV_AWS_364": "the permission names the topic of answers by SMS, a parameter that checkov reads as empty",
}
# Rules of cloudformation-validate, and findings of parliament, likewise.
ACCEPTED_IN_TEMPLATES: Mapping[str, str] = {
    "W3011": "UpdateReplacePolicy is for the functions' versions; a function goes with its stack",
    "W3694": "the endpoint is an alias of a function, which SNS invokes as it does a function",
    "W9013": "the topic of answers by SMS is a parameter, and has its value here",
    "W9002": "the permission is for rules that are made at run time, so it names a pattern and no resource",
}
ACCEPTED_IN_POLICIES: Mapping[str, str] = {
    "RESOURCE_STAR MessagingKey": "in a key's policy, * is the key itself",
    "RESOURCE_STAR ContactKey": "in a key's policy, * is the key itself",
    "RESOURCE_STAR WebhookKey": "in a key's policy, * is the key itself",
    "RESOURCE_STAR LinkKey": "in a key's policy, * is the key itself",
    "RESOURCE_MISMATCH EventRelayRole": "Lambda wants ListStreams on the stream, as SAM's own policy grants it",
}
# The template is looked at as prod deploys it, and with every option on.
EVERY_OPTION = {
    "Auth": "cognito",
    "UserPoolEmailFrom": "no-reply@example.org",
    "UserPoolEmailIdentity": "example.org",
    "CorsOrigin": "https://booking.example.org",
    "RequestsPerAddress": "3000",
    "ReservedConcurrency": "100",
    "BillingMode": "PROVISIONED",
    "AlarmEmail": "oncall@example.org",
    "SnapStart": "on",
    "Tracing": "Active",
    "EmailFrom": "no-reply@example.org",
    "Sms": "on",
    "SmsRepliesTopicArn": "arn:aws:sns:us-east-1:123456789012:sms-replies",
    "LinkBase": "https://booking.example.org",
    "UserPoolDomain": "clinic",
    "OpenBooking": "on",
}
# bandit's low severities are ruff's S rules, each accepted where it stands.
BANDIT = ["--quiet", "-ll", "--skip", "B310", "--recursive", "src", "ops", "local"]
BANDIT_WHY = "B310: the addresses that are opened are this machine's, or typed by whoever starts the program"
# Nothing of a caller's account is asked, and no newer version of the tool is looked for.
ENVIRONMENT = {"CKV_SKIP_PACKAGE_UPDATE_CHECK": "true", "SKIP_PACKAGE_UPDATE_CHECK": "true", "LOG_LEVEL": "ERROR"}


def stage_parameters(source: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of the stage that must be safest."""
    parameters = {name: str(p["Default"]) for name, p in source["Parameters"].items()}
    overrides = tomllib.loads(CONFIG.read_text())[STAGE]["deploy"]["parameters"]["parameter_overrides"]
    return parameters | dict(pair.split("=", 1) for pair in overrides.split())


@cache
def transformed() -> dict[str, Any]:
    """The template as SAM hands it to CloudFormation."""
    source = yaml_parse(TEMPLATE.read_text())
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    managed = {"AWSCodeDeployRoleForLambda": "arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"}
    translator = Translator(managed, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    plain: dict[str, Any] = translator.translate(source, stage_parameters(source))
    return plain


def tool(name: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run one tool and keep what it says."""
    return subprocess.run(
        [str(TOOLS / name), *arguments],
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def checkov() -> list[str]:
    """What checkov finds beyond what is accepted, and what is accepted without need."""
    LOCAL.mkdir(exist_ok=True)
    file = LOCAL / "transformed.json"
    file.write_text(json.dumps(transformed(), indent=1))
    done = tool("checkov", "--file", str(file), "--framework", "cloudformation", "--output", "json", "--skip-download")
    report = json.loads(done.stdout)
    failed: defaultdict[str, list[str]] = defaultdict(list)
    for check in report["results"]["failed_checks"]:
        failed[check["check_id"]].append(f"{check['resource']}: {check['check_name']}")
    passed = report["summary"]["passed"]
    accepted = sum(len(failed[check]) for check in ACCEPTED)
    print(f"checkov: {passed} checks passed, {accepted} failures accepted for {len(ACCEPTED)} reasons")
    found = [f"{check}: {where}" for check, places in failed.items() if check not in ACCEPTED for where in places]
    found += [f"{check} is accepted and does not fail any more" for check in ACCEPTED if not failed[check]]
    return found if passed else ["checkov checked nothing", done.stderr]


def second_opinion() -> list[str]:
    """What cloudformation-validate finds in the template and parliament in its policies, beyond what is accepted."""
    template = transformed()
    files: list[Path] = []
    documents: dict[str, Any] = {}
    for name, options in {"prod": {}, "every-option": EVERY_OPTION}.items():
        decided = decide(template, stage_parameters(template) | options)
        files.append(LOCAL / f"decided-{name}.json")
        files[-1].write_text(json.dumps(decided, indent=1))
        documents |= {f"{place}/{name}": found for place, found in policies(decided["Resources"]).items()}
    script = ROOT / "local" / "second_opinion.py"
    done = tool("python", str(script), *map(str, files), given=json.dumps(documents))
    if done.returncode:
        return ["cloudformation-validate and parliament failed", done.stderr]
    report = json.loads(done.stdout)
    rules, resources = (min(t[key] for t in report["templates"]) for key in ("rules", "resources"))
    print(f"cloudformation-validate: {rules} rules on {resources} resources or more, in {len(files)} settings")
    print(f"parliament: {len(documents)} policies")
    incomplete = [
        f"cloudformation-validate looked at {t['resources']} resources in part only"
        for t in report["templates"]
        if not t["complete"]
    ]
    in_templates = [(rule, f"{place}: {text}") for t in report["templates"] for rule, place, text in t["findings"]]
    in_policies = [(f"{issue} {place.partition('/')[0]}", text) for issue, place, text in report["policies"]]
    return [
        *incomplete,
        *(
            ["cloudformation-validate or parliament looked at nothing"]
            if not (rules and resources and documents)
            else []
        ),
        *beyond(in_templates, ACCEPTED_IN_TEMPLATES),
        *beyond(in_policies, ACCEPTED_IN_POLICIES),
    ]


def beyond(found: Iterable[tuple[str, str]], accepted: Mapping[str, str]) -> list[str]:
    """What is found and not accepted, and what is accepted and not found any more."""
    told = dict.fromkeys(found)
    unneeded = accepted.keys() - {what for what, _ in told}
    remaining = [f"{what}: {text}" for what, text in told if what not in accepted]
    return remaining + [f"{what} is accepted and not found any more" for what in sorted(unneeded)]


def bandit() -> list[str]:
    """What bandit finds from medium severity on."""
    done = tool("bandit", *BANDIT)
    print(f"bandit: {'nothing found' if not done.returncode else 'see below'} ({BANDIT_WHY})")
    return [done.stdout + done.stderr] if done.returncode else []


def pip_audit() -> list[str]:
    """Known vulnerabilities of what is deployed, where the data about them can be had."""
    found = []
    for lock in LOCKS:
        done = tool("pip-audit", "--requirement", lock, "--require-hashes", "--disable-pip", "--format", "json")
        try:
            packages = json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError):
            print(f"pip-audit: NOT DONE for {lock}, there is no data here: {done.stderr.strip().splitlines()[-1:]}")
            continue
        skipped = [package["name"] for package in packages if "skip_reason" in package]
        print(f"pip-audit: {len(packages) - len(skipped)} of the {len(packages)} packages of {lock} audited")
        if skipped:
            print(f"pip-audit: NOT DONE for {', '.join(skipped)}: there is no data about them here")
        found += [f"{p['name']} {p['version']}: {flaw['id']}" for p in packages for flaw in p.get("vulns", ())]
    return found


def main() -> int:
    """All of them, one after the other; 1 where any of them found something."""
    found = checkov() + second_opinion() + bandit() + pip_audit()
    for what in found:
        print(what, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
