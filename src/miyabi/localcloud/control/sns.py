"""moto's SNS, which sends nothing out.

Stock moto posts to HTTP endpoints and runs Lambda functions while it answers: that would hold up the one worker, and
a replay would send everything again. Subscriptions and messages are recorded, SQS queues still get their copies.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from moto.sns import urls
from moto.sns.models import SNSBackend, Subscription

_SENT_OUT = {"http", "https", "lambda"}


class Recorded(Subscription):
    """A subscription whose endpoint hears nothing."""

    def publish(self, *_: Any, **__: Any) -> None:
        """Send nothing; the topic has the message."""


class Undelivered(SNSBackend):
    """SNS without deliveries that leave the process."""

    @property
    def _url_module(self) -> ModuleType:
        return urls  # moto derives it from the name of the backend's module

    def subscribe(self, topic_arn: str, endpoint: str, protocol: str) -> Subscription:
        """Add a subscription, one that only records where the endpoint is outside."""
        subscription = super().subscribe(topic_arn, endpoint, protocol)
        if protocol not in _SENT_OUT or isinstance(subscription, Recorded):
            return subscription
        recorded = Recorded(self.account_id, subscription.topic, endpoint, protocol)
        vars(recorded).update(vars(subscription))
        self.subscriptions[recorded.arn] = recorded
        return recorded
