"""How metrics look."""

from __future__ import annotations

import shutil

from miyabi.cli.output import Output
from miyabi.operations.metrics import MetricReading, MetricsShown
from miyabi.policy.key_metrics import plot

_WHOLE = 100.0
"""From here on fractions say nothing."""
_COLOURS = {"ok": "green", "off target": "red", "no data": "yellow"}
_BESIDE = 76
"""Columns that the numbers take."""
_NARROWEST = 12
"""A plot of fewer columns shows nothing."""


def show(output: Output, shown: MetricsShown) -> None:
    """A line a metric: newest value, target and verdict, the window's median and worst, and its course."""
    columns = shutil.get_terminal_size((120, 24)).columns
    width = min(columns - _BESIDE, 60)
    header = f"{'METRIC':<21}{'NEWEST':>10}  {'TARGET':<10} {'':<11}{'MEDIAN':>9}{'WORST':>10}  "
    times = f"{shown.since:%H:%M} to {shown.until:%H:%M %Z}"
    if width < _NARROWEST:
        output.line(output.colour(times, "dim"))
        times = ""
    output.line(output.colour((header + times).rstrip(), "dim"))
    for one in shown.metrics:
        verdict = output.colour(f"{one.verdict:<11}", _COLOURS.get(one.verdict, "dim"))
        start = f"{one.name:<21}{_value(one, one.newest):>10}  {_target(one):<10} {verdict}"
        numbers = f"{_value(one, one.typical):>9}{_value(one, one.worst):>10}"
        course = plot(one.points, width, unicode=output.unicode) if width >= _NARROWEST else ""
        output.line(f"{start}{numbers}  {course}".rstrip())
        if one.reason:
            output.line(f"    {one.reason}")


def _target(one: MetricReading) -> str:
    sign, _, value = one.target.partition(" ")
    if not value:
        return ""
    if one.unit == "s":
        return f"{sign} {float(value) * 1000:g} ms"
    return f"{sign} {value} {one.unit}".rstrip()


def _value(one: MetricReading, value: float | None) -> str:
    if value is None:
        return "-"
    if one.unit == "s":
        return f"{value * 1000:,.1f} ms"
    if one.unit == "%":
        return f"{value:.1f} %"
    return f"{value:,.0f}" if value.is_integer() or value >= _WHOLE else f"{value:.3g}"
