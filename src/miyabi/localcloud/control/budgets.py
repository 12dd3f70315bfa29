"""Live Budgets: budgets, their notifications and subscribers, as they were asked.

Nothing measures costs yet, so no budget has a calculated spend and no notification is sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from miyabi.localcloud.control.service import ApiError, Caller, LiveService, Params, Result
from miyabi.localcloud.control.store import Store, Table

_EVERYWHERE = "aws"  # budgets belong to the account, whichever region the request is signed for
_FOREVER = datetime(2087, 6, 15, tzinfo=UTC)
_COST_TYPES = {
    "IncludeTax": True,
    "IncludeSubscription": True,
    "UseBlended": False,
    "IncludeRefund": True,
    "IncludeCredit": True,
    "IncludeUpfront": True,
    "IncludeRecurring": True,
    "IncludeOtherSubscription": True,
    "IncludeSupport": True,
    "IncludeDiscount": True,
    "UseAmortized": False,
}
_KEPT = (
    "BudgetName",
    "BudgetLimit",
    "PlannedBudgetLimits",
    "CostFilters",
    "CostTypes",
    "TimeUnit",
    "BudgetType",
    "FilterExpression",
    "Metrics",
)
_MOST_NOTIFICATIONS = 10
_MOST_SUBSCRIBERS = 11


@dataclass(frozen=True, slots=True)
class Notification:
    """When to tell whom."""

    when: Mapping[str, Any]
    """NotificationType, ComparisonOperator, Threshold, ThresholdType."""
    subscribers: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget of the account."""

    name: str
    asked: Mapping[str, Any]
    start: datetime
    end: datetime
    updated_at: datetime
    notifications: tuple[Notification, ...] = ()


