"""Alarms as requests ask for them, checked and turned into nouns."""

from __future__ import annotations

from datetime import datetime

from miyabi.localcloud.control.api_error import ApiError, Params
from miyabi.localcloud.control.cloudwatch import asked
from miyabi.localcloud.control.cloudwatch.tables import Alarm
from miyabi.localcloud.control.service import Caller
from miyabi.model.alarms import Actions, CompositeAlarm, MetricAlarm, MetricQuery, MetricStat, Standing
from miyabi.model.metrics import AlarmRule, AlarmState, Comparison, MissingData
from miyabi.model.scaling import TrackingAlarm
from miyabi.policy.alarm_rule import BadRule, parse_rule

_DAY, _WEEK = 86_400, 604_800
_MOST_ACTIONS = 5
_MOST_QUERIES = 20
_PERIODS = {10, 20, 30}
_SHOWN = ("DatapointsToAlarm", "TreatMissingData", "EvaluateLowSampleCountPercentile")
_ACTIONS = {"OKActions": "ok", "AlarmActions": "alarm", "InsufficientDataActions": "insufficient_data"}
_WORDS = {comparison.value for comparison in Comparison}


def metric_alarm(caller: Caller, params: Params, before: Alarm | None) -> MetricAlarm:
    """Return the alarm that PutMetricAlarm asks for; one that is there keeps its state and tags."""
    queries, simple = _queries(params)
    alarm = MetricAlarm(
        name=params["AlarmName"],
        arn=_arn(caller, params["AlarmName"]),
        description=params.get("AlarmDescription"),
        actions_enabled=params.get("ActionsEnabled", True) is not False,
        actions=_actions(params),
        queries=queries,
        simple=simple,
        rule=_rule(params),
        asked={name: params[name] for name in _SHOWN if params.get(name) is not None},
        standing=_standing(before, caller.now),
        configured_at=caller.now,
        tags=_tags(params) if before is None else before.tags,
        muted_from=_muted_from(before),
    )
    _check_span(alarm)
    return alarm


def composite_alarm(caller: Caller, params: Params, before: Alarm | None) -> CompositeAlarm:
    """Return the alarm that PutCompositeAlarm asks for; one that is there keeps its state and tags."""
    try:
        parse_rule(params["AlarmRule"])
    except BadRule as error:
        raise _invalid(f"AlarmRule must not contain errors: {error}") from error
    suppressor = params.get("ActionsSuppressor") or None
    periods = (params.get("ActionsSuppressorWaitPeriod"), params.get("ActionsSuppressorExtensionPeriod"))
    if (suppressor is None) != (periods == (None, None)) or (suppressor and None in periods):
        raise _invalid("ActionsSuppressor needs ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod.")
    known = before if isinstance(before, CompositeAlarm) else None
    held = known if known and known.suppressor == suppressor else None
    return CompositeAlarm(
        name=params["AlarmName"],
        arn=_arn(caller, params["AlarmName"]),
        description=params.get("AlarmDescription"),
        actions_enabled=params.get("ActionsEnabled", True) is not False,
        actions=_actions(params),
        expression=params["AlarmRule"],
        standing=_standing(before, caller.now),
        configured_at=caller.now,
        suppressor=suppressor,
        wait_seconds=periods[0] or 0,
        extension_seconds=periods[1] or 0,
        suppressed_by=held.suppressed_by if held else None,
        suppressed_reason=held.suppressed_reason if held else None,
        suppressor_ended_at=held.suppressor_ended_at if held else None,
        unacted_from=known.unacted_from if known else None,
        tags=_tags(params) if before is None else before.tags,
    )


def tracking_alarm(
    caller: Caller, asked_for: TrackingAlarm, description: str, action: str, before: Alarm | None
) -> MetricAlarm:
    """Return the alarm that a scaling policy asks for."""
    stat = MetricStat(
        asked_for.namespace,
        asked_for.metric_name,
        asked_for.dimensions,
        asked_for.period_seconds,
        asked_for.statistic,
        asked_for.unit,
    )
    periods = asked_for.evaluation_periods
    return MetricAlarm(
        name=asked_for.name,
        arn=_arn(caller, asked_for.name),
        description=description,
        actions_enabled=True,
        actions=Actions(alarm=(action,)),
        queries=(MetricQuery("m1", stat=stat),),
        simple=True,
        rule=AlarmRule(Comparison(asked_for.comparison_operator), asked_for.threshold, periods, periods),
        asked={},
        standing=_standing(before, caller.now),
        configured_at=caller.now,
        tags=before.tags if before else {},
        muted_from=_muted_from(before),
    )


