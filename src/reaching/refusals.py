"""What can become of a message that is not sent, one class each."""

from __future__ import annotations

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from appointments.errors import ProductError

# After these nothing went out: the service answered so, or was never reached.
NOT_SENT = (ClientError, ConnectTimeoutError, EndpointConnectionError)


class NotSentError(ProductError):
    """Certainly nothing was sent, so it may be tried again at once.

    After any other error of a channel nobody can know: the message is sent again when the lease has run out.
    """


class RefusedError(ProductError):
    """Nothing was sent, and this message never will be: the reason lies with its recipient, or with what it says.

    Its text is the reason, as it is recorded; it names no address.
    """


class OptedOutError(RefusedError):
    """The owner of the phone wants no SMS: none is sent to it any more, whatever it says."""


def words_of(error: ClientError) -> tuple[str, str]:
    """A service's code for what went wrong, and its words, which can hold an address."""
    told = error.response["Error"]
    return told.get("Code", ""), told.get("Message", "")
