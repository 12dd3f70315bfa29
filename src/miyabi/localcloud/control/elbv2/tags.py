"""Tags of load balancers, target groups, listeners and rules."""

from __future__ import annotations

from collections.abc import Mapping

from miyabi.localcloud.control.elbv2.nouns import Nouns, as_pairs, invalid, pairs
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result

_MOST = 50


class Tags(Nouns):
    """Operations on tags."""

    def add_tags(self, caller: Caller, params: Params) -> Result:
        """Add tags or replace their values."""
        for arn in params["ResourceArns"]:
            self._require_resource(caller.region, arn)
            keys = [tag["Key"] for tag in params["Tags"]]
            if len(set(keys)) < len(keys):
                raise ApiError("DuplicateTagKeys", "A tag key was specified more than once")
            held = self.tags.get(caller.region, arn) or {}
            self.put_tags(caller.region, arn, held | pairs(params["Tags"]))
        return {}

    def remove_tags(self, caller: Caller, params: Params) -> Result:
        """Remove tags; keys that are not there are no error."""
        for arn in params["ResourceArns"]:
            self._require_resource(caller.region, arn)
            held = self.tags.get(caller.region, arn) or {}
            gone = set(params["TagKeys"])
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
        """Set a resource's tags; TooManyTags, ValidationError."""
        if len(tags) > _MOST:
            raise ApiError("TooManyTags", f"The maximum number of tags on a resource is {_MOST}")
        for key in tags:
            if key.lower().startswith("aws:"):
                raise invalid(f"Tag keys may not begin with 'aws:': '{key}'")
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
