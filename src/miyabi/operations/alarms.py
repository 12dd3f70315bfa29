"""Operations on alarms: how they stand, what happened, and silence for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from miyabi.aws.errors import translated
from miyabi.environment.config import suggestion
from miyabi.model.errors import Denied, Failed, InvalidInput, NotFound
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.policy.alarm_words import concerns, condition
from miyabi.policy.mute_schedule import duration_text, parse_mute_schedule
from miyabi.policy.schedule import BadSchedule

_TRACKING = "TargetTracking-"
_RULE = "miyabi-silence-"
_ORDER = {"ALARM": 0, "INSUFFICIENT_DATA": 1, "OK": 2}
_TYPES = ["MetricAlarm", "CompositeAlarm"]
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ListParams:
    """Which."""

    all: bool = param("Also those that scaling policies made", default=False)


@dataclass(frozen=True, slots=True)
class Alarm:
    """How an alarm stands."""

    name: str
    state: str
    since: datetime
    condition: str
    actions: str
    """`on`, `off`, `none`, or until when they are silenced."""
    silenced_until: datetime | None
    reason: str
    description: str


@dataclass(frozen=True, slots=True)
class AlarmList:
    """The environment's alarms, those in ALARM first."""

    alarms: tuple[Alarm, ...]


_LISTING = ("cloudwatch:DescribeAlarms", "cloudwatch:GetAlarmMuteRule", "cloudwatch:ListAlarmMuteRules")


@operation("alarms.list", effect=Effect.READ, permissions=_LISTING)
def list_alarms(run: Run, params: ListParams) -> AlarmList:
    """List the environment's alarms: state, condition, and whether anybody hears of them."""
    silenced = _silences(run)
    found = [_alarm(one, silenced) for one in _described(run) if params.all or not _is_tracking(one)]
    return AlarmList(tuple(sorted(found, key=lambda one: (_ORDER.get(one.state, 3), one.name))))


@dataclass(frozen=True, slots=True)
class HistoryParams:
    """Whose, and how far back."""

    name: str | None = param("Only this alarm's", default=None, argument=True)
    since: timedelta = param("How far back", default=timedelta(days=1), minimum=60, maximum=30 * 86400)
    all: bool = param("Also of those that scaling policies made", default=False)


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """Something that happened to an alarm."""

    at: datetime
    alarm: str
    kind: str
    """`StateUpdate`, `ConfigurationUpdate` or `Action`"""
    summary: str


@dataclass(frozen=True, slots=True)
class AlarmHistory:
    """What happened, oldest first."""

    events: tuple[AlarmEvent, ...]


@operation(
    "alarms.history",
    effect=Effect.READ,
    permissions=("cloudwatch:DescribeAlarmHistory", "cloudwatch:DescribeAlarms"),
)
def show_history(run: Run, params: HistoryParams) -> AlarmHistory:
    """Show what happened to the environment's alarms: states, changes of their settings, actions."""
    asked: dict[str, Any] = {
        "AlarmTypes": _TYPES,
        "StartDate": run.now() - params.since,
        "ScanBy": "TimestampAscending",
    }
    if params.name is not None:
        asked["AlarmName"] = _find(run, params.name)["AlarmName"]
    mine = {one["AlarmName"] for one in _described(run) if params.all or params.name or not _is_tracking(one)}
    found = []
    with translated("reading the history of alarms"):
        for page in run.cloud.client("cloudwatch").get_paginator("describe_alarm_history").paginate(**asked):
            found += [
                AlarmEvent(one["Timestamp"], one["AlarmName"], one["HistoryItemType"], one["HistorySummary"])
                for one in page["AlarmHistoryItems"]
                if one["AlarmName"] in mine
            ]
    return AlarmHistory(tuple(found))


@dataclass(frozen=True, slots=True)
class SilenceParams:
    """Which alarm, and for how long."""

    name: str = param("The alarm", argument=True)
    for_: timedelta | None = param("How long its actions are held back", default=None, minimum=60, maximum=15 * 86400)
    reason: str | None = param("Why, for those who wonder", default=None)
    off: bool = param("End a silence now", default=False)


@dataclass(frozen=True, slots=True)
class Silenced:
    """What was changed."""

    alarm: str
    state: str
    until: datetime | None
    """None: it is not silenced any more."""
    rule: str


def _verify(run: Run, params: SilenceParams, result: Silenced) -> Silenced:  # noqa: ARG001 - the executor's signature
    others = dict(_silences(run).get(result.alarm, {}))
    mine = others.pop(result.rule, None)
    if (mine is None) != (result.until is None):
        raise Failed(
            f"alarm '{result.alarm}' is {'not silenced' if mine is None else f'silenced until {mine:%H:%M} UTC'}",
            hint="Somebody else changed it meanwhile: `miyabi alarms list` shows how it stands.",
        )
    if result.until is not None or not others:
        return result
    for rule, end in sorted(others.items()):
        run.warn(f"alarm '{result.alarm}' stays silenced until {end:%Y-%m-%d %H:%M} UTC by mute rule '{rule}'")
    return replace(result, until=max(others.values()))


