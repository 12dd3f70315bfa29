"""Operations on alarms."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from datetime import datetime

from miyabi.localcloud.control.cloudwatch import alarm_settings, asked
from miyabi.localcloud.control.cloudwatch.composites import Composites
from miyabi.localcloud.control.cloudwatch.data import Metrics
from miyabi.localcloud.control.cloudwatch.database import MetricDatabase
from miyabi.localcloud.control.cloudwatch.described import configuration_change, described, described_history
from miyabi.localcloud.control.cloudwatch.mutes import MuteOperations
from miyabi.localcloud.control.cloudwatch.paging import page
from miyabi.localcloud.control.cloudwatch.tables import Alarm, AlarmTables, children_of, type_of
from miyabi.localcloud.control.cloudwatch.transitions import Transitions
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.alarms import CompositeAlarm, MetricAlarm
from miyabi.model.metrics import AlarmState
from miyabi.model.scaling import TrackingAlarm
from miyabi.policy.alarm_rule import alarms_in, parse_rule
from miyabi.policy.tempo import Tempo

_PAGE = 100
_MOST_DELETED = 100
_MOST_TAGS = 50


class CloudWatch(MuteOperations, Metrics):
    """Live CloudWatch: metrics and alarms.

    on_change: called after a change that the evaluation should look at.
    """

    def __init__(
        self,
        database: MetricDatabase,
        tables: AlarmTables,
        transitions: Transitions,
        tempo: Tempo,
        clock: Callable[[], datetime],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(database, tempo, clock)
        self.alarms = tables
        self.transitions = transitions
        self.composites = Composites(tables, transitions, tempo)
        self.mutes = transitions.mutes
        self._on_change = on_change

    def changed(self) -> None:
        """Let the evaluation look."""
        self._on_change()

    def put_metric_alarm(self, caller: Caller, params: Params) -> Result:
        """Create an alarm, or change its settings and keep its state and tags."""
        before = self._before(caller, params["AlarmName"], MetricAlarm)
        self._put(caller, alarm_settings.metric_alarm(caller, params, before), before)
        return {}

    def put_composite_alarm(self, caller: Caller, params: Params) -> Result:
        """Create an alarm on the states of others, or change its settings."""
        before = self._before(caller, params["AlarmName"], CompositeAlarm)
        alarm = alarm_settings.composite_alarm(caller, params, before)
        needed = alarms_in(parse_rule(alarm.expression)) | ({alarm.suppressor} if alarm.suppressor else set())
        for name in sorted(needed):
            if self.alarms.find(caller.region, name) is None:
                raise ApiError(
                    "ValidationError", f"Could not save the composite alarm: the alarm {name} does not exist."
                )
            if name in {alarm.name, alarm.arn}:
                raise ApiError("ValidationError", "A composite alarm cannot depend on itself.")
        self._put(caller, alarm, before)
        return {}

    def delete_alarms(self, caller: Caller, params: Params) -> Result:
        """Delete alarms; names of none are passed over, ResourceNotFound where there is no other.

        ValidationError, and then none is deleted: two composite alarms, or one that another's rule names.
        """
        names = params["AlarmNames"]
        if len(names) > _MOST_DELETED:
            raise ApiError("ValidationError", f"At most {_MOST_DELETED} alarms can be deleted at once.")
        named = {alarm.name: alarm for name in names if (alarm := self.alarms.find(caller.region, name)) is not None}
        if sum(isinstance(alarm, CompositeAlarm) for alarm in named.values()) > 1:
            raise ApiError("ValidationError", "At most one composite alarm can be deleted at once.")
        others = [one for one in self.alarms.composite.list(caller.region) if one.name not in named]
        if needed := named.keys() & {name for one in others for name in children_of(one)}:
            raise ApiError(
                "ValidationError", f"Cannot delete {min(needed)} as there are composite alarm(s) depending on it."
            )
        for alarm in named.values():
            self._delete(caller, alarm)
        if not named:
            raise ApiError("ResourceNotFound", f"Unknown alarms {', '.join(names)}")
        return {}

    def describe_alarms(self, caller: Caller, params: Params) -> Result:
        """Describe alarms; composite ones only where AlarmTypes asks for them."""
        types = params.get("AlarmTypes") or ["MetricAlarm"]
        rows = [alarm for alarm in self._selected(caller, params) if type_of(alarm) in types]
        shown, token = page(rows, params.get("NextToken"), params.get("MaxRecords") or _PAGE)
        return {
            "MetricAlarms": [described(alarm) for alarm in shown if isinstance(alarm, MetricAlarm)],
            "CompositeAlarms": [described(alarm) for alarm in shown if isinstance(alarm, CompositeAlarm)],
            **token,
        }

    def describe_alarms_for_metric(self, caller: Caller, params: Params) -> Result:
        """Describe the alarms of one metric."""
        held = asked.dimensions(params.get("Dimensions"))
        wanted_stat = params.get("Statistic") or params.get("ExtendedStatistic")
        found = []
        for alarm in self.alarms.metric.list(caller.region):
            stat = alarm.watched.stat
            if (
                stat is not None
                and (stat.namespace, stat.name, dict(stat.dimensions))
                == (params["Namespace"], params["MetricName"], held)
                and wanted_stat in {None, stat.statistic}
                and params.get("Period") in {None, stat.period_seconds}
                and params.get("Unit") in {None, stat.unit}
            ):
                found.append(described(alarm))
        return {"MetricAlarms": found}

    def describe_alarm_history(self, caller: Caller, params: Params) -> Result:
        """Describe what happened to alarms in the last 30 days, newest first unless asked otherwise.

        To composite ones only where AlarmTypes asks for them.
        """
        types = params.get("AlarmTypes") or ["MetricAlarm"]
        begin, end = (asked.instant(params[name]) if params.get(name) else None for name in ("StartDate", "EndDate"))
        rows = [
            item
            for item in self.alarms.history.list(caller.region)
            if params.get("AlarmName") in {None, item.alarm}
            and item.alarm_type in types
            and params.get("HistoryItemType") in {None, item.type}
            and (begin is None or item.at >= begin)
            and (end is None or item.at <= end)
        ]
        if params.get("ScanBy") != "TimestampAscending":
            rows.reverse()
        shown, token = page(rows, params.get("NextToken"), params.get("MaxRecords") or _PAGE)
        return {"AlarmHistoryItems": [described_history(item) for item in shown], **token}

    def set_alarm_state(self, caller: Caller, params: Params) -> Result:
        """Set an alarm's state until its next evaluation; its actions are taken as after any transition.

        A composite alarm is evaluated when the state of one that its rule names changes, or its settings do.
        """
        alarm = self.alarms.require(caller.region, params["AlarmName"])
        data = params.get("StateReasonData") or ""
        try:
            json.loads(data or "null")
        except ValueError as error:
            raise ApiError("InvalidFormat", f"StateReasonData is not JSON: {error}") from error
        state = AlarmState(params["StateValue"])
        reason = params["StateReason"]
        if isinstance(alarm, CompositeAlarm):
            self.composites.set_state(caller.region, alarm, state, reason, data, caller.now)
        else:
            self.transitions.enter(caller.region, alarm, state, reason, data, caller.now)
        self._on_change()
        return {}

    def enable_alarm_actions(self, caller: Caller, params: Params) -> Result:
        """Let alarms act on their transitions; those that do not exist are passed over."""
        return self._enable(caller, params["AlarmNames"], enabled=True)

    def disable_alarm_actions(self, caller: Caller, params: Params) -> Result:
        """Let alarms change their state without acting on it; those that do not exist are passed over."""
        return self._enable(caller, params["AlarmNames"], enabled=False)

    def list_tags_for_resource(self, caller: Caller, params: Params) -> Result:
        """List an alarm's tags."""
        alarm = self._tagged(caller, params)
        return {"Tags": [{"Key": key, "Value": value} for key, value in alarm.tags.items()]}

    def tag_resource(self, caller: Caller, params: Params) -> Result:
        """Add tags to an alarm or replace their values."""
        alarm = self._tagged(caller, params)
        tags = {**alarm.tags, **{one["Key"]: one["Value"] for one in params["Tags"]}}
        if len(tags) > _MOST_TAGS:
            raise ApiError("ValidationError", f"An alarm may have {_MOST_TAGS} tags.")
        self.alarms.put(caller.region, dataclasses.replace(alarm, tags=tags))
        return {}

    def untag_resource(self, caller: Caller, params: Params) -> Result:
        """Remove tags; keys that are not there are no error."""
        alarm = self._tagged(caller, params)
        tags = {key: value for key, value in alarm.tags.items() if key not in params["TagKeys"]}
        self.alarms.put(caller.region, dataclasses.replace(alarm, tags=tags))
        return {}

    def put(self, caller: Caller, alarm: TrackingAlarm, description: str, action: str) -> None:
        """Create or replace the alarm of a scaling policy."""
        before = self._before(caller, alarm.name, MetricAlarm)
        self._put(caller, alarm_settings.tracking_alarm(caller, alarm, description, action, before), before)

    def delete(self, caller: Caller, names: tuple[str, ...]) -> None:
        """Delete alarms of a scaling policy; those that are gone already are no error."""
        for name in names:
            alarm = self.alarms.find(caller.region, name)
            if alarm is not None:
                self._delete(caller, alarm)

    def _before(self, caller: Caller, name: str, kind: type) -> Alarm | None:
        found = self.alarms.find(caller.region, name)
        if found is not None and not isinstance(found, kind):
            raise ApiError("ValidationError", f"An alarm of another type is named {name} already.")
        return found

    def _put(self, caller: Caller, alarm: Alarm, before: Alarm | None) -> None:
        self.alarms.put(caller.region, alarm)
        summary = f'Alarm "{alarm.name}" {"created" if before is None else "updated"}'
        data = configuration_change(alarm, created=before is None)
        self.alarms.note(caller.region, alarm, caller.now, "ConfigurationUpdate", summary, data)
        self._on_change()

    def _delete(self, caller: Caller, alarm: Alarm) -> None:
        self.alarms.delete(caller.region, alarm)
        data = {"version": "1.0", "type": "Delete"}
        summary = f'Alarm "{alarm.name}" deleted'
        self.alarms.note(caller.region, alarm, caller.now, "ConfigurationUpdate", summary, data)
        self._on_change()

    def _selected(self, caller: Caller, params: Params) -> Iterable[Alarm]:
        names, prefix = params.get("AlarmNames"), params.get("AlarmNamePrefix") or ""
        if names and prefix:
            raise asked.combination("AlarmNames and AlarmNamePrefix cannot be given together.")
        family = self._family(caller, params)
        for alarm in self.alarms.all(caller.region):
            actions = (*alarm.actions.ok, *alarm.actions.alarm, *alarm.actions.insufficient_data)
            if (
                (not names or alarm.name in names)
                and alarm.name.startswith(prefix)
                and (family is None or alarm.name in family or alarm.arn in family)
                and params.get("StateValue") in {None, alarm.standing.state.value}
                and any(one.startswith(params.get("ActionPrefix") or "") for one in actions or ("",))
            ):
                yield alarm

    def _family(self, caller: Caller, params: Params) -> set[str] | None:
        """Return the names that ChildrenOfAlarmName or ParentsOfAlarmName asks for; None: neither is given."""
        if params.get("ChildrenOfAlarmName"):
            parent = self.alarms.composite.get(caller.region, params["ChildrenOfAlarmName"])
            return alarms_in(parse_rule(parent.expression)) if parent else set()
        if params.get("ParentsOfAlarmName"):
            child = self.alarms.require(caller.region, params["ParentsOfAlarmName"])
            return {
                one.name
                for one in self.alarms.composite.list(caller.region)
                if {child.name, child.arn} & alarms_in(parse_rule(one.expression))
            }
        return None

    def _enable(self, caller: Caller, names: Iterable[str], *, enabled: bool) -> Result:
        for name in names:
            alarm = self.alarms.find(caller.region, name)
            if alarm is None or alarm.actions_enabled is enabled:
                continue
            changed = dataclasses.replace(alarm, actions_enabled=enabled, configured_at=caller.now)
            self.alarms.put(caller.region, changed)
            data = configuration_change(changed, created=False)
            summary = f'Alarm "{name}" actions {"enabled" if enabled else "disabled"}'
            self.alarms.note(caller.region, changed, caller.now, "ConfigurationUpdate", summary, data)
        self._on_change()
        return {}

    def _tagged(self, caller: Caller, params: Params) -> Alarm:
        arn: str = params["ResourceARN"]
        found = self.alarms.find(caller.region, arn) if ":alarm:" in arn else None
        if found is None:
            raise ApiError("ResourceNotFoundException", f"Unknown resource {arn}")
        return found
