"""The monitoring of a stack, as rows. After a change: `make monitoring`.

A new event is one line of `EVENTS`. Metrics that are counted from logs lie in the namespace `Appointments/<stack>`.
"""

from __future__ import annotations

from dataclasses import replace

from appointments.telemetry import EventType
from monitoring.shapes import Alarm, Chart, Event, Figure, Math, Metric, Series, Source

DETECTOR = Source("ConflictDetectorLogGroup", "OnChange")
SENDER = Source("ReminderSenderLogGroup", "InSender")
SWEEP = Source("ReminderSweepLogGroup", "InSweep")
RELAY = Source("EventRelayLogGroup", "OnRelay")
FEEDBACK = Source("ReachFeedbackLogGroup", "InFeedback")
WEBHOOKS_LOG = Source("WebhookSenderLogGroup", "InWebhooks")
NOTICES_LOG = Source("NoticeSenderLogGroup", "InNotices", "ReachesPeople")
REPLIES_LOG = Source("SmsRepliesLogGroup", "InReplies", "HearsSmsReplies")

BOOKINGS, STATUSES, REMINDERS, WEBHOOKS = "Bookings", "Statuses", "Reminders", "Webhooks"
PEOPLE, NOTICES = "Email and SMS", "Notices"
TOLD = "Events: failures"
GREEN, BLUE, ORANGE, RED, VIOLET, GREY, BROWN = (
    "#2ca02c", "#1f77b4", "#ff7f0e", "#d62728", "#9467bd", "#7f7f7f", "#8c564b",
)  # fmt: skip

# --- Events: each is one metric, and a line of a chart where it names one ----------------------------------

EVENTS = (
    Event(EventType.BOOKING_SUCCESS, (DETECTOR,), BOOKINGS, "booked", GREEN),
    Event(EventType.BOOKING_CONFLICT, (DETECTOR,), BOOKINGS, "refused: taken", BLUE),
    Event(EventType.BOOKING_REJECTED, (DETECTOR,), BOOKINGS, "refused: faulty", ORANGE),
    Event(EventType.BOOKING_ERROR, (DETECTOR,), BOOKINGS, "errors", RED, by_version=True),
    Event(EventType.APPOINTMENT_RESCHEDULED, (DETECTOR,), BOOKINGS, "moved", VIOLET),
    Event(EventType.APPOINTMENT_CANCELLED, (DETECTOR, SWEEP), BOOKINGS, "cancelled", GREY),
    Event(EventType.APPOINTMENT_HELD, (DETECTOR,), STATUSES, "held"),
    Event(EventType.APPOINTMENT_REQUESTED, (DETECTOR,), STATUSES, "requested"),
    Event(EventType.APPOINTMENT_APPROVED, (DETECTOR,), STATUSES, "approved"),
    Event(EventType.APPOINTMENT_DECLINED, (DETECTOR,), STATUSES, "declined"),
    Event(EventType.APPOINTMENT_EXPIRED, (SWEEP,), STATUSES, "expired"),
    Event(EventType.APPOINTMENT_CONFIRMED, (DETECTOR, REPLIES_LOG), STATUSES, "confirmed by the person"),
    Event(EventType.APPOINTMENT_ARRIVED, (DETECTOR,), STATUSES, "arrived"),
    Event(EventType.APPOINTMENT_COMPLETED, (DETECTOR,), STATUSES, "completed"),
    Event(EventType.APPOINTMENT_NO_SHOW, (DETECTOR,), STATUSES, "did not come"),
    Event(EventType.CALENDAR_BLOCKED, (DETECTOR,), STATUSES, "time blocked"),
    Event(EventType.BLOCK_REMOVED, (DETECTOR,), STATUSES, "blocks removed"),
    Event(EventType.REMINDER_SCHEDULED, (DETECTOR, SWEEP), REMINDERS, "timers made"),
    Event(EventType.REMINDER_OVERFLOW, (DETECTOR, SWEEP), REMINDERS, "timers made outside the full bus"),
    Event(EventType.REMINDER_SENT, (SENDER, SWEEP), REMINDERS, "sent", GREEN),
    Event(EventType.REMINDER_RECOVERED, (SENDER, SWEEP), REMINDERS, "sent without their timer", ORANGE),
    Event(EventType.REMINDER_MISSED, (SENDER, SWEEP), REMINDERS, "missed", RED),
    Event(EventType.REMINDER_ERROR, (SENDER, SWEEP), REMINDERS, "errors", BROWN),
    Event(EventType.REMINDER_SCHEDULE_ERROR, (DETECTOR, SWEEP), REMINDERS, "timers refused"),
    Event(EventType.REMINDER_SKIPPED, (SENDER, SWEEP)),
    Event(EventType.RULE_CLEANED, (SENDER, DETECTOR, SWEEP)),
    Event(EventType.MESSAGE_REFUSED, (SENDER, SWEEP, NOTICES_LOG), PEOPLE, "refused for good", ORANGE),
    Event(EventType.ADDRESS_UNDELIVERABLE, (FEEDBACK, REPLIES_LOG), PEOPLE, "addresses marked", VIOLET),
    Event(EventType.REACH_FEEDBACK_ERROR, (FEEDBACK,), PEOPLE, "feedback errors", RED),
    Event(EventType.WEBHOOK_DELIVERED, (WEBHOOKS_LOG,), WEBHOOKS, "delivered", GREEN),
    Event(EventType.WEBHOOK_FAILED, (WEBHOOKS_LOG,), WEBHOOKS, "failed, tried again", ORANGE),
    Event(EventType.WEBHOOK_GONE, (WEBHOOKS_LOG,), WEBHOOKS, "switched off by 410", VIOLET),
    Event(EventType.WEBHOOK_GIVEN_UP, (WEBHOOKS_LOG,), WEBHOOKS, "given up", RED),
    Event(EventType.WEBHOOK_ERROR, (WEBHOOKS_LOG,), WEBHOOKS, "errors", BROWN),
    Event(EventType.NOTICE_SENT, (NOTICES_LOG,), NOTICES, "sent", GREEN),
    Event(EventType.NOTICE_SKIPPED, (NOTICES_LOG,), NOTICES, "nothing to tell", GREY),
    Event(EventType.NOTICE_RECOVERED, (NOTICES_LOG,), NOTICES, "perhaps sent twice", ORANGE),
    Event(EventType.NOTICE_ERROR, (NOTICES_LOG,), NOTICES, "errors", RED),
    Event(EventType.SMS_REPLY_SKIPPED, (REPLIES_LOG,), PEOPLE, "answers left aside", GREY),
    Event(EventType.SMS_REPLY_ERROR, (REPLIES_LOG,), PEOPLE, "answers that failed", BROWN),
    Event(EventType.EVENT_RELAY_ERROR, (RELAY,), TOLD, "relay errors", RED),
)

