"""Cache parameter groups and their parameters."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from miyabi.localcloud.control.elasticache.catalogue import FAMILIES, Parameter, parameters
from miyabi.localcloud.control.elasticache.nouns import Nouns, arn, combination, invalid, page, pairs
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.elasticache import CacheParameterGroup

_NAME = re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,254}(?<!-)")
_MOST = 20


class ParameterGroups(Nouns):
    """Operations on parameter groups."""

    def create_cache_parameter_group(self, caller: Caller, params: Params) -> Result:
        """Create a parameter group with its family's values."""
        name, family = params["CacheParameterGroupName"].lower(), params["CacheParameterGroupFamily"]
        if not _NAME.fullmatch(name):
            raise invalid(f"The cache parameter group name '{name}' is not valid.")
        if family not in FAMILIES:
            raise invalid(f"CacheParameterGroupFamily {family} is not a valid parameter group family: {_families()}.")
        if self.parameter_groups.get(caller.region, name) is not None:
            raise ApiError("CacheParameterGroupAlreadyExists", f"Cache parameter group {name} already exists")
        row = CacheParameterGroup(name, family, params["Description"])
        self.parameter_groups.put(caller.region, name, row)
        self.put_tags(caller.region, arn(caller, "parametergroup", name), pairs(params.get("Tags")))
        return {"CacheParameterGroup": _describe(caller, row)}

    def describe_cache_parameter_groups(self, caller: Caller, params: Params) -> Result:
        """Describe one parameter group or all, the families' default ones too."""
        name = params.get("CacheParameterGroupName")
        if name:
            rows = [self.find_parameter_group(caller.region, name)]
        else:
            standard = [self.find_parameter_group(caller.region, f"default.{family}") for family in FAMILIES]
            rows = sorted([*standard, *self.parameter_groups.list(caller.region)], key=lambda row: row.name)
        found, marker = page(rows, params, lambda row: row.name)
        return {"CacheParameterGroups": [_describe(caller, row) for row in found]} | marker

    def modify_cache_parameter_group(self, caller: Caller, params: Params) -> Result:
        """Set up to 20 parameters; the nodes take them at once, or at their next reboot."""
        row = self._own_group(caller, params)
        asked = {entry["ParameterName"].lower(): entry["ParameterValue"] for entry in params["ParameterNameValues"]}
        if not 1 <= len(params["ParameterNameValues"]) <= _MOST:
            raise invalid(f"Between 1 and {_MOST} parameters can be modified at once.")
        known = parameters(row.family)
        for name, value in asked.items():
            parameter = _modifiable(known, row, name)
            if not parameter.takes(value):
                raise invalid(
                    f"The value '{value}' of the parameter {name} is not valid: allowed are {parameter.allowed}."
                )
        self._put(caller, dataclasses.replace(row, values={**row.values, **asked}))
        return {"CacheParameterGroupName": row.name}

    def reset_cache_parameter_group(self, caller: Caller, params: Params) -> Result:
        """Take parameters back to the family's values: all, or those that are named."""
        row = self._own_group(caller, params)
        named = [entry["ParameterName"].lower() for entry in params.get("ParameterNameValues") or []]
        if bool(params.get("ResetAllParameters")) is bool(named):
            raise combination("Either ResetAllParameters or ParameterNameValues must be given.")
        for name in named:
            _modifiable(parameters(row.family), row, name)
        kept = {name: value for name, value in row.values.items() if named and name not in named}
        self._put(caller, dataclasses.replace(row, values=kept))
        return {"CacheParameterGroupName": row.name}

    def delete_cache_parameter_group(self, caller: Caller, params: Params) -> Result:
        """Delete a parameter group that no cluster uses."""
        row = self._own_group(caller, params)
        users = [cluster.id for cluster in self.clusters.list(caller.region) if cluster.parameter_group == row.name]
        if users:
            raise ApiError(
                "InvalidCacheParameterGroupState",
                f"One or more cache clusters are still members of this parameter group {row.name}: {', '.join(users)}.",
            )
        self.parameter_groups.delete(caller.region, row.name)
        self.tags.delete(caller.region, arn(caller, "parametergroup", row.name))
        return {}

    def describe_cache_parameters(self, caller: Caller, params: Params) -> Result:
        """Describe a group's parameters: all, those that were set (`user`), or those that were not (`system`)."""
        row = self.find_parameter_group(caller.region, params["CacheParameterGroupName"])
        described = [_parameter(row, parameter) for parameter in parameters(row.family).values()]
        source = params.get("Source")
        if source:
            described = [entry for entry in described if entry["Source"] == source]
        found, marker = page(described, params, lambda entry: str(entry["ParameterName"]))
        return {"Parameters": found} | marker

    def describe_engine_default_parameters(self, caller: Caller, params: Params) -> Result:
        """Describe a family's parameters."""
        family = params["CacheParameterGroupFamily"]
        group = self.find_parameter_group(caller.region, f"default.{family}")
        described = [_parameter(group, parameter) for parameter in parameters(family).values()]
        found, marker = page(described, params, lambda entry: str(entry["ParameterName"]))
        return {"EngineDefaults": {"CacheParameterGroupFamily": family, "Parameters": found} | marker}

    def _own_group(self, caller: Caller, params: Params) -> CacheParameterGroup:
        row = self.find_parameter_group(caller.region, params["CacheParameterGroupName"])
        if row.name.startswith("default."):
            raise ApiError(
                "InvalidCacheParameterGroupState", f"The default cache parameter group {row.name} cannot be changed."
            )
        return row

    def _put(self, caller: Caller, row: CacheParameterGroup) -> None:
        self.parameter_groups.put(caller.region, row.name, row)
        self.on_change()


def _families() -> str:
    return ", ".join(FAMILIES)


def _modifiable(known: dict[str, Parameter], row: CacheParameterGroup, name: str) -> Parameter:
    parameter = known.get(name)
    if parameter is None:
        raise invalid(f"Parameter {name} doesn't exist in the parameter group family {row.family}.")
    if not parameter.modifiable:
        raise invalid(f"The parameter {name} cannot be modified.")
    return parameter


def _parameter(row: CacheParameterGroup, parameter: Parameter) -> dict[str, Any]:
    return {
        "ParameterName": parameter.name,
        "ParameterValue": row.values.get(parameter.name, parameter.default),
        "Description": parameter.description,
        "Source": "user" if parameter.name in row.values else "system",
        "DataType": parameter.data_type,
        "AllowedValues": parameter.allowed,
        "IsModifiable": parameter.modifiable,
        "MinimumEngineVersion": "5.0.0",
        "ChangeType": "requires-reboot" if parameter.static else "immediate",
    }


def _describe(caller: Caller, row: CacheParameterGroup) -> dict[str, Any]:
    return {
        "CacheParameterGroupName": row.name,
        "CacheParameterGroupFamily": row.family,
        "Description": row.description,
        "IsGlobal": False,
        "ARN": arn(caller, "parametergroup", row.name),
    }
