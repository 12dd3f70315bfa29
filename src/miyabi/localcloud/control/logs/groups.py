"""Log groups and their retention."""

from __future__ import annotations

import json

from miyabi.localcloud.control.logs.base import Group, LogsBase, milliseconds
from miyabi.localcloud.control.logs.names import (
    checked_group_name,
    constraint,
    decode_token,
    encode_token,
    group_arn,
    group_in_arn,
    invalid,
    page_size,
)
from miyabi.localcloud.control.logs.tags import checked_tags
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result

_DAYS = (*(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),)
_CLASSES = ("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")
_LAST = "\U0010ffff"


class Groups(LogsBase):
    """Operations on log groups."""

    def create_log_group(self, caller: Caller, params: Params) -> Result:
        name = checked_group_name(params["logGroupName"])
        log_class = params.get("logGroupClass") or "STANDARD"
        if log_class not in _CLASSES:
            rule = f"Member must satisfy enum value set: [{', '.join(_CLASSES)}]"
            raise constraint("logGroupClass", log_class, rule)
        tags = checked_tags({}, params.get("tags") or {})
        if self._groups("WHERE region=? AND name=?", caller.region, name):
            raise ApiError("ResourceAlreadyExistsException", "The specified log group already exists")
        self._database.execute(
            "INSERT INTO groups (region, name, created, class, kms_key, protected, tags) VALUES (?, ?, ?, ?, ?, ?, ?)",
            caller.region,
            name,
            milliseconds(caller.now),
            log_class,
            params.get("kmsKeyId"),
            bool(params.get("deletionProtectionEnabled")),
            json.dumps(tags),
        )
        return {}

    def delete_log_group(self, caller: Caller, params: Params) -> Result:
        group = self._group(caller.region, params["logGroupName"])
        if group.protected:
            raise ApiError("ValidationException", f"Log group {group.name} is protected from deletion.")
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO deleted_streams (stream_id) SELECT id FROM streams WHERE group_id=?", group.id
            )
            self._database.execute("DELETE FROM streams WHERE group_id=?", group.id)
            self._database.execute("DELETE FROM groups WHERE id=?", group.id)
        self._on_change()
        return {}

    def put_log_group_deletion_protection(self, caller: Caller, params: Params) -> Result:
        name = params["logGroupIdentifier"]
        if name.startswith("arn:"):
            name = group_in_arn(name, caller.region, caller.account) or ""
        group = self._group(caller.region, name)
        self._database.execute(
            "UPDATE groups SET protected=? WHERE id=?", bool(params["deletionProtectionEnabled"]), group.id
        )
        return {}

    def describe_log_groups(self, caller: Caller, params: Params) -> Result:
        prefix, pattern = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        if prefix is not None and pattern is not None:
            raise invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        wanted: set[str] | None = None
        if params.get("logGroupIdentifiers"):
            wanted = {
                group_in_arn(identifier, caller.region, caller.account) or identifier
                for identifier in params["logGroupIdentifiers"]
            }
        groups, token = self._page(
            caller,
            after=params.get("nextToken"),
            size=page_size(params, 50),
            prefix=prefix or "",
            words=(pattern,) if pattern else (),
            log_class=params.get("logGroupClass"),
            names=wanted,
        )
        return {"logGroups": [_described(group, caller) for group in groups], **token}

    def list_log_groups(self, caller: Caller, params: Params) -> Result:
        """Answer ListLogGroups; its pattern is up to five alternatives, each anywhere or behind `^` at the start."""
        for unknown in ("dataSources", "fieldIndexNames", "logGroupTags"):
            if params.get(unknown):
                raise ApiError("UnsupportedOperation", f"The local cloud does not filter log groups by {unknown} yet.")
        groups, token = self._page(
            caller,
            after=params.get("nextToken"),
            size=page_size(params, 1000, 50),
            words=tuple((params.get("logGroupNamePattern") or "").split("|")),
            log_class=params.get("logGroupClass"),
        )
        summaries = [
            {
                "logGroupName": group.name,
                "logGroupArn": group_arn(group.region, caller.account, group.name),
                "logGroupClass": group.log_class,
            }
            for group in groups
        ]
        return {"logGroups": summaries, **token}

    def _page(
        self,
        caller: Caller,
        *,
        after: str | None,
        size: int,
        prefix: str = "",
        words: tuple[str, ...] = (),
        log_class: str | None = None,
        names: set[str] | None = None,
    ) -> tuple[list[Group], Result]:
        last = decode_token(after, str)[0] if after else ""
        found = [
            group
            for group in self._groups(
                "WHERE region=? AND name>? AND name>=? AND name<? ORDER BY name",
                caller.region,
                last,
                prefix,
                prefix + _LAST,
            )
            if (not words or any(_has(group.name, word) for word in words))
            and log_class in {None, group.log_class}
            and (names is None or group.name in names)
        ]
        more = len(found) > size
        return found[:size], {"nextToken": encode_token(found[size - 1].name)} if more else {}

    def put_retention_policy(self, caller: Caller, params: Params) -> Result:
        days = params["retentionInDays"]
        if days not in _DAYS:
            rule = f"Member must satisfy enum value set: [{', '.join(str(one) for one in _DAYS)}]"
            raise constraint("retentionInDays", days, rule)
        return self._retain(caller, params, days)

    def delete_retention_policy(self, caller: Caller, params: Params) -> Result:
        return self._retain(caller, params, None)

    def _retain(self, caller: Caller, params: Params, days: int | None) -> Result:
        group = self._group(caller.region, params["logGroupName"])
        self._database.execute("UPDATE groups SET retention_days=? WHERE id=?", days, group.id)
        self._on_change()
        return {}


def _has(name: str, word: str) -> bool:
    return name.startswith(word[1:]) if word.startswith("^") else word in name


def _described(group: Group, caller: Caller) -> Result:
    arn = group_arn(group.region, caller.account, group.name)
    described: Result = {
        "logGroupName": group.name,
        "creationTime": group.created,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "storedBytes": group.stored_bytes,
        "logGroupClass": group.log_class,
        "logGroupArn": arn,
        "deletionProtectionEnabled": group.protected,
    }
    if group.retention_days is not None:
        described["retentionInDays"] = group.retention_days
    if group.kms_key is not None:
        described["kmsKeyId"] = group.kms_key
    return described
