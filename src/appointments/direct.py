"""In the place of a timer: the reminder sender, invoked at once for a reminder that is due within LEAD."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from appointments.firing import Timer


@dataclass(frozen=True, slots=True)
class Direct:
    """The sender, invoked now. Lambda repeats what fails and hands it to the dead-letter queue, as for a timer."""

    client: LambdaClient
    sender_arn: str

    def put(self, timer: Timer) -> None:
        self.client.invoke(
            FunctionName=self.sender_arn, InvocationType="Event", Payload=json.dumps(timer.event).encode()
        )
