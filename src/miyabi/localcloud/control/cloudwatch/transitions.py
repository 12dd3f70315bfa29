"""What happens when an alarm's state changes: the row, its history, and those who hear of it."""

from __future__ import annotations

import dataclasses
import json
import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Protocol

from botocore.session import Session

from miyabi.localcloud.control.cloudwatch.described import notification, subject
from miyabi.localcloud.control.cloudwatch.mutes import Mutes
from miyabi.localcloud.control.cloudwatch.tables import Alarm, AlarmTables
from miyabi.localcloud.control.service import ApiError, Caller
from miyabi.model.alarms import CompositeAlarm, MetricAlarm, Standing
from miyabi.model.metrics import AlarmState

log = logging.getLogger(__name__)


class Topics(Protocol):
    """The part of SNS that alarms speak to."""

    def publish(self, caller: Caller, topic_arn: str, subject: str, message: str) -> None: ...


class Transitions:
    """Brings alarms into states. Scaling policies are not told here: they look at the states themselves."""

    def __init__(self, tables: AlarmTables, topics: Topics, account: str, access_key: Callable[[], str]) -> None:
        self._tables = tables
        self.mutes = Mutes(tables.store)
        self._topics = topics
        self._account = account
        self._access_key = access_key

    def enter(self, region: str, alarm: Alarm, state: AlarmState, reason: str, data: str, now: datetime) -> Alarm:
        """Keep a state and its reason; on a change write it down and act on it.

        A composite alarm's actions are taken by whoever judges whether they are suppressed.
        """
        old = alarm.standing
        changed = state is not old.state
        if not changed and reason == old.reason and data == old.data:
            return alarm
        since = now if changed else old.transitioned_at
        alarm = dataclasses.replace(alarm, standing=Standing(state, reason, data, now, since))
        if changed and isinstance(alarm, CompositeAlarm):
            alarm = dataclasses.replace(alarm, unacted_from=old.state)
        self._tables.put(region, alarm)
        if changed:
            self._note_change(region, alarm, old, now)
            if not isinstance(alarm, CompositeAlarm):
                alarm = self._act_or_wait(region, alarm, old.state, now)
        return alarm

    def unmute(self, region: str, alarm: MetricAlarm, now: datetime) -> None:
        """Take the actions that a mute rule held back and no longer does; only those of ALARM are made up for."""
        if alarm.muted_from is None or self.mutes.muted_until(region, alarm.name, now) is not None:
            return
        before, alarm = alarm.muted_from, dataclasses.replace(alarm, muted_from=None)
        self._tables.put(region, alarm)
        if alarm.standing.state is AlarmState.ALARM:
            self.act(region, alarm, before, now)

    def _act_or_wait(self, region: str, alarm: MetricAlarm, old: AlarmState, now: datetime) -> MetricAlarm:
        muted = self.mutes.muted_until(region, alarm.name, now) is not None
        if muted or alarm.muted_from is not None:
            alarm = dataclasses.replace(alarm, muted_from=old if muted else None)
            self._tables.put(region, alarm)
        if not muted:
            self.act(region, alarm, old, now)
        return alarm

    def act(self, region: str, alarm: Alarm, old: AlarmState, now: datetime) -> None:
        """Tell those whom the alarm's state concerns. What cannot be told is written down, and harms nobody else."""
        if not alarm.actions_enabled:
            return
        for arn in alarm.actions.on(alarm.standing.state):
            if ":autoscaling:" in arn:
                continue
            error = self._tell(region, alarm, old, arn, now)
            done = f"Successfully executed action {arn}" if error is None else f"Failed to execute action {arn}"
            state = "Succeeded" if error is None else "Failed"
            data = {"actionState": state, "notificationResource": arn, "stateUpdateTimestamp": _milliseconds(now)}
            self._tables.note(region, alarm, now, "Action", done, data | ({} if error is None else {"error": error}))

    def _tell(self, region: str, alarm: Alarm, old: AlarmState, arn: str, now: datetime) -> str | None:
        if not arn.startswith("arn:aws:sns:"):
            return "The local cloud tells SNS topics and scaling policies only."
        place = region_name(region)
        message = json.dumps(notification(alarm, old, self._account, place))
        caller = Caller(self._account, region, self._access_key(), now)
        try:
            self._topics.publish(caller, arn, subject(alarm, place), message)
        except ApiError as error:
            log.warning("the alarm %s could not tell %s: %s", alarm.name, arn, error.message)
            return f"{error.code}: {error.message}"
        except sqlite3.Error:
            raise  # nor can it be written down
        except Exception as error:
            # Those who were told before it cannot be untold: it must not make the transition happen again.
            log.exception("the alarm %s could not tell %s", alarm.name, arn)
            return f"InternalError: {error}"
        return None

    def _note_change(self, region: str, alarm: Alarm, old: Standing, now: datetime) -> None:
        data = {"version": "1.0", "oldState": _told(old), "newState": _told(alarm.standing)}
        summary = f"Alarm updated from {old.state} to {alarm.standing.state}"
        self._tables.note(region, alarm, now, "StateUpdate", summary, data)


def _told(standing: Standing) -> dict[str, object]:
    data = {"stateReasonData": json.loads(standing.data)} if standing.data else {}
    return {"stateValue": standing.state.value, "stateReason": standing.reason, **data}


def _milliseconds(now: datetime) -> int:
    return int(now.timestamp() * 1000)


@cache
def region_name(region: str) -> str:
    """Return a region as notifications name it: `US West (Oregon)`."""
    for partition in Session().get_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            return str(partition["regions"][region]["description"])
    return region