@operation(
    "alarms.silence",
    effect=Effect.CHANGE,
    permissions=(
        "cloudwatch:DeleteAlarmMuteRule",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetAlarmMuteRule",
        "cloudwatch:ListAlarmMuteRules",
        "cloudwatch:PutAlarmMuteRule",
    ),
    verify=_verify,
)
def silence_alarm(run: Run, params: SilenceParams) -> Silenced:
    """Hold back an alarm's actions for a while; it goes on being evaluated.

    The silence is a mute rule of CloudWatch's, so it ends by itself, whoever is there. An alarm that is in ALARM when
    it ends acts then.
    """
    if params.off == (params.for_ is not None):
        raise InvalidInput("either --for or --off is needed", hint="--for 30m silences, --off ends a silence.")
    alarm = _find(run, params.name)
    name, rule = str(alarm["AlarmName"]), f"{_RULE}{params.name}"
    client: Any = run.cloud.client("cloudwatch")
    if params.for_ is None:
        run.step(f"ending the silence of alarm '{name}'")
        with translated(f"deleting mute rule '{rule}'"):
            client.delete_alarm_mute_rule(AlarmMuteRuleName=rule)
        return Silenced(name, alarm["StateValue"], None, rule)
    begin = run.now().replace(second=0, microsecond=0)
    length = params.for_ + (_MINUTE if run.now() > begin else timedelta())  # rules begin at whole minutes
    length = -(-length // _MINUTE) * _MINUTE
    run.step(f"silencing alarm '{name}' until {begin + length:%H:%M} UTC")
    if alarm["StateValue"] == "ALARM":
        run.warn(f"alarm '{name}' is in ALARM: if it still is at the end of the silence, it acts then")
    schedule = {"Expression": f"at({begin:%Y-%m-%dT%H:%M})", "Duration": duration_text(length)}
    with translated(f"putting mute rule '{rule}'"):
        client.put_alarm_mute_rule(
            Name=rule,
            Description=params.reason or "miyabi alarms silence",
            Rule={"Schedule": schedule},
            MuteTargets={"AlarmNames": [name]},
            ExpireDate=begin + length,
        )
    return Silenced(name, alarm["StateValue"], begin + length, rule)


def _described(run: Run) -> Iterator[dict[str, Any]]:
    names = run.environment
    mine = frozenset({names.service, names.load_balancer, names.database, names.cache})
    with translated("describing alarms"):
        pages = run.cloud.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmTypes=_TYPES)
        for page in pages:
            for one in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ())):
                alarm: dict[str, Any] = dict(one)
                if concerns(alarm, project=names.project, environment=names.name, names=mine):
                    yield alarm


def _find(run: Run, name: str) -> dict[str, Any]:
    found = {one["AlarmName"]: one for one in _described(run)}
    if name not in found:
        near = suggestion(name, list(found))
        raise NotFound(f"alarm '{name}' not found in environment '{run.environment.name}'", hint=near or _LIST_HINT)
    return found[name]


_LIST_HINT = "`miyabi alarms list --all` shows them."


def _silences(run: Run) -> dict[str, dict[str, datetime]]:
    """Return the alarms that are silenced now: by which mute rules, and until when."""
    client: Any = run.cloud.client("cloudwatch")
    with translated("listing mute rules"):
        pages = client.get_paginator("list_alarm_mute_rules").paginate(Statuses=["ACTIVE"])
        names = [
            one["AlarmMuteRuleArn"].rpartition(":alarm-mute-rule:")[2]
            for page in pages
            for one in page["AlarmMuteRuleSummaries"]
        ]
    found: dict[str, dict[str, datetime]] = {}
    for name in names:
        try:
            with translated(f"describing mute rule '{name}'"):
                rule = client.get_alarm_mute_rule(AlarmMuteRuleName=name)
        except NotFound:
            continue  # deleted meanwhile
        except Denied as error:
            run.warn(f"mute rule '{name}' cannot be read, so whom it silences is not known: {error}")
            continue
        end = _muted_until(rule, run.now())
        if end is not None:
            for alarm in rule.get("MuteTargets", {}).get("AlarmNames", ()):
                found.setdefault(alarm, {})[name] = end
    return found


def _muted_until(rule: dict[str, Any], now: datetime) -> datetime | None:
    """Return when the muting that a rule does now ends; of a schedule that cannot be read, when the rule does."""
    schedule, last = rule["Rule"]["Schedule"], rule.get("ExpireDate")
    try:
        zone = ZoneInfo(schedule.get("Timezone") or "UTC")
        parsed = parse_mute_schedule(schedule["Expression"], schedule["Duration"])
        begin = rule.get("StartDate") or datetime.fromtimestamp(0, UTC)
        found = parsed.muted_until(now, zone=zone, begin=begin, end=last)
    except (BadSchedule, ZoneInfoNotFoundError):
        return last or datetime.max.replace(tzinfo=UTC)
    return None if found is None else found.astimezone(UTC)


def _is_tracking(alarm: dict[str, Any]) -> bool:
    return str(alarm["AlarmName"]).startswith(_TRACKING)


def _alarm(one: dict[str, Any], silenced: dict[str, dict[str, datetime]]) -> Alarm:
    until = max(silenced.get(one["AlarmName"], {}).values(), default=None)
    actions = [*one.get("AlarmActions", ()), *one.get("OKActions", ()), *one.get("InsufficientDataActions", ())]
    return Alarm(
        name=one["AlarmName"],
        state=one["StateValue"],
        since=one.get("StateTransitionedTimestamp") or one["StateUpdatedTimestamp"],
        condition=condition(one),
        actions="none" if not actions else "on" if one["ActionsEnabled"] else "off",
        silenced_until=until,
        reason=one.get("StateReason", ""),
        description=one.get("AlarmDescription", ""),
    )