# --- Figures: numbers in log lines -------------------------------------------------------------------------

FIGURES = (
    Figure("ReminderLateness", "lateness_ms", (SENDER, SWEEP), EventType.REMINDER_SENT, "Milliseconds"),
    Figure("WebhookLateness", "lateness_ms", (WEBHOOKS_LOG,), EventType.WEBHOOK_DELIVERED, "Milliseconds"),
    Figure("NoticeLateness", "lateness_ms", (NOTICES_LOG,), EventType.NOTICE_SENT, "Milliseconds"),
    # Of the line that ends each sweep.
    Figure("SweepOverdue", "overdue", (SWEEP,)),
    Figure("ReminderRules", "rules", (SWEEP,)),
    Figure("RequestsWaiting", "requests_waiting", (SWEEP,)),
)

# --- Metrics that alarms and charts read -------------------------------------------------------------------

OURS = "Appointments/${AWS::StackName}"


def of_logs(name: str) -> Metric:
    """A metric that is counted from logs."""
    return Metric(OURS, name)


def of_function(name: str, function: str = "ConflictDetectorFunction") -> Metric:
    """A metric of Lambda."""
    return Metric("AWS/Lambda", name, (("FunctionName", f"${{{function}}}"),))


def of_new_version(function: str) -> Metric:
    """The errors of the version that is being deployed. Lambda separates versions while two share an alias."""
    dimensions = (
        ("FunctionName", f"${{{function}}}"),
        ("Resource", f"${{{function}}}:live"),
        ("ExecutedVersion", f"${{{function}.Version.Version}}"),
    )
    return Metric("AWS/Lambda", "Errors", dimensions)


def of_api(name: str) -> Metric:
    """A metric of the API's stage."""
    return Metric("AWS/ApiGateway", name, (("ApiName", "${AWS::StackName}"), ("Stage", "${Stage}")))


def of_email(name: str) -> Metric:
    """A metric of SES on the email of this stack."""
    return Metric("AWS/SES", name, (("ses:configuration-set", "${ReachConfigurationSet}"),))


def of_queue(name: str, queue: str) -> Metric:
    """A metric of one of the dead-letter queues."""
    return Metric("AWS/SQS", name, (("QueueName", f"${{{queue}.QueueName}}"),))


def of_table(name: str, table: str, index: str | None = None) -> Metric:
    """A metric of a table, or of one of its indexes."""
    of_index = (("GlobalSecondaryIndexName", index),) if index else ()
    return Metric("AWS/DynamoDB", name, (("TableName", f"${{{table}}}"), *of_index))


