"""DB parameter groups: create, describe, modify, reset, delete."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from miyabi.localcloud.control.rds import parameters
from miyabi.localcloud.control.rds.nouns import Nouns, arn, default_group, filters, page, pairs
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.localcloud.data.postgresql_binaries import Binaries, Setting
from miyabi.model.rds import ApplyMethod, Parameter, ParameterGroup

_NAME = re.compile(r"[a-z](-?[a-z0-9]){0,254}")


class ParameterGroups(Nouns):
    """Operations on DB parameter groups."""

    def create_db_parameter_group(self, caller: Caller, params: Params) -> Result:
        """Create a group with the family's defaults."""
        name = params["DBParameterGroupName"].lower()
        if not _NAME.fullmatch(name):
            raise ApiError(
                "InvalidParameterValue",
                f"The parameter DBParameterGroupName is not a valid identifier: {name}. Identifiers begin with a"
                " letter, have letters, digits and single hyphens only and do not end with a hyphen.",
            )
        if self.parameter_groups.get(caller.region, name) is not None:
            raise ApiError("DBParameterGroupAlreadyExists", f"Parameter group {name} already exists")
        family = params["DBParameterGroupFamily"]
        self.versions.for_family(family)
        row = ParameterGroup(
            name=name,
            arn=arn(caller.account, caller.region, "pg", name),
            family=family,
            description=params["Description"],
            tags=pairs(params.get("Tags")),
        )
        self.parameter_groups.put(caller.region, name, row)
        return {"DBParameterGroup": _described(row)}

    def describe_db_parameter_groups(self, caller: Caller, params: Params) -> Result:
        """Describe all groups, or the one that is named."""
        if params.get("DBParameterGroupName"):
            rows = [self.find_parameter_group(caller.account, caller.region, params["DBParameterGroupName"])]
        else:
            families = sorted({f"postgres{each.major}" for each in self.versions.all})
            rows = [default_group(caller.account, caller.region, family) for family in families]
            rows += self.parameter_groups.list(caller.region)
        return page("DBParameterGroups", [_described(row) for row in rows], params)

    def describe_db_parameters(self, caller: Caller, params: Params) -> Result:
        """Describe a group's parameters; Source is `user`, `system` or `engine-default`."""
        row = self.find_parameter_group(caller.account, caller.region, params["DBParameterGroupName"])
        binaries = self.versions.for_family(row.family)
        found = [
            _described_parameter(binaries, setting, row.parameters.get(name))
            for name, setting in sorted(parameters.settings(binaries).items())
        ]
        if params.get("Source"):
            found = [each for each in found if each["Source"] == params["Source"]]
        names = filters(params, ("parameter-name",)).get("parameter-name")
        if names is not None:
            found = [each for each in found if each["ParameterName"] in names]
        return page("Parameters", found, params)

    def describe_engine_default_parameters(self, caller: Caller, params: Params) -> Result:
        """Describe a family's parameters."""
        family = params["DBParameterGroupFamily"]
        group = default_group(caller.account, caller.region, family)
        self.versions.for_family(family)
        named = {**params, "DBParameterGroupName": group.name}
        return {"EngineDefaults": {"DBParameterGroupFamily": family, **self.describe_db_parameters(caller, named)}}

    def modify_db_parameter_group(self, caller: Caller, params: Params) -> Result:
        """Change up to 20 parameters, all or none of them."""
        row = self._changeable(caller, params["DBParameterGroupName"])
        binaries = self.versions.for_family(row.family)
        if len(params["Parameters"]) > 20:
            raise ApiError("InvalidParameterValue", "A maximum of 20 parameters can be modified in one request.")
        changed = dict(row.parameters)
        for asked in params["Parameters"]:
            name, value, method = asked.get("ParameterName"), asked.get("ParameterValue"), _method(asked)
            if not name or value is None:
                raise ApiError(
                    "InvalidParameterValue", "ParameterName, ParameterValue and ApplyMethod must be supplied"
                )
            parameters.require_valid(binaries, name, value, method)
            changed[name] = Parameter(value, method)
        return self._put(caller, row, changed)

    def reset_db_parameter_group(self, caller: Caller, params: Params) -> Result:
        """Reset some parameters, or all of them, to the family's defaults."""
        row = self._changeable(caller, params["DBParameterGroupName"])
        binaries = self.versions.for_family(row.family)
        changed = dict(row.parameters)
        if params.get("ResetAllParameters", not params.get("Parameters")):
            known = parameters.settings(binaries)
            for name in changed:
                static = name not in known or parameters.is_static(known[name])
                changed[name] = Parameter(None, ApplyMethod.PENDING_REBOOT if static else ApplyMethod.IMMEDIATE)
        for asked in params.get("Parameters") or ():
            parameters.require_valid(binaries, asked["ParameterName"], None, _method(asked))
            changed[asked["ParameterName"]] = Parameter(None, _method(asked))
        return self._put(caller, row, changed)

    def delete_db_parameter_group(self, caller: Caller, params: Params) -> Result:
        """Delete a group that no instance uses."""
        row = self._changeable(caller, params["DBParameterGroupName"])
        if any(each.parameter_group == row.name for each in self.instances.list(caller.region)):
            raise ApiError(
                "InvalidDBParameterGroupState",
                "One or more database instances are still members of this parameter group"
                f" {row.name}, so the group cannot be deleted",
            )
        self.parameter_groups.delete(caller.region, row.name)
        return {}

    def _changeable(self, caller: Caller, name: str) -> ParameterGroup:
        row = self.find_parameter_group(caller.account, caller.region, name)
        if self.parameter_groups.get(caller.region, row.name) is None:
            raise ApiError("InvalidDBParameterGroupState", f"The default parameter group {row.name} cannot be changed.")
        return row

    def _put(self, caller: Caller, row: ParameterGroup, changed: Mapping[str, Parameter]) -> Result:
        self.parameter_groups.put(caller.region, row.name, dataclasses.replace(row, parameters=changed))
        self.on_change()
        return {"DBParameterGroupName": row.name}


def _method(asked: Mapping[str, str]) -> ApplyMethod:
    try:
        return ApplyMethod(asked.get("ApplyMethod") or "")
    except ValueError as error:
        raise ApiError(
            "InvalidParameterValue", f"ApplyMethod must be immediate or pending-reboot for {asked.get('ParameterName')}"
        ) from error


def _described(row: ParameterGroup) -> Result:
    return {
        "DBParameterGroupName": row.name,
        "DBParameterGroupFamily": row.family,
        "Description": row.description,
        "DBParameterGroupArn": row.arn,
    }


def _described_parameter(binaries: Binaries, setting: Setting, changed: Parameter | None) -> Result:
    value, source, method = parameters.default(binaries, setting.name), "engine-default", ApplyMethod.PENDING_REBOOT
    if value is not None:
        source = "system"
    if changed is not None and changed.value is not None:
        value, source, method = changed.value, "user", changed.apply_method
    described: Result = {
        "ParameterName": setting.name,
        "Description": setting.description,
        "Source": source,
        "ApplyType": "static" if parameters.is_static(setting) else "dynamic",
        "DataType": parameters.data_type(setting),
        "IsModifiable": parameters.is_modifiable(setting.name),
        "ApplyMethod": method.value,
    }
    allowed = parameters.allowed_values(setting)
    return (
        described
        | ({"ParameterValue": value} if value is not None else {})
        | ({"AllowedValues": allowed} if allowed else {})
    )
