"""Alarm mute rules: when alarms change their state without acting on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from miyabi.localcloud.control.cloudwatch import asked
from miyabi.localcloud.control.cloudwatch.paging import page
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.localcloud.control.store import Store, Table
from miyabi.model.alarms import MuteRule
from miyabi.policy.mute_schedule import MuteSchedule, parse_mute_schedule
from miyabi.policy.schedule import BadSchedule

_PAGE = 50


class Mutes:
    """The rules, and what they mute."""

    def __init__(self, store: Store) -> None:
        self.rules = Table(store, "cloudwatch.mute_rule", MuteRule)

    def muted_until(self, region: str, alarm: str, now: datetime) -> datetime | None:
        """Return until when an alarm is muted; None where it is not."""
        ends = [end for rule in self.rules.list(region) if alarm in rule.alarms and (end := _muted_until(rule, now))]
        return max(ends, default=None)


class MuteOperations:
    """PutAlarmMuteRule and its kin; mixed into the service."""

    mutes: Mutes

    def changed(self) -> None:
        """Let the evaluation look."""
        raise NotImplementedError

    def put_alarm_mute_rule(self, caller: Caller, params: Params) -> Result:
        """Create a rule, or replace it."""
        schedule = params["Rule"]["Schedule"]
        rule = MuteRule(
            name=params["Name"],
            arn=f"arn:aws:cloudwatch:{caller.region}:{caller.account}:alarm-mute-rule:{params['Name']}",
            description=params.get("Description"),
            expression=schedule["Expression"],
            duration=schedule["Duration"],
            timezone=schedule.get("Timezone") or "UTC",
            alarms=tuple((params.get("MuteTargets") or {}).get("AlarmNames") or ()),
            updated_at=caller.now,
            begins_at=asked.instant(params["StartDate"]) if params.get("StartDate") else None,
            expires_at=asked.instant(params["ExpireDate"]) if params.get("ExpireDate") else None,
        )
        try:
            _summary(rule, caller.now)  # what cannot be told now would stop whoever asks later
        except OverflowError as error:
            raise ApiError("ValidationError", "The rule's dates are too far away.") from error
        self.mutes.rules.put(caller.region, rule.name, rule)
        self.changed()
        return {}

    def get_alarm_mute_rule(self, caller: Caller, params: Params) -> Result:
        """Describe a rule; ResourceNotFoundException."""
        rule = self.mutes.rules.get(caller.region, params["AlarmMuteRuleName"].rpartition(":alarm-mute-rule:")[2])
        if rule is None:
            raise ApiError("ResourceNotFoundException", f"Unknown alarm mute rule {params['AlarmMuteRuleName']}")
        schedule = {"Expression": rule.expression, "Duration": rule.duration, "Timezone": rule.timezone}
        return _present(
            {
                "Name": rule.name,
                "AlarmMuteRuleArn": rule.arn,
                "Description": rule.description,
                "Rule": {"Schedule": schedule},
                "MuteTargets": {"AlarmNames": list(rule.alarms)},
                "StartDate": rule.begins_at,
                **_summary(rule, caller.now),
            }
        )

    def list_alarm_mute_rules(self, caller: Caller, params: Params) -> Result:
        """List rules, of one alarm or in some states where they are given."""
        wanted = params.get("Statuses")
        found = [
            _present({"AlarmMuteRuleArn": rule.arn, **_summary(rule, caller.now)})
            for rule in self.mutes.rules.list(caller.region)
            if params.get("AlarmName") in {None, *rule.alarms}
        ]
        rows = [one for one in found if not wanted or one["Status"] in wanted]
        shown, token = page(rows, params.get("NextToken"), params.get("MaxRecords") or _PAGE)
        return {"AlarmMuteRuleSummaries": shown, **token}

    def delete_alarm_mute_rule(self, caller: Caller, params: Params) -> Result:
        """Delete a rule; one that is gone is no error. What is in ALARM acts now."""
        self.mutes.rules.delete(caller.region, params["AlarmMuteRuleName"].rpartition(":alarm-mute-rule:")[2])
        self.changed()
        return {}


def _schedule_of(rule: MuteRule) -> MuteSchedule:
    try:
        return parse_mute_schedule(rule.expression, rule.duration)
    except BadSchedule as error:
        raise ApiError("ValidationError", f"Invalid schedule: {error}") from error


def _zone(rule: MuteRule) -> Any:
    if rule.timezone == "UTC":
        return UTC
    try:
        return ZoneInfo(rule.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ApiError("ValidationError", f"Unknown time zone: {rule.timezone}") from error


def _muted_until(rule: MuteRule, now: datetime) -> datetime | None:
    begin = rule.begins_at or datetime.fromtimestamp(0, UTC)
    return _schedule_of(rule).muted_until(now, zone=_zone(rule), begin=begin, end=rule.expires_at)


def _summary(rule: MuteRule, now: datetime) -> dict[str, Any]:
    schedule, begin = _schedule_of(rule), rule.begins_at or datetime.fromtimestamp(0, UTC)
    if _muted_until(rule, now) is not None:
        status = "ACTIVE"
    else:
        over = schedule.is_over(now, zone=_zone(rule), begin=begin, end=rule.expires_at)
        status = "EXPIRED" if over else "SCHEDULED"
    return {
        "ExpireDate": rule.expires_at,
        "Status": status,
        "MuteType": "ONE_TIME" if schedule.once else "RECURRING",
        "LastUpdatedTimestamp": rule.updated_at,
    }


def _present(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shape.items() if value is not None}