DELIVERY, EXECUTION, SWEEPS, UNRELAYED = (
    "ReminderDeliveryDeadLetterQueue",
    "ReminderExecutionDeadLetterQueue",
    "ReminderSweepDeadLetterQueue",
    "RelayFailures",
)
WEBHOOK_FAILURES = "WebhookFailures"
NOTICE_CHANGES, NOTICE_FAILURES = "NoticeChanges", "NoticeFailures"
REPLY_FAILURES = "SmsRepliesFailures"
DEPTH, AGE = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"

# --- Alarms: each has a section in docs/operations.md ------------------------------------------------------
# A single failure whose retry succeeds triggers none of them.

AGE_MEANS = """
    A dead letter has been in the queue for a day. After 14 days SQS deletes it, and with it the error.
    docs/operations.md#dead-letter-queues"""

THROTTLES_MEAN = """
    For ten minutes DynamoDB refused reads or writes of a table or of an index because their capacity was
    exceeded. Bookings are slower and may be answered with 503. Raise ReadCapacity or WriteCapacity, or deploy
    with BillingMode=PAY_PER_REQUEST. docs/operations.md#table-throttles"""

ALARMS: tuple[Alarm, ...] = (
    Alarm(
        "BookingSuccessRateAlarm",
        "booking-success-rate",
        # Moves that are refused are counted with bookings that are, so moves that succeed are counted too.
        # Fewer than 20 requests in five minutes say nothing.
        Math(
            "rate",
            "Booking success rate (%)",
            "IF(success + held + requested + moved + conflict + rejected + error >= 20,"
            " 100 * (success + held + requested + moved)"
            " / (success + held + requested + moved + conflict + rejected + error), 100)",
            {
                "success": of_logs("BookingSuccess"),
                "held": of_logs("AppointmentHeld"),
                "requested": of_logs("AppointmentRequested"),
                "moved": of_logs("AppointmentRescheduled"),
                "conflict": of_logs("BookingConflict"),
                "rejected": of_logs("BookingRejected"),
                "error": of_logs("BookingError"),
            },
        ),
        "Sum",
        "< SuccessRatePercent",
        """For 15 minutes fewer than ${SuccessRatePercent} % of the requests to book or to move succeeded. The dashboard
        shows which grew: conflicts (demand, or a client that repeats a taken slot), rejections (a client's new version
        sends faulty requests), or errors (see that alarm). docs/operations.md#booking-success-rate""",
        datapoints=3,
        periods=3,
    ),
    Alarm(
        "BookingErrorAlarm",
        "booking-errors",
        of_logs("BookingError"),
        "Sum",
        ">= 5",
        """Five or more requests of any kind in 15 minutes met a bug (500) or could not be decided in time (503).
        Nothing is half-booked. Read the BOOKING_ERROR lines; after a deployment, go back.
        docs/operations.md#booking-errors""",
        seconds=900,
    ),
    Alarm(
        "ConflictDetectorErrorAlarm",
        "conflict-detector-errors",
        of_function("Errors"),
        "Sum",
        ">= 1",
        """The function behind the API did not start, exceeded its time or memory, or raised an exception. It answers
        its own bugs with 500, so this is more serious; callers get 500 here too. Read the lines of its log that are not
        JSON. docs/operations.md#conflict-detector-errors""",
        datapoints=2,
        periods=3,
    ),
    Alarm(
        "ConflictDetectorThrottleAlarm",
        "conflict-detector-throttles",
        of_function("Throttles"),
        "Sum",
        ">= 1",
        """Requests found no free instance of the function behind the API and were refused. Raise the account's quota
        and ReservedConcurrency, or limit the caller who sends too many.
        docs/operations.md#conflict-detector-throttles""",
        datapoints=2,
        periods=3,
    ),
    Alarm(
        "ConflictDetectorDurationAlarm",
        "conflict-detector-duration",
        of_function("Duration"),
        "p99",
        "> 3000",
        """For 15 minutes one request in a hundred took the function longer than 3 seconds. Usually a table is throttled
        or EventBridge is slow; the dashboard shows both. docs/operations.md#conflict-detector-duration""",
        datapoints=3,
        periods=3,
        unit="Milliseconds",
        few_samples="ignore",
    ),
    Alarm(
        "ApiServerErrorAlarm",
        "api-5xx",
        of_api("5XXError"),
        "Sum",
        ">= 3",
        """The API answered 500, 503 or 504 three times or more in each of two periods of five minutes. If no other
        alarm of the API triggered, API Gateway cannot reach the function. docs/operations.md#api-5xx""",
        datapoints=2,
        periods=3,
    ),
    Alarm(
        "ReminderErrorAlarm",
        "reminder-errors",
        of_logs("ReminderError"),
        "Sum",
        ">= 1",
        """Reminders could not be sent in two periods of five minutes. Lambda and the sweep retry a single failure. Read
        the REMINDER_ERROR lines: most often SNS or the key refuses. docs/operations.md#reminder-errors""",
        datapoints=2,
        periods=3,
    ),
    Alarm(
        "ReminderLatenessAlarm",
        "reminder-lateness",
        of_logs("ReminderLateness"),
        "p99",
        "> 300000",
        """For ten minutes one reminder in a hundred, or more, was sent over five minutes late. Timers do not fire, and
        the sweep replaces them. Check ReminderRecovered and the sweep. docs/operations.md#reminder-lateness""",
        datapoints=2,
        periods=2,
        unit="Milliseconds",
    ),
    Alarm(
        "ReminderMissedAlarm",
        "reminders-missed",
        of_logs("ReminderMissed"),
        "Sum",
        ">= 1",
        """Appointments began before their reminder could be sent, so it was not sent. The REMINDER_MISSED lines contain
        their ids. docs/operations.md#reminders-missed""",
        seconds=900,
    ),
    Alarm(
        "SweepNotRunningAlarm",
        "sweep-not-running",
        of_logs("SweepOverdue"),
        "SampleCount",
        "< 1",
        """No reminder sweep has ended for 15 minutes. Timers still send reminders, but nothing sends those that a timer
        fails to send. This may trigger once after the very first deployment. docs/operations.md#sweep-not-running""",
        seconds=900,
        missing="breaching",
    ),
    Alarm(
        "RequestsWaitingAlarm",
        "requests-waiting",
        of_logs("RequestsWaiting"),
        "Minimum",
        ">= 1",
        """Bookings that have to be approved have waited for an answer for a day or longer. People wait, and the time is
        taken. GET /appointments?status=requested lists them. docs/operations.md#requests-waiting""",
        seconds=3600,
    ),
    Alarm(
        "RulesNearQuotaAlarm",
        "rules-near-quota",
        Math(
            "share",
            "Share of the bus quota (%)",
            "100 * rules / ${RuleQuota}",
            {"rules": of_logs("ReminderRules")},
        ),
        "Maximum",
        "> 80",
        """Reminder rules fill 80 % of the ${RuleQuota} that the event bus holds. No reminder is lost, because
        EventBridge Scheduler takes those that find the bus full, but each such booking makes a refused call. Deploy
        with ReminderBackend=scheduler during working hours. docs/operations.md#rules-near-quota""",
        datapoints=3,
        periods=3,
        condition="WatchesRules",
    ),
    Alarm(
        "ReminderDeliveryDepthAlarm",
        "reminder-delivery-dlq-depth",
        of_queue(DEPTH, DELIVERY),
        "Maximum",
        ">= 1",
        """EventBridge could not deliver a reminder's event to its function. The sweep sends the reminder if it is still
        due. Find the cause (permission, throttling), then redrive. docs/operations.md#dead-letter-queues""",
    ),
    Alarm(
        "ReminderDeliveryAgeAlarm",
        "reminder-delivery-dlq-age",
        of_queue(AGE, DELIVERY),
        "Maximum",
        "> 86400",
        AGE_MEANS,
    ),
    Alarm(
        "ReminderExecutionDepthAlarm",
        "reminder-execution-dlq-depth",
        of_queue(DEPTH, EXECUTION),
        "Maximum",
        ">= 1",
        """The reminder sender failed on an event three times. The sweep retries until the appointment begins. The
        message in the queue contains the error. Correct it, then redrive. docs/operations.md#dead-letter-queues""",
    ),
    Alarm(
        "ReminderExecutionAgeAlarm",
        "reminder-execution-dlq-age",
        of_queue(AGE, EXECUTION),
        "Maximum",
        "> 86400",
        AGE_MEANS,
    ),
    Alarm(
        "ReminderSweepDepthAlarm",
        "reminder-sweep-dlq-depth",
        of_queue(DEPTH, SWEEPS),
        "Maximum",
        ">= 3",
        """Three sweeps or more did not run or met failures. The next sweep does what one leaves, so a single one does
        not matter. Read the sweep's REMINDER_ERROR lines, then purge the queue: there is nothing to redrive.
        docs/operations.md#dead-letter-queues""",
    ),
    Alarm("ReminderSweepAgeAlarm", "reminder-sweep-dlq-age", of_queue(AGE, SWEEPS), "Maximum", "> 86400", AGE_MEANS),
    Alarm(
        "EventRelayErrorAlarm",
        "event-relay-errors",
        of_logs("EventRelayError"),
        "Sum",
        ">= 1",
        """Records of the tables' streams could not be relayed in two periods of five minutes, and are tried again.
        Bookings do not wait for this, but events and the history are late. Read the EVENT_RELAY_ERROR lines.
        docs/operations.md#event-relay-errors""",
        datapoints=2,
        periods=3,
    ),
    Alarm(
        "EventRelayBehindAlarm",
        "event-relay-behind",
        of_function("IteratorAge", "EventRelayFunction"),
        "Maximum",
        "> 60000",
        """For ten minutes the event relay has read records that were older than a minute, so events and the history are
        late. Nothing is lost for half a day. Usually the bus or a table refuses calls, or the function fails.
        docs/operations.md#event-relay-behind""",
        datapoints=2,
        periods=2,
        unit="Milliseconds",
    ),
    Alarm(
        "RelayFailuresDepthAlarm",
        "relay-failures-depth",
        of_queue(DEPTH, UNRELAYED),
        "Maximum",
        ">= 1",
        """Changes were not told to anybody and may be missing in the history: records that this version cannot read, or
        that failed for half a day. The streams keep them for a day after the change. Find the cause, then redrive.
        docs/operations.md#relay-failures""",
    ),
    Alarm(
        "RelayFailuresAgeAlarm",
        "relay-failures-age",
        of_queue(AGE, UNRELAYED),
        "Maximum",
        "> 28800",
        """The name of a record that was not relayed has been in the queue for eight hours. A record that Lambda gave up
        vanishes from its stream four hours later, and cannot be told any more. Redrive now.
        docs/operations.md#relay-failures""",
    ),
    Alarm(
        "MessageRefusedAlarm",
        "messages-refused",
        of_logs("MessageRefused"),
        "Sum",
        ">= 10",
        """Ten or more emails and SMS within an hour were refused for good, so these people were not reached on that
        channel. The MESSAGE_REFUSED lines contain the reasons. docs/operations.md#messages-refused""",
        seconds=3600,
        condition="WatchesPeople",
    ),
    Alarm(
        "ReachFeedbackErrorAlarm",
        "reach-feedback-errors",
        of_logs("ReachFeedbackError"),
        "Sum",
        ">= 1",
        """What SES tells of bounces and complaints could not be recorded in two periods of five minutes, so the next
        email goes to those addresses again. Read the REACH_FEEDBACK_ERROR lines.
        docs/operations.md#reach-feedback-errors""",
        datapoints=2,
        periods=3,
        condition="WatchesEmail",
    ),
    Alarm(
        "BounceRateAlarm",
        "email-bounces",
        Math("rate", "Bounces (%)", "100 * bounces", {"bounces": of_email("Reputation.BounceRate")}),
        "Maximum",
        ">= 5",
        """Five percent or more of the email bounced. At ten percent AWS may stop the account from sending. Find where
        the addresses come from. docs/operations.md#email-bounces-and-complaints""",
        seconds=3600,
        condition="WatchesEmail",
    ),
    Alarm(
        "ComplaintRateAlarm",
        "email-complaints",
        Math(
            "rate", "Complaints per thousand", "1000 * complaints", {"complaints": of_email("Reputation.ComplaintRate")}
        ),
        "Maximum",
        ">= 1",
        """One in a thousand or more of the people who got email said that it is spam. At five in a thousand AWS may
        stop the account from sending. docs/operations.md#email-bounces-and-complaints""",
        seconds=3600,
        condition="WatchesEmail",
    ),
    Alarm(
        "SmsSpendAlarm",
        "sms-spend",
        Math(
            "share",
            "Share of the budget (%)",
            "100 * spent / ${SmsMonthlyBudget}",
            {"spent": Metric("AWS/SNS", "SMSMonthToDateSpentUSD")},
        ),
        "Maximum",
        ">= 80",
        """SMS of this account have cost 80 % of ${SmsMonthlyBudget} dollars this month. At the account's spend quota
        SNS stops sending. Raise the quota, then SmsMonthlyBudget. docs/operations.md#sms-spend""",
        seconds=3600,
        condition="WatchesSms",
    ),
    Alarm(
        "WebhookErrorAlarm",
        "webhook-errors",
        of_logs("WebhookError"),
        "Sum",
        ">= 1",
        """Deliveries to webhooks failed for a reason of our own in two periods of five minutes. They are tried again.
        Read the WEBHOOK_ERROR lines: most often a table or a key refuses. docs/operations.md#webhook-errors""",
        datapoints=2,
        periods=3,
    ),
    Alarm(
        "WebhooksBehindAlarm",
        "webhooks-behind",
        of_queue(DEPTH, "WebhookDeliveries"),
        "Maximum",
        ">= 1000",
        """For 15 minutes a thousand deliveries or more waited to be tried for the first time. The webhook sender does
        not run, or its receivers are too slow for so many events. docs/operations.md#webhooks-behind""",
        datapoints=3,
        periods=3,
    ),
    Alarm(
        "WebhookGoneAlarm",
        "webhooks-switched-off",
        of_logs("WebhookGone"),
        "Sum",
        ">= 1",
        """A receiver answered 410, so its webhook was switched off and hears of nothing more. The WEBHOOK_GONE line
        contains its id. Ask its owner, then delete it or put it again. docs/operations.md#webhooks-switched-off""",
    ),
    Alarm(
        "WebhookFailuresDepthAlarm",
        "webhook-failures-depth",
        of_queue(DEPTH, WEBHOOK_FAILURES),
        "Maximum",
        ">= 1",
        """A receiver did not accept an event for a day, so the delivery was given up. The WEBHOOK_GIVEN_UP line
        contains the ids. When the receiver is back, redrive. docs/operations.md#dead-letter-queues""",
    ),
    Alarm(
        "WebhookFailuresAgeAlarm",
        "webhook-failures-age",
        of_queue(AGE, WEBHOOK_FAILURES),
        "Maximum",
        "> 86400",
        AGE_MEANS,
    ),
    Alarm(
        "NoticeErrorAlarm",
        "notice-errors",
        of_logs("NoticeError"),
        "Sum",
        ">= 1",
        """People could not be told of changes in two periods of five minutes. They are told when it works again, within
        half an hour. Read the NOTICE_ERROR lines: most often SES, SNS or a key refuses.
        docs/operations.md#notice-errors""",
        datapoints=2,
        periods=3,
        condition="WatchesPeople",
    ),
    Alarm(
        "NoticesBehindAlarm",
        "notices-behind",
        of_queue(AGE, NOTICE_CHANGES),
        "Maximum",
        "> 600",
        """For 15 minutes changes have waited longer than ten minutes, so people hear late. The notice sender does not
        run, or SES or SNS take messages too slowly. docs/operations.md#notices-behind""",
        datapoints=3,
        periods=3,
        condition="WatchesPeople",
    ),
    Alarm(
        "NoticeFailuresDepthAlarm",
        "notice-failures-depth",
        of_queue(DEPTH, NOTICE_FAILURES),
        "Maximum",
        ">= 1",
        """People were not told of a change for half an hour, so it was given up. The NOTICE_ERROR lines say why.
        Correct it, then redrive. docs/operations.md#dead-letter-queues""",
        condition="WatchesPeople",
    ),
    Alarm(
        "NoticeFailuresAgeAlarm",
        "notice-failures-age",
        of_queue(AGE, NOTICE_FAILURES),
        "Maximum",
        "> 86400",
        AGE_MEANS,
        condition="WatchesPeople",
    ),
    Alarm(
        "SmsRepliesFailuresDepthAlarm",
        "sms-replies-failures-depth",
        of_queue(DEPTH, REPLY_FAILURES),
        "Maximum",
        ">= 1",
        """The function of answers by SMS failed on one three times. After four days SQS deletes it. The SMS_REPLY_ERROR
        lines say why. Correct it, then redrive. docs/operations.md#dead-letter-queues""",
        condition="WatchesSmsReplies",
    ),
    Alarm(
        "SmsRepliesFailuresAgeAlarm",
        "sms-replies-failures-age",
        of_queue(AGE, REPLY_FAILURES),
        "Maximum",
        "> 86400",
        """An answer by SMS that failed has been in the queue for a day. After four days SQS deletes it.
        docs/operations.md#dead-letter-queues""",
        condition="WatchesSmsReplies",
    ),
    Alarm(
        "AppointmentsTableThrottleAlarm",
        "appointments-table-throttles",
        Math(
            "throttles",
            "Throttled reads and writes",
            "FILL(reads, 0) + FILL(writes, 0) + FILL(userReads, 0) + FILL(userWrites, 0)"
            " + FILL(dueReads, 0) + FILL(dueWrites, 0) + FILL(serviceReads, 0) + FILL(serviceWrites, 0)",
            {
                "reads": of_table("ReadThrottleEvents", "AppointmentsTable"),
                "writes": of_table("WriteThrottleEvents", "AppointmentsTable"),
                "userReads": of_table("ReadThrottleEvents", "AppointmentsTable", "UserAppointmentsIndex"),
                "userWrites": of_table("WriteThrottleEvents", "AppointmentsTable", "UserAppointmentsIndex"),
                "dueReads": of_table("ReadThrottleEvents", "AppointmentsTable", "DueRemindersIndex"),
                "dueWrites": of_table("WriteThrottleEvents", "AppointmentsTable", "DueRemindersIndex"),
                "serviceReads": of_table("ReadThrottleEvents", "AppointmentsTable", "ServiceAppointmentsIndex"),
                "serviceWrites": of_table("WriteThrottleEvents", "AppointmentsTable", "ServiceAppointmentsIndex"),
            },
        ),
        "Sum",
        ">= 10",
        THROTTLES_MEAN,
        datapoints=2,
        periods=2,
    ),
    Alarm(
        "CalendarsTableThrottleAlarm",
        "calendars-table-throttles",
        Math(
            "throttles",
            "Throttled reads and writes",
            "FILL(reads, 0) + FILL(writes, 0) + FILL(listReads, 0) + FILL(listWrites, 0)",
            {
                "reads": of_table("ReadThrottleEvents", "CalendarsTable"),
                "writes": of_table("WriteThrottleEvents", "CalendarsTable"),
                "listReads": of_table("ReadThrottleEvents", "CalendarsTable", "ConfiguredCalendarsIndex"),
                "listWrites": of_table("WriteThrottleEvents", "CalendarsTable", "ConfiguredCalendarsIndex"),
            },
        ),
        "Sum",
        ">= 10",
        THROTTLES_MEAN,
        datapoints=2,
        periods=2,
    ),
)

