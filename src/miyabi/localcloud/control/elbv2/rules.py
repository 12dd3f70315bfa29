"""Rules of listeners."""

from __future__ import annotations

import dataclasses
from typing import Any

from miyabi.localcloud.control.elbv2.actions import describe_actions, parse_actions
from miyabi.localcloud.control.elbv2.conditions import describe_conditions, parse_conditions
from miyabi.localcloud.control.elbv2.fields import number, text
from miyabi.localcloud.control.elbv2.nouns import invalid, new_id, page, unsupported
from miyabi.localcloud.control.elbv2.tags import Tags, asked_tags
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.load_balancing import Action, Rule

_MOST = 100
_PRIORITIES = range(1, 50001)


class Rules(Tags):
    """Operations on rules. The default rule belongs to its listener."""

    def create_rule(self, caller: Caller, params: Params) -> Result:
        """Create a rule at a free priority."""
        region = caller.region
        listener = self.find_listener(region, params["ListenerArn"])
        if params.get("Transforms"):
            raise unsupported("transforms of rules")
        held, tags = self.rules_of(region, listener.arn), asked_tags(params)
        if len(held) > _MOST:
            raise ApiError("TooManyRules", f"The maximum number of rules on a load balancer is {_MOST}")
        row = Rule(
            arn=new_rule_arn(listener.arn),
            listener_arn=listener.arn,
            priority=number(params["Priority"], "Priority", _PRIORITIES),
            conditions=parse_conditions(params["Conditions"]),
            action=parse_actions(params["Actions"]),
        )
        if any(rule.priority == row.priority for rule in held):
            raise ApiError("PriorityInUse", f"Priority '{row.priority}' is currently in use")
        self.check_groups(region, listener.load_balancer_arn, row.action)
        self.put_tags(region, row.arn, tags)
        return self._put_rules(region, row)

    def describe_rules(self, caller: Caller, params: Params) -> Result:
        """Describe a listener's rules in their order, or rules by ARN."""
        arns = params.get("RuleArns") or []
        if bool(arns) == bool(params.get("ListenerArn")):
            raise invalid("You must specify either a listener ARN or rule ARNs")
        if arns:
            rows = [self._find_rule(caller.region, arn) for arn in arns]
        else:
            rows = self.rules_of(caller.region, self.find_listener(caller.region, params["ListenerArn"]).arn)
        found, marker = page(rows, params, lambda rule: rule.arn)
        result: Result = {"Rules": [describe_rule(rule) for rule in found]}
        return result | ({"NextMarker": marker} if marker else {})

    def modify_rule(self, caller: Caller, params: Params) -> Result:
        """Replace a rule's conditions or action; what is not given stays."""
        region = caller.region
        row = self._find_rule(region, params["RuleArn"])
        if params.get("Transforms"):
            raise unsupported("transforms of rules")
        if row.priority is None and params.get("Conditions"):
            raise ApiError("OperationNotPermitted", f"Default rule '{row.arn}' cannot have conditions")
        if params.get("Conditions"):
            row = dataclasses.replace(row, conditions=parse_conditions(params["Conditions"]))
        if params.get("Actions"):
            row = dataclasses.replace(row, action=parse_actions(params["Actions"]))
        self.check_groups(region, self.find_listener(region, row.listener_arn).load_balancer_arn, row.action)
        return self._put_rules(region, row)

    def delete_rule(self, caller: Caller, params: Params) -> Result:
        """Delete a rule, not a default one."""
        row = self._find_rule(caller.region, params["RuleArn"])
        if row.priority is None:
            raise ApiError("OperationNotPermitted", f"Default rule '{row.arn}' cannot be deleted")
        self.rules.delete(caller.region, row.arn)
        self.tags.delete(caller.region, row.arn)
        self.refresh_use(caller.region)
        self.on_change()
        return {}

    def set_rule_priorities(self, caller: Caller, params: Params) -> Result:
        """Give rules of one listener new priorities, all at once."""
        region = caller.region
        rows = []
        for entry in params["RulePriorities"]:
            row = self._find_rule(region, text(entry, "RuleArn"))
            if row.priority is None:
                raise ApiError("OperationNotPermitted", f"Default rule '{row.arn}' has no priority")
            priority = number(entry.get("Priority"), "Priority", _PRIORITIES)
            rows.append(dataclasses.replace(row, priority=priority))
        changed = {row.arn for row in rows}
        for listener_arn in {row.listener_arn for row in rows}:
            others = [rule for rule in self.rules_of(region, listener_arn) if rule.arn not in changed]
            mine = [rule for rule in rows if rule.listener_arn == listener_arn]
            priorities = [rule.priority for rule in (*others, *mine)]
            if len(set(priorities)) < len(priorities):
                raise ApiError("PriorityInUse", "A priority is given twice or is currently in use")
        return self._put_rules(region, *rows)

    def check_groups(self, region: str, load_balancer_arn: str, action: Action) -> None:
        """Check that the load balancer may use the action's target groups."""
        used = self.load_balancer_of_group(region)
        balancer = self.find_load_balancer(region, load_balancer_arn)
        for weighted in action.forward:
            group = self.find_target_group(region, weighted.target_group_arn)
            if used.get(group.arn, balancer.arn) != balancer.arn:
                raise ApiError(
                    "TargetGroupAssociationLimit",
                    f"The following target groups cannot be associated with more than one load balancer: {group.arn}",
                )
            if group.vpc_id != balancer.vpc_id:
                raise ApiError(
                    "InvalidConfigurationRequest",
                    f"Target group '{group.arn}' and load balancer '{balancer.arn}' must be in the same VPC",
                )

    def _find_rule(self, region: str, arn: str) -> Rule:
        found = self.rules.get(region, arn)
        if found is None:
            raise ApiError("RuleNotFound", f"One or more rules not found: '{arn}'")
        return found

    def _put_rules(self, region: str, *rows: Rule) -> Result:
        for row in rows:
            self.rules.put(region, row.arn, row)
        self.refresh_use(region)
        self.on_change()
        return {"Rules": [describe_rule(row) for row in rows]}


def new_rule_arn(listener_arn: str) -> str:
    """Return an ARN for a new rule of the listener."""
    return f"{listener_arn.replace(':listener/', ':listener-rule/')}/{new_id()}"


def describe_rule(row: Rule) -> dict[str, Any]:
    """Return the rule as AWS shows it."""
    return {
        "RuleArn": row.arn,
        "Priority": "default" if row.priority is None else str(row.priority),
        "Conditions": describe_conditions(row.conditions),
        "Actions": describe_actions(row.action),
        "IsDefault": row.priority is None,
    }
