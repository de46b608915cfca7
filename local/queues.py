"""Queues beside the stack that receive what the topic sends: one for the user, one for the live feed."""

from __future__ import annotations

import json

from local.engine import Engine


def subscribe(engine: Engine, topic_arn: str, queue_name: str) -> str:
    """Subscribe a queue to the topic, once however often this is called, and return the queue's URL.

    Messages arrive in the standard SNS envelope, as any other subscriber of a queue would get them.
    """
    sqs, sns = engine.client("sqs"), engine.client("sns")
    url: str = sqs.create_queue(QueueName=queue_name)["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    if not any(found["Endpoint"] == queue_arn for page in pages for found in page["Subscriptions"]):
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
    return url