# --- Alarms that roll a new version back: they read its errors alone ---------------------------------------
# Errors of the previous version must not roll back its fix.


def of_deployment(id_: str, name: str, metric: Metric, what: str, datapoints: int = 2) -> Alarm:
    """Triggers within the five minutes that a gradual deployment takes."""
    means = f"""{what} in the version that is being deployed, so CodeDeploy rolls it back. Read that version's errors
        before you deploy again. docs/operations.md#a-new-version-fails"""
    return Alarm(id_, name, metric, "Sum", ">= 1", means, 60, datapoints, periods=5, condition="WatchesNewVersions")


ALARMS += (
    of_deployment(
        "BookingErrorNewVersionAlarm",
        "booking-errors-new-version",
        Metric(OURS, "BookingError", (("Version", "${ConflictDetectorFunction.Version.Version}"),)),
        "In two of five minutes requests met a bug (500) or could not be decided in time (503)",
    ),
    of_deployment(
        "ConflictDetectorNewVersionAlarm",
        "conflict-detector-new-version",
        of_new_version("ConflictDetectorFunction"),
        "In two of five minutes the function behind the API crashed, timed out or did not start",
    ),
    of_deployment(
        "ReminderSenderNewVersionAlarm",
        "reminder-sender-new-version",
        of_new_version("ReminderSenderFunction"),
        "In two of five minutes the reminder sender failed",
    ),
    of_deployment(
        "ReminderSweepNewVersionAlarm",
        "reminder-sweep-new-version",
        of_new_version("ReminderSweepFunction"),
        "A reminder sweep failed",
        datapoints=1,  # it runs once in this time
    ),
    of_deployment(
        "ReachFeedbackNewVersionAlarm",
        "reach-feedback-new-version",
        of_new_version("ReachFeedbackFunction"),
        "In two of five minutes the feedback function failed",
    ),
    of_deployment(
        "WebhookSenderNewVersionAlarm",
        "webhook-sender-new-version",
        of_new_version("WebhookSenderFunction"),
        "In two of five minutes the webhook sender failed",
    ),
    replace(
        of_deployment(
            "NoticeSenderNewVersionAlarm",
            "notice-sender-new-version",
            of_new_version("NoticeSenderFunction"),
            "In two of five minutes the notice sender failed",
        ),
        condition="WatchesNewVersionsOfNotices",
    ),
    replace(
        of_deployment(
            "SmsRepliesNewVersionAlarm",
            "sms-replies-new-version",
            of_new_version("SmsRepliesFunction"),
            "In two of five minutes the function of answers by SMS failed",
        ),
        condition="WatchesNewVersionsOfSmsReplies",
    ),
    of_deployment(
        "EventRelayNewVersionAlarm",
        "event-relay-new-version",
        of_new_version("EventRelayFunction"),
        "In two of five minutes the event relay failed",
    ),
)

