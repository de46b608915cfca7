"""What a booking function is often made of: everything that the libraries offer, imported and created at the start."""

from __future__ import annotations

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from pydantic import BaseModel

logger = Logger(service="appointments")
metrics = Metrics(namespace="Appointments", service="appointments")
app = APIGatewayRestResolver(enable_validation=True)
table = boto3.resource("dynamodb").Table("appointments")
events, functions, topics, cloudwatch = (boto3.client(name) for name in ("events", "lambda", "sns", "cloudwatch"))


class Booking(BaseModel):
    """The body of a request."""

    userId: str  # noqa: N815 - as JSON has it
    startTime: str  # noqa: N815
    endTime: str  # noqa: N815
    timeZone: str | None = None  # noqa: N815
    details: dict[str, str] = {}
    reminders: list[str] = []


@app.post("/appointments")
def book(booking: Booking) -> dict[str, str]:
    """Answer."""
    return {"userId": booking.userId}
