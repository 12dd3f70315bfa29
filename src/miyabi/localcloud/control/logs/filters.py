"""Metric filters and subscription filters: none can be made here yet, so none exist."""

from __future__ import annotations

from miyabi.localcloud.control.logs.base import LogsBase
from miyabi.localcloud.control.service import Caller, Params, Result


class Filters(LogsBase):
    """Operations that list filters."""

    def describe_metric_filters(self, caller: Caller, params: Params) -> Result:
        if params.get("logGroupName") is not None:
            self._group(caller.region, params["logGroupName"])
        return {"metricFilters": []}

    def describe_subscription_filters(self, caller: Caller, params: Params) -> Result:
        self._group(caller.region, params["logGroupName"])
        return {"subscriptionFilters": []}