# --- Charts: two beside each other -------------------------------------------------------------------------

CHARTS = (
    Chart(BOOKINGS, "Sum", stacked=True),
    Chart(
        "Booking success rate (%)",
        series=(
            Series(
                "100 * (s + h + q + m) / (s + h + q + m + c + r + e)",
                "booked, held or moved of all requests to",
                id="rate",
            ),
            Series(of_logs("BookingSuccess"), stat="Sum", id="s", visible=False),
            Series(of_logs("AppointmentHeld"), stat="Sum", id="h", visible=False),
            Series(of_logs("AppointmentRequested"), stat="Sum", id="q", visible=False),
            Series(of_logs("AppointmentRescheduled"), stat="Sum", id="m", visible=False),
            Series(of_logs("BookingConflict"), stat="Sum", id="c", visible=False),
            Series(of_logs("BookingRejected"), stat="Sum", id="r", visible=False),
            Series(of_logs("BookingError"), stat="Sum", id="e", visible=False),
        ),
        limits=(0, 100),
        alarm_at="${SuccessRatePercent}",
    ),
    Chart(
        "Latency (ms)",
        series=(
            Series(of_api("Latency"), "API p50", "p50"),
            Series(of_api("Latency"), "API p99", "p99"),
            Series(of_function("Duration"), "function p99", "p99"),
        ),
    ),
    Chart(
        "Errors and throttles",
        "Sum",
        (
            Series(of_api("5XXError"), "API 5xx"),
            Series(of_api("4XXError"), "API 4xx", axis="right"),
            Series(of_function("Errors"), "conflict detector errors"),
            Series(of_function("Errors", "ReminderSenderFunction"), "reminder sender errors"),
            Series(of_function("Errors", "ReminderSweepFunction"), "sweep errors"),
            Series(of_function("Errors", "WebhookSenderFunction"), "webhook sender errors"),
            Series(of_function("Throttles"), "conflict detector throttles"),
        ),
    ),
    Chart(STATUSES, "Sum"),
    Chart(REMINDERS, "Sum"),
    Chart(
        "Reminder lateness (ms)",
        series=(
            Series(of_logs("ReminderLateness"), "p50", "p50"),
            Series(of_logs("ReminderLateness"), "p99", "p99"),
            Series(of_logs("ReminderLateness"), "longest", "Maximum"),
        ),
        alarm_at="300000",
    ),
    Chart(
        "Timers, sweep, dead letters",
        "Maximum",
        (
            Series(of_logs("ReminderRules"), "rules on the bus"),
            Series(of_logs("SweepOverdue"), "overdue at the sweep"),
            Series(of_logs("RequestsWaiting"), "requests waiting for a day"),
            Series(of_queue(DEPTH, DELIVERY), "undelivered"),
            Series(of_queue(DEPTH, EXECUTION), "failed"),
            Series(of_queue(DEPTH, SWEEPS), "failed sweeps"),
        ),
    ),
    Chart(PEOPLE, "Sum"),
    Chart(WEBHOOKS, "Sum"),
    Chart(
        "Webhooks: lateness (ms), waiting, dead letters",
        series=(
            Series(of_logs("WebhookLateness"), "p50", "p50"),
            Series(of_logs("WebhookLateness"), "p99", "p99"),
            Series(of_queue(DEPTH, "WebhookDeliveries"), "waiting", "Maximum", axis="right"),
            Series(of_queue(DEPTH, WEBHOOK_FAILURES), "given up", "Maximum", axis="right"),
        ),
    ),
    Chart(NOTICES, "Sum"),
    Chart(
        "Notices: lateness (ms)",
        series=(
            Series(of_logs("NoticeLateness"), "p50", "p50"),
            Series(of_logs("NoticeLateness"), "p99", "p99"),
        ),
    ),
    Chart(
        TOLD,
        "Sum",
        (
            Series(of_function("Errors", "EventRelayFunction"), "event relay crashes"),
            Series(of_queue(DEPTH, UNRELAYED), "not relayed", "Maximum"),
            Series(of_function("IteratorAge", "EventRelayFunction"), "relay behind (ms)", "Maximum", axis="right"),
        ),
    ),
    Chart(
        "Tables: capacity consumed a second",
        series=(
            Series("ar / PERIOD(ar)", "appointments, read"),
            Series("aw / PERIOD(aw)", "appointments, write"),
            Series("cr / PERIOD(cr)", "calendars, read"),
            Series("cw / PERIOD(cw)", "calendars, write"),
            Series(of_table("ConsumedReadCapacityUnits", "AppointmentsTable"), stat="Sum", id="ar", visible=False),
            Series(of_table("ConsumedWriteCapacityUnits", "AppointmentsTable"), stat="Sum", id="aw", visible=False),
            Series(of_table("ConsumedReadCapacityUnits", "CalendarsTable"), stat="Sum", id="cr", visible=False),
            Series(of_table("ConsumedWriteCapacityUnits", "CalendarsTable"), stat="Sum", id="cw", visible=False),
        ),
    ),
)
