"""Listeners, with their default rule."""

from __future__ import annotations

import dataclasses
from typing import Any

from miyabi.localcloud.control.elbv2.actions import describe_actions, parse_actions
from miyabi.localcloud.control.elbv2.attributes import LISTENER, changed, defaults
from miyabi.localcloud.control.elbv2.fields import PORTS, number, pairs
from miyabi.localcloud.control.elbv2.nouns import as_pairs, invalid, new_id, page, unsupported
from miyabi.localcloud.control.elbv2.rules import Rules, new_rule_arn
from miyabi.localcloud.control.elbv2.tags import asked_tags
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.load_balancing import Listener, LoadBalancer, Rule


class Listeners(Rules):
    """Operations on listeners."""

    def create_listener(self, caller: Caller, params: Params) -> Result:
        """Create an HTTP listener on a free port of the load balancer."""
        region = caller.region
        balancer = self.find_load_balancer(region, params["LoadBalancerArn"])
        action, tags = parse_actions(params["DefaultActions"]), asked_tags(params)
        for key in ("Protocol", "Port"):
            if params.get(key) is None:
                raise invalid(f"A {key} must be specified")
        _check_protocol(params)
        port = self._free_port(region, balancer, params["Port"])
        self.check_groups(region, balancer.arn, action)
        arn = f"{balancer.arn.replace(':loadbalancer/', ':listener/')}/{new_id()}"
        row = Listener(arn, balancer.arn, port, "HTTP", defaults(LISTENER))
        rule = Rule(new_rule_arn(arn), arn, None, (), action)
        self.listeners.put(region, arn, row)
        self.rules.put(region, rule.arn, rule)
        self.put_tags(region, arn, tags)
        self.refresh_use(region)
        self.on_change()
        return {"Listeners": [self._describe_listener(region, row)]}

    def describe_listeners(self, caller: Caller, params: Params) -> Result:
        """Describe a load balancer's listeners by port, or listeners by ARN."""
        region, arns = caller.region, params.get("ListenerArns") or []
        if bool(arns) == bool(params.get("LoadBalancerArn")):
            raise invalid("You must specify either listener ARNs or a load balancer ARN")
        if arns:
            rows = [self.find_listener(region, arn) for arn in arns]
        else:
            rows = self.listeners_of(region, self.find_load_balancer(region, params["LoadBalancerArn"]).arn)
        found, marker = page(rows, params, lambda listener: listener.arn)
        result: Result = {"Listeners": [self._describe_listener(region, row) for row in found]}
        return result | ({"NextMarker": marker} if marker else {})

    def modify_listener(self, caller: Caller, params: Params) -> Result:
        """Change the port or the default actions; what is not given stays."""
        region = caller.region
        row = self.find_listener(region, params["ListenerArn"])
        _check_protocol(params)
        if params.get("Port") not in {None, row.port}:
            balancer = self.find_load_balancer(region, row.load_balancer_arn)
            row = dataclasses.replace(row, port=self._free_port(region, balancer, params["Port"]))
        if params.get("DefaultActions"):
            action = parse_actions(params["DefaultActions"])
            self.check_groups(region, row.load_balancer_arn, action)
            rule = dataclasses.replace(self.rules_of(region, row.arn)[-1], action=action)
            self.rules.put(region, rule.arn, rule)
        self.listeners.put(region, row.arn, row)
        self.refresh_use(region)
        self.on_change()
        return {"Listeners": [self._describe_listener(region, row)]}

    def delete_listener(self, caller: Caller, params: Params) -> Result:
        """Delete a listener with its rules."""
        self.remove_listener(caller.region, self.find_listener(caller.region, params["ListenerArn"]))
        self.refresh_use(caller.region)
        self.on_change()
        return {}

    def describe_listener_attributes(self, caller: Caller, params: Params) -> Result:
        """Describe every attribute."""
        row = self.find_listener(caller.region, params["ListenerArn"])
        return {"Attributes": as_pairs(row.attributes)}

    def modify_listener_attributes(self, caller: Caller, params: Params) -> Result:
        """Change the given attributes and return all."""
        row = self.find_listener(caller.region, params["ListenerArn"])
        attributes = changed("Listener", LISTENER, row.attributes, pairs(params["Attributes"]))
        row = dataclasses.replace(row, attributes=attributes)
        self.listeners.put(caller.region, row.arn, row)
        self.on_change()
        return {"Attributes": as_pairs(row.attributes)}

    def remove_listener(self, region: str, listener: Listener) -> None:
        """Remove the rows of a listener and of its rules."""
        for rule in self.rules_of(region, listener.arn):
            self.rules.delete(region, rule.arn)
            self.tags.delete(region, rule.arn)
        self.listeners.delete(region, listener.arn)
        self.tags.delete(region, listener.arn)

    def _free_port(self, region: str, balancer: LoadBalancer, port: int) -> int:
        number(port, "Port", PORTS)
        for other in self.listeners_of(region, balancer.arn):
            if balancer.bound_port(other.port) == balancer.bound_port(port):
                raise ApiError(
                    "DuplicateListener",
                    f"A listener already exists on this port for this load balancer '{balancer.arn}'",
                )
        return port

    def _describe_listener(self, region: str, row: Listener) -> dict[str, Any]:
        return {
            "ListenerArn": row.arn,
            "LoadBalancerArn": row.load_balancer_arn,
            "Port": row.port,
            "Protocol": row.protocol,
            "DefaultActions": describe_actions(self.rules_of(region, row.arn)[-1].action),
        }


def _check_protocol(params: Params) -> None:
    protocol = params.get("Protocol") or "HTTP"
    if protocol != "HTTP":
        raise unsupported(f"listeners of protocol {protocol}: only HTTP listeners serve requests")
    for key in ("Certificates", "SslPolicy", "AlpnPolicy", "MutualAuthentication"):
        if params.get(key):
            raise invalid(f"{key} may not be specified for an HTTP listener")
