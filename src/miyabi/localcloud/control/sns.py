"""moto's SNS, whose deliveries leave the process later, if at all.

Stock moto posts to HTTP endpoints and runs Lambda functions while it answers: that would hold up the one worker, and
a replay would send everything again. SQS queues get their copies at once, they are moto's own. What goes to HTTP and
mail is put down in `Undelivered.outgoing`, where there is one: the control plane makes it after its replay.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from moto.moto_api._internal import mock_random
from moto.sns import urls
from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import SNSBackend, Subscription, Topic

from miyabi.localcloud.control.journal_entries import SUBSCRIBERS_APART

log = logging.getLogger(__name__)

_SENT_OUT = {"http", "https", "lambda", "email", "email-json"}
_MAIL = {"email", "email-json"}
_DELIVERED = _SENT_OUT - {"lambda"}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way to one subscriber."""

    region: str
    subscription_arn: str
    topic_arn: str
    protocol: str
    endpoint: str
    raw: bool
    message_id: str
    subject: str | None
    message: str
    attributes: dict[str, dict[str, str]]


class Recorded(Subscription):
    """A subscription whose endpoint is outside."""

    def publish(
        self,
        message: str,
        message_id: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        group_id: str | None = None,  # noqa: ARG002 - moto's signature
        deduplication_id: str | None = None,  # noqa: ARG002
        message_structure: str | None = None,
    ) -> None:
        """Put the message down, if it passes the subscription's filter and somebody sends it."""
        if Undelivered.outgoing is None or self.protocol not in _DELIVERED:
            return
        matcher = self._filter_policy_matcher
        if matcher is not None and not matcher.matches(message_attributes, message):
            return
        if message_structure == "json":
            message = self._parse_message_structure(message, self.protocol)
        given = {
            name: {"Type": str(one["Type"]), "Value": str(one["Value"])}
            for name, one in (message_attributes or {}).items()
        }
        raw = str(self.attributes.get("RawMessageDelivery")).lower() == "true"
        region = self.topic_arn.split(":")[3]
        Undelivered.outgoing.append(
            Outgoing(
                region, self.arn, self.topic_arn, self.protocol, self.endpoint, raw, message_id, subject, message, given
            )
        )


class Spreading(Topic):
    """A topic whose subscribers do not concern each other nor the publisher; it remembers no message."""

    def publish(
        self,
        message: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        message_structure: str | None = None,
    ) -> str:
        """Give a message to each subscriber; return its id."""
        self.sent_notifications.clear()  # of a snapshot
        message_id = str(mock_random.uuid4())
        for subscription in self.sns_backend.list_subscriptions_by_topic(topic_arn=self.arn)[0]:
            try:
                subscription.publish(
                    message,
                    message_id,
                    subject=subject,
                    message_attributes=message_attributes,
                    group_id=group_id,
                    deduplication_id=deduplication_id,
                    message_structure=message_structure,
                )
            except InvalidParameterValue:
                raise  # the message's own fault
            except Exception as error:
                if not SUBSCRIBERS_APART.get():
                    raise
                if Undelivered.outgoing is not None:
                    log.warning("a message of %s did not reach %s: %s", self.arn, subscription.endpoint, error)
        return message_id


class Undelivered(SNSBackend):
    """SNS without deliveries that leave the process by themselves."""

    outgoing: ClassVar[deque[Outgoing] | None] = None

    @property
    def _url_module(self) -> ModuleType:
        return urls  # moto derives it from the name of the backend's module

    def get_topic(self, arn: str) -> Topic:
        """Return the topic, whoever made it, as one that keeps its subscribers apart."""
        topic = super().get_topic(arn)
        topic.__class__ = Spreading  # type: ignore[type-abstract]
        return topic

    def subscribe(self, topic_arn: str, endpoint: str, protocol: str) -> Subscription:
        """Add a subscription, one that only records where the endpoint is outside."""
        subscription = super().subscribe(topic_arn, endpoint, protocol)
        if protocol not in _SENT_OUT or isinstance(subscription, Recorded):
            return subscription
        if protocol in _MAIL:
            recorded = object.__new__(Recorded)
        else:  # draws an id that nobody needs, as it always did: a replay must draw the same
            recorded = Recorded(self.account_id, subscription.topic, endpoint, protocol)
        vars(recorded).update(vars(subscription))
        self.subscriptions[recorded.arn] = recorded
        return recorded


def take_outgoing() -> list[Outgoing]:
    """Return what was put down since the last time."""
    if Undelivered.outgoing is None:
        return []
    taken = list(Undelivered.outgoing)
    Undelivered.outgoing.clear()
    return taken


def begin_deliveries() -> None:
    """Let messages be put down from now on: after a replay, whose messages were sent long ago."""
    Undelivered.outgoing = deque()


def end_deliveries() -> None:
    """Let messages be recorded only."""
    Undelivered.outgoing = None
