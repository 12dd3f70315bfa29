"""Tags of log groups."""

from __future__ import annotations

import json

from miyabi.localcloud.control.logs.base import Group, LogsBase
from miyabi.localcloud.control.logs.names import constraint, group_in_arn, invalid
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result

_MOST = 50


def checked_tags(present: dict[str, str], added: dict[str, str]) -> dict[str, str]:
    """Return the tags with those added, if a log group may have them."""
    for key, value in added.items():
        if not 1 <= len(key) <= 128 or key.startswith("aws:"):
            raise constraint("tags", key, "Map keys must have length between 1 and 128, and not begin with aws:")
        if len(value) > 256:
            raise constraint("tags", value, "Map values must have length less than or equal to 256")
    tags = {**present, **added}
    if len(tags) > _MOST:
        raise ApiError("TooManyTagsException", f"A resource can have no more than {_MOST} tags.")
    return tags


class Tags(LogsBase):
    """Operations on tags, by ARN and, in the older form, by name."""

    def tag_resource(self, caller: Caller, params: Params) -> Result:
        return self._tag(self._tagged(caller, params), params["tags"])

    def untag_resource(self, caller: Caller, params: Params) -> Result:
        return self._untag(self._tagged(caller, params), params["tagKeys"])

    def list_tags_for_resource(self, caller: Caller, params: Params) -> Result:
        return {"tags": self._tagged(caller, params).tags}

    def tag_log_group(self, caller: Caller, params: Params) -> Result:
        return self._tag(self._group(caller.region, params["logGroupName"]), params["tags"])

    def untag_log_group(self, caller: Caller, params: Params) -> Result:
        return self._untag(self._group(caller.region, params["logGroupName"]), params["tags"])

    def list_tags_log_group(self, caller: Caller, params: Params) -> Result:
        return {"tags": self._group(caller.region, params["logGroupName"]).tags}

    def _tagged(self, caller: Caller, params: Params) -> Group:
        arn = params["resourceArn"]
        if not arn.startswith("arn:"):
            raise invalid(f"The ARN {arn} is not valid.")
        return self._group(caller.region, group_in_arn(arn, caller.region, caller.account) or "")

    def _tag(self, group: Group, tags: dict[str, str]) -> Result:
        return self._keep(group, checked_tags(group.tags, tags))

    def _untag(self, group: Group, keys: list[str]) -> Result:
        return self._keep(group, {key: value for key, value in group.tags.items() if key not in keys})

    def _keep(self, group: Group, tags: dict[str, str]) -> Result:
        self._database.execute("UPDATE groups SET tags=? WHERE id=?", json.dumps(tags), group.id)
        return {}