def _queries(params: Params) -> tuple[tuple[MetricQuery, ...], bool]:
    """Return what the alarm watches, and whether it was given as one metric."""
    if params.get("Metrics"):
        if any(params.get(name) is not None for name in ("MetricName", "Namespace", "Period", "Statistic")):
            raise _invalid("Metrics list cannot be combined with MetricName, Namespace, Period or Statistic.")
        found = asked.queries(params["Metrics"], most=_MOST_QUERIES)
        if sum(query.return_data for query in found) != 1:
            raise _invalid("Exactly one element of the metrics list should return data.")
        for query in found:
            _period(query.stat.period_seconds if query.stat else query.period_seconds or 60)
        return found, False
    missing = [name for name in ("MetricName", "Namespace", "Period") if params.get(name) is None]
    if missing:
        raise _invalid(f"The parameter {missing[0]} is required where no Metrics are given.")
    given = [params[name] for name in ("Statistic", "ExtendedStatistic") if params.get(name)]
    if len(given) != 1:
        raise asked.combination("Exactly one of Statistic and ExtendedStatistic must be given.")
    stat = MetricStat(
        namespace=params["Namespace"],
        name=params["MetricName"],
        dimensions=asked.dimensions(params.get("Dimensions")),
        period_seconds=_period(params["Period"]),
        statistic=asked.statistic_name(given[0]),
        unit=params.get("Unit"),
    )
    return (MetricQuery("m1", stat=stat),), True


def _period(given: int) -> int:
    if given in _PERIODS or (given > 0 and given % 60 == 0):
        return given
    raise _invalid(f"Invalid period {given}: an alarm's is 10, 20, 30 or a multiple of 60.")


def _rule(params: Params) -> AlarmRule:
    comparison = params["ComparisonOperator"]
    if comparison not in _WORDS or params.get("ThresholdMetricId"):
        raise _invalid("The local cloud does not offer alarms on anomaly detection.")
    if params.get("Threshold") is None:
        raise _invalid("The parameter Threshold is required.")
    periods = params["EvaluationPeriods"]
    datapoints = params.get("DatapointsToAlarm") or periods
    if datapoints > periods:
        raise _invalid("EvaluationPeriods must not be less than DatapointsToAlarm.")
    missing = params.get("TreatMissingData") or MissingData.MISSING.value
    if missing not in {one.value for one in MissingData}:
        raise _invalid(f"TreatMissingData must be missing, ignore, breaching or notBreaching, not {missing}.")
    return AlarmRule(Comparison(comparison), float(params["Threshold"]), periods, datapoints, MissingData(missing))


def _check_span(alarm: MetricAlarm) -> None:
    period = alarm.period_seconds
    if alarm.rule.evaluation_periods * period > (_WEEK if period >= 3600 else _DAY):
        raise _invalid(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400), "
            "or a week where the period is an hour or more."
        )


def _actions(params: Params) -> Actions:
    found = {field: tuple(params.get(name) or ()) for name, field in _ACTIONS.items()}
    for name, field in _ACTIONS.items():
        if len(found[field]) > _MOST_ACTIONS:
            raise _invalid(f"{name} may have {_MOST_ACTIONS} members.")
        for arn in found[field]:
            if arn.count(":") < 5 or not arn.startswith("arn:"):
                raise _invalid(f"Invalid arn syntax: {arn}")
    return Actions(**found)


def _tags(params: Params) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in params.get("Tags") or []}


def _standing(before: Alarm | None, now: datetime) -> Standing:
    if before is not None:
        return before.standing
    return Standing(AlarmState.INSUFFICIENT_DATA, "Unchecked: Initial alarm creation", "", now, now)


def _muted_from(before: Alarm | None) -> AlarmState | None:
    return before.muted_from if isinstance(before, MetricAlarm) else None


def _arn(caller: Caller, name: str) -> str:
    return f"arn:aws:cloudwatch:{caller.region}:{caller.account}:alarm:{name}"


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationError", message)
