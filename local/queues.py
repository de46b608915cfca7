"""Queues beside the stack that receive what it tells: reminders for the user and for the live feed, and its events."""

from __future__ import annotations

import json

from local.engine import Engine


def subscribe(engine: Engine, topic_arn: str, queue_name: str) -> str:
    """Subscribe a queue to the topic, once however often this is called, and return the queue's URL.

    Messages arrive in the standard SNS envelope, as any other subscriber of a queue would get them.
    """
    url, queue_arn = _queue_of(engine, queue_name, "sns.amazonaws.com", topic_arn)
    sns = engine.client("sns")
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    if not any(found["Endpoint"] == queue_arn for page in pages for found in page["Subscriptions"]):
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
    return url


def listen(engine: Engine, bus: str, queue_name: str) -> str:
    """Let a rule send every event of the bus to a queue, once however often this is called, and return its URL.

    Messages are events as EventBridge hands them to any target.
    """
    events = engine.client("events")
    pattern = json.dumps({"source": ["appointments"]})
    rule_arn = events.put_rule(Name=queue_name, EventBusName=bus, EventPattern=pattern)["RuleArn"]
    url, queue_arn = _queue_of(engine, queue_name, "events.amazonaws.com", rule_arn)
    events.put_targets(Rule=queue_name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue_arn}])
    return url


def _queue_of(engine: Engine, name: str, service: str, source_arn: str) -> tuple[str, str]:
    """A queue that a service may send to on behalf of one source: its URL and ARN."""
    sqs = engine.client("sqs")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue_arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}},
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    return url, queue_arn
