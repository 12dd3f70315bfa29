"""What subscribers get: SNS's notification document, and the mail that it sends.

Source: docs.aws.amazon.com, "Parsing Amazon SNS message formats". Notifications are not signed here: the fields of the
signature are left out.
"""

from __future__ import annotations

import json
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from miyabi.localcloud.control.sns import Outgoing

_SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"


def notification(message: Outgoing, published_at: datetime) -> dict[str, object]:
    """Return the document that HTTP endpoints and email-json get."""
    document: dict[str, object] = {
        "Type": "Notification",
        "MessageId": message.message_id,
        "TopicArn": message.topic_arn,
        **({"Subject": message.subject} if message.subject else {}),
        "Message": message.message,
        "Timestamp": f"{published_at:%Y-%m-%dT%H:%M:%S}.{published_at.microsecond // 1000:03d}Z",
    }
    return document | ({"MessageAttributes": message.attributes} if message.attributes else {})


def request(message: Outgoing, published_at: datetime) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the request to an HTTP endpoint; a raw one gets the message alone."""
    headers = {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": message.message_id,
        "x-amz-sns-topic-arn": message.topic_arn,
        "x-amz-sns-subscription-arn": message.subscription_arn,
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
    }
    if message.raw:
        return headers | {"x-amz-sns-rawdelivery": "true"}, message.message.encode()
    return headers, json.dumps(notification(message, published_at), indent=2).encode()


def mail(message: Outgoing, published_at: datetime) -> bytes:
    """Return the mail, as RFC 5322 has it."""
    made = EmailMessage()
    made["From"] = _SENDER
    made["To"] = message.endpoint
    made["Subject"] = " ".join((message.subject or "AWS Notification Message").split())
    made["Date"] = format_datetime(published_at)
    made["Message-ID"] = f"<{message.message_id}@sns.amazonaws.com>"
    if message.protocol == "email-json":
        made.set_content(json.dumps(notification(message, published_at), indent=2))
    else:
        made.set_content(f"{message.message}\n\n--\nThe topic is {message.topic_arn}.\n")
    return made.as_bytes()
