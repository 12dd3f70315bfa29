"""Tags of instances, subnet groups and parameter groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from miyabi.localcloud.control.rds.nouns import Nouns, as_pairs, pairs
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result

_MOST = 50


class Tags(Nouns):
    """Operations on tags."""

    def list_tags_for_resource(self, caller: Caller, params: Params) -> Result:
        """Return a resource's tags."""
        return {"TagList": as_pairs(self._tags(caller, params["ResourceName"]))}

    def add_tags_to_resource(self, caller: Caller, params: Params) -> Result:
        """Add tags or replace their values."""
        arn = params["ResourceName"]
        self._put_tags(caller, arn, {**self._tags(caller, arn), **pairs(params["Tags"])})
        return {}

    def remove_tags_from_resource(self, caller: Caller, params: Params) -> Result:
        """Remove tags; keys that are not there are no error."""
        arn, gone = params["ResourceName"], set(params["TagKeys"])
        self._put_tags(caller, arn, {key: value for key, value in self._tags(caller, arn).items() if key not in gone})
        return {}

    def _tags(self, caller: Caller, arn: str) -> Mapping[str, str]:
        kind, name = _parts(arn)
        if kind == "db":
            return self.find_instance(caller.region, name).tags
        if kind == "subgrp":
            return self.find_subnet_group(caller.region, name).tags
        return self.find_parameter_group(caller.account, caller.region, name).tags

    def _put_tags(self, caller: Caller, arn: str, tags: dict[str, str]) -> None:
        if len(tags) > _MOST:
            raise ApiError("InvalidParameterValue", f"The maximum number of tags on a resource is {_MOST}.")
        for key in tags:
            if key.lower().startswith("aws:"):
                raise ApiError("InvalidParameterValue", f"Tag keys may not begin with 'aws:': {key}")
        kind, name = _parts(arn)
        if kind == "db":
            row = self.find_instance(caller.region, name)
            self.instances.put(caller.region, row.resource_id, dataclasses.replace(row, tags=tags))
        elif kind == "subgrp":
            subnets = self.find_subnet_group(caller.region, name)
            self.subnet_groups.put(caller.region, subnets.name, dataclasses.replace(subnets, tags=tags))
        else:
            group = self.find_parameter_group(caller.account, caller.region, name)
            if self.parameter_groups.get(caller.region, group.name) is None:
                raise ApiError("InvalidParameterValue", f"The default parameter group {group.name} has no tags.")
            self.parameter_groups.put(caller.region, group.name, dataclasses.replace(group, tags=tags))


def _parts(arn: str) -> tuple[str, str]:
    parts = arn.split(":", 6)
    if len(parts) != 7 or parts[2] != "rds" or parts[5] not in {"db", "subgrp", "pg"}:
        raise ApiError("InvalidParameterValue", f"Invalid resource name: {arn}")
    return parts[5], parts[6]
