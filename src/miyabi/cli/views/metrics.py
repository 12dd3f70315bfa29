"""How metrics look."""

from __future__ import annotations

import shutil

from miyabi.cli.output import Output
from miyabi.operations.metrics import MetricReading, MetricsShown
from miyabi.policy.key_metrics import plot

_COLOURS = {"ok": "green", "off target": "red", "no data": "yellow"}
_BESIDE = 79
"""Columns that the numbers take."""


def show(output: Output, shown: MetricsShown) -> None:
    """A line a metric: newest value, target and verdict, the window's median and worst, and its course."""
    width = max(min(shutil.get_terminal_size((120, 24)).columns - _BESIDE, 60), 12)
    header = f"{'METRIC':<22}{'NEWEST':>10}  {'TARGET':<8}  {'':<10}{'MEDIAN':>9}{'WORST':>10}  "
    output.line(output.colour(f"{header}{shown.since:%H:%M} to {shown.until:%H:%M %Z}", "dim"))
    for one in shown.metrics:
        verdict = output.colour(f"{one.verdict:<10}", _COLOURS.get(one.verdict, "dim"))
        if one.newest is None:
            output.line(f"{one.name:<22}{'-':>10}  {one.target:<8}  {verdict}{one.reason}")
            continue
        course = plot(one.points, width, unicode=output.unicode)
        numbers = f"{_value(one, one.typical):>9}{_value(one, one.worst):>10}"
        output.line(f"{one.name:<22}{_value(one, one.newest):>10}  {one.target:<8}  {verdict}{numbers}  {course}")


def _value(one: MetricReading, value: float | None) -> str:
    if value is None:
        return "-"
    if one.unit == "s":
        return f"{value * 1000:.1f} ms"
    return f"{value:.1f} %" if one.unit == "%" else f"{value:g}"
