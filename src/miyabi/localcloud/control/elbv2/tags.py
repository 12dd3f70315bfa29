"""Tags of load balancers, target groups, listeners and rules."""

from __future__ import annotations

from collections.abc import Mapping

from miyabi.localcloud.control.elbv2.fields import pairs
from miyabi.localcloud.control.elbv2.nouns import Nouns, as_pairs, invalid
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result

_MOST = 50


class Tags(Nouns):
    """Operations on tags."""

    def add_tags(self, caller: Caller, params: Params) -> Result:
        """Add tags or replace their values."""
        added = asked_tags(params)
        for arn in params["ResourceArns"]:
            self._require_resource(caller.region, arn)
            _check_count((self.tags.get(caller.region, arn) or {}) | added)
        for arn in params["ResourceArns"]:
            self.put_tags(caller.region, arn, (self.tags.get(caller.region, arn) or {}) | added)
        return {}

    def remove_tags(self, caller: Caller, params: Params) -> Result:
        """Remove tags; keys that are not there are no error."""
        gone = set(params["TagKeys"])
        for arn in params["ResourceArns"]:
            self._require_resource(caller.region, arn)
        for arn in params["ResourceArns"]:
            held = self.tags.get(caller.region, arn) or {}
            self.put_tags(caller.region, arn, {key: value for key, value in held.items() if key not in gone})
        return {}

    def describe_tags(self, caller: Caller, params: Params) -> Result:
        """Describe the tags of up to 20 resources."""
        if len(params["ResourceArns"]) > 20:
            raise invalid("A maximum of 20 resources can be described at once")
        described = []
        for arn in params["ResourceArns"]:
            self._require_resource(caller.region, arn)
            described.append({"ResourceArn": arn, "Tags": as_pairs(self.tags.get(caller.region, arn) or {})})
        return {"TagDescriptions": described}

    def put_tags(self, region: str, arn: str, tags: Mapping[str, str]) -> None:
        """Set a resource's tags, which have been checked."""
        self.tags.put(region, arn, dict(tags))

    def _require_resource(self, region: str, arn: str) -> None:
        kind = arn.split(":")[5].partition("/")[0] if arn.count(":") >= 5 else ""
        match kind:
            case "loadbalancer":
                self.find_load_balancer(region, arn)
            case "targetgroup":
                self.find_target_group(region, arn)
            case "listener":
                self.find_listener(region, arn)
            case "listener-rule":
                if self.rules.get(region, arn) is None:
                    raise ApiError("RuleNotFound", f"One or more rules not found: '{arn}'")
            case _:
                raise invalid(f"'{arn}' is not a valid ARN of Elastic Load Balancing")


def asked_tags(params: Params) -> dict[str, str]:
    """Return the tags that a request gives; ValidationError, DuplicateTagKeys, TooManyTags.

    Asked before anything is written: a refused request must leave nothing behind.
    """
    tags = pairs(params.get("Tags"))
    if len(tags) < len(params.get("Tags") or []):
        raise ApiError("DuplicateTagKeys", "A tag key was specified more than once")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid(f"Tag keys may not begin with 'aws:': '{key}'")
    _check_count(tags)
    return tags


def _check_count(tags: Mapping[str, str]) -> None:
    if len(tags) > _MOST:
        raise ApiError("TooManyTags", f"The maximum number of tags on a resource is {_MOST}")