class Budgets(LiveService):
    """AWS Budgets."""

    name: ClassVar[str] = "budgets"

    def __init__(self, store: Store) -> None:
        self._budgets = Table(store, "budgets.budget", Budget)
        self._tags: Table[dict[str, str]] = Table(store, "budgets.tags", dict[str, str])

    def create_budget(self, caller: Caller, params: Params) -> Result:
        """Create a budget."""
        self._require_account(caller, params)
        asked = params["Budget"]
        name = asked["BudgetName"]
        if self._budgets.get(_EVERYWHERE, name) is not None:
            raise ApiError("DuplicateRecordException", f"Error creating budget: {name} - the budget already exists.")
        budget = _budget(caller, asked, None)
        for entry in params.get("NotificationsWithSubscribers") or []:
            budget = _with_notification(budget, entry["Notification"], entry.get("Subscribers") or [])
        self._put(budget)
        tags = {tag["Key"]: tag["Value"] for tag in params.get("ResourceTags") or []}
        self._tags.put(_EVERYWHERE, name, tags)
        return {}

    def describe_budget(self, caller: Caller, params: Params) -> Result:
        """Describe a budget."""
        return {"Budget": _describe(self._find(caller, params))}

    def describe_budgets(self, caller: Caller, params: Params) -> Result:
        """Describe all budgets."""
        self._require_account(caller, params)
        return {"Budgets": [_describe(row) for row in self._budgets.list(_EVERYWHERE)]}

    def update_budget(self, caller: Caller, params: Params) -> Result:
        """Replace a budget's settings; its notifications stay."""
        asked = params["NewBudget"]
        before = self._find(caller, {**params, "BudgetName": asked["BudgetName"]})
        self._put(_budget(caller, asked, before))
        return {}

    def delete_budget(self, caller: Caller, params: Params) -> Result:
        """Delete a budget with its notifications."""
        name = self._find(caller, params).name
        self._budgets.delete(_EVERYWHERE, name)
        self._tags.delete(_EVERYWHERE, name)
        return {}

    def create_notification(self, caller: Caller, params: Params) -> Result:
        """Add a notification with its subscribers."""
        self._put(_with_notification(self._find(caller, params), params["Notification"], params["Subscribers"]))
        return {}

    def update_notification(self, caller: Caller, params: Params) -> Result:
        """Replace a notification; its subscribers stay."""
        budget = self._find(caller, params)
        old = _notification(budget, params["OldNotification"])
        rest = dataclasses.replace(budget, notifications=tuple(n for n in budget.notifications if n != old))
        self._put(_with_notification(rest, params["NewNotification"], old.subscribers))
        return {}

    def delete_notification(self, caller: Caller, params: Params) -> Result:
        """Delete a notification with its subscribers."""
        budget = self._find(caller, params)
        old = _notification(budget, params["Notification"])
        self._put(dataclasses.replace(budget, notifications=tuple(n for n in budget.notifications if n != old)))
        return {}

    def describe_notifications_for_budget(self, caller: Caller, params: Params) -> Result:
        """Describe a budget's notifications."""
        found = self._find(caller, params).notifications
        return {"Notifications": [{**one.when, "NotificationState": "OK"} for one in found]}

    def describe_subscribers_for_notification(self, caller: Caller, params: Params) -> Result:
        """Describe whom a notification tells."""
        return {"Subscribers": list(_notification(self._find(caller, params), params["Notification"]).subscribers)}

    def create_subscriber(self, caller: Caller, params: Params) -> Result:
        """Let a notification tell one more."""
        return self._subscribe(caller, params, params["Subscriber"], None)

    def update_subscriber(self, caller: Caller, params: Params) -> Result:
        """Let a notification tell another instead."""
        return self._subscribe(caller, params, params["NewSubscriber"], params["OldSubscriber"])

    def delete_subscriber(self, caller: Caller, params: Params) -> Result:
        """Let a notification tell one less."""
        return self._subscribe(caller, params, None, params["Subscriber"])

    def tag_resource(self, caller: Caller, params: Params) -> Result:
        """Add tags or replace their values."""
        name = self._name_in(caller, params)
        tags = {tag["Key"]: tag["Value"] for tag in params["ResourceTags"]}
        self._tags.put(_EVERYWHERE, name, (self._tags.get(_EVERYWHERE, name) or {}) | tags)
        return {}

    def untag_resource(self, caller: Caller, params: Params) -> Result:
        """Remove tags; keys that are not there are no error."""
        name = self._name_in(caller, params)
        held = self._tags.get(_EVERYWHERE, name) or {}
        self._tags.put(_EVERYWHERE, name, {k: v for k, v in held.items() if k not in params["ResourceTagKeys"]})
        return {}

    def list_tags_for_resource(self, caller: Caller, params: Params) -> Result:
        """List a budget's tags."""
        tags = self._tags.get(_EVERYWHERE, self._name_in(caller, params)) or {}
        return {"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _put(self, budget: Budget) -> None:
        self._budgets.put(_EVERYWHERE, budget.name, budget)

    def _find(self, caller: Caller, params: Params) -> Budget:
        self._require_account(caller, params)
        found = self._budgets.get(_EVERYWHERE, params["BudgetName"])
        if found is None:
            raise _absent(params["BudgetName"])
        return found

    def _require_account(self, caller: Caller, params: Params) -> None:
        if params["AccountId"] != caller.account:
            raise ApiError(
                "AccessDeniedException", f"Account {caller.account} has no budgets of {params['AccountId']}."
            )

    def _name_in(self, caller: Caller, params: Params) -> str:
        prefix = f"arn:aws:budgets::{caller.account}:budget/"
        name = params["ResourceARN"].removeprefix(prefix)
        if name == params["ResourceARN"] or self._budgets.get(_EVERYWHERE, name) is None:
            raise _absent(params["ResourceARN"])
        return str(name)

    def _subscribe(
        self, caller: Caller, params: Params, add: Mapping[str, str] | None, remove: Mapping[str, str] | None
    ) -> Result:
        budget = self._find(caller, params)
        old = _notification(budget, params["Notification"])
        if remove is not None and remove not in old.subscribers:
            raise ApiError("NotFoundException", f"The notification does not tell {remove.get('Address')}.")
        kept = [one for one in old.subscribers if one != remove]
        changed = Notification(old.when, _checked([*kept, *([add] if add else [])]))
        notifications = tuple(changed if one == old else one for one in budget.notifications)
        self._put(dataclasses.replace(budget, notifications=notifications))
        return {}


def _budget(caller: Caller, asked: Mapping[str, Any], before: Budget | None) -> Budget:
    if not any(asked.get(name) for name in ("BudgetLimit", "PlannedBudgetLimits", "AutoAdjustData")):
        raise _invalid(
            "Unable to create/update budget - please provide one of the followings: Budget Limit/ "
            "Planned Budget Limit/ Auto Adjust Data"
        )
    if asked.get("AutoAdjustData"):
        raise ApiError("UnsupportedOperation", "The local cloud does not offer budgets that adjust themselves.")
    kept = {name: asked[name] for name in _KEPT if asked.get(name) is not None}
    if asked["BudgetType"] == "COST":
        kept.setdefault("CostTypes", _COST_TYPES)
    month = caller.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    period = asked.get("TimePeriod") or {}
    start = _aware(period.get("Start")) or (before.start if before else month)
    end = _aware(period.get("End")) or (before.end if before else _FOREVER)
    if start >= end:
        raise _invalid("The start of a budget's time period must be before its end.")
    return Budget(asked["BudgetName"], kept, start, end, caller.now, before.notifications if before else ())


def _aware(instant: datetime | None) -> datetime | None:
    """Return the instant in UTC, which moto's parser leaves out."""
    return instant.replace(tzinfo=UTC) if instant is not None and instant.tzinfo is None else instant


def _with_notification(budget: Budget, when: Mapping[str, Any], subscribers: Any) -> Budget:
    added = Notification(_when(when), _checked(list(subscribers)))
    if any(one.when == added.when for one in budget.notifications):
        raise ApiError("DuplicateRecordException", f"The budget {budget.name} has this notification already.")
    if len(budget.notifications) >= _MOST_NOTIFICATIONS:
        raise ApiError("CreationLimitExceededException", f"A budget may have {_MOST_NOTIFICATIONS} notifications.")
    return dataclasses.replace(budget, notifications=(*budget.notifications, added))


def _checked(subscribers: list[Mapping[str, str]]) -> tuple[Mapping[str, str], ...]:
    if not 1 <= len(subscribers) <= _MOST_SUBSCRIBERS:
        raise _invalid(f"A notification needs between 1 and {_MOST_SUBSCRIBERS} subscribers.")
    if sum(one["SubscriptionType"] == "SNS" for one in subscribers) > 1:
        raise _invalid("A notification may have one subscriber of type SNS.")
    return tuple(subscribers)


def _when(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "NotificationType": given["NotificationType"],
        "ComparisonOperator": given["ComparisonOperator"],
        "Threshold": float(given["Threshold"]),
        "ThresholdType": given.get("ThresholdType") or "PERCENTAGE",
    }


def _notification(budget: Budget, given: Mapping[str, Any]) -> Notification:
    when = _when(given)
    found = next((one for one in budget.notifications if one.when == when), None)
    if found is None:
        raise ApiError("NotFoundException", f"The budget {budget.name} has no such notification.")
    return found


def _describe(budget: Budget) -> dict[str, Any]:
    return {
        **budget.asked,
        "TimePeriod": {"Start": budget.start, "End": budget.end},
        "LastUpdatedTime": budget.updated_at,
    }


def _absent(name: str) -> ApiError:
    return ApiError("NotFoundException", f"Unable to get budget: {name} - the budget doesn't exist.")


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
