"""What Elastic Load Balancing refuses before it reaches a load balancer."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi.localcloud.control.service import ApiError
from tests.contract.elbv2_world import NOW, REGION, World, forward, group_params, refused, world

__all__ = ["world"]


def test_ports_are_ports_wherever_they_are_taken(world: World) -> None:
    balancer, group = world.balancer(), world.group()
    listener = world.listener(balancer, group)["ListenerArn"]
    arn = group["TargetGroupArn"]
    for port in (0, -1, 65536, 99999999):
        targets = {"TargetGroupArn": arn, "Targets": [{"Id": "127.77.0.8"}, {"Id": "127.77.0.9", "Port": port}]}
        redirect = {"StatusCode": "HTTP_301", "Port": str(port)}
        calls: list[tuple[Any, dict[str, Any]]] = [
            (world.service.register_targets, targets),
            (world.service.deregister_targets, targets),
            (world.service.describe_target_health, targets),
            (world.service.create_target_group, group_params(world, Port=port)),
            (world.service.create_target_group, group_params(world, HealthCheckPort=str(port))),
            (world.service.modify_target_group, {"TargetGroupArn": arn, "HealthCheckPort": str(port)}),
            (
                world.service.create_listener,
                {
                    "LoadBalancerArn": balancer["LoadBalancerArn"],
                    "Protocol": "HTTP",
                    "Port": port,
                    "DefaultActions": [forward(group)],
                },
            ),
            (world.service.modify_listener, {"ListenerArn": listener, "Port": port}),
            (
                world.service.modify_listener,
                {"ListenerArn": listener, "DefaultActions": [{"Type": "redirect", "RedirectConfig": redirect}]},
            ),
        ]
        for call, params in calls:
            assert world.refused(call, params) == "ValidationError", (call, params)
        with pytest.raises(ApiError):
            world.service.register(REGION, arn, "127.77.0.9", port, "us-west-2a", NOW)
    assert world.client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] == []


def test_fields_that_are_missing_or_malformed_are_validation_errors(world: World) -> None:
    balancer, group = world.balancer(), world.group()
    listener = world.listener(balancer, group)["ListenerArn"]
    arn = group["TargetGroupArn"]
    rule = {"ListenerArn": listener, "Priority": 1, "Conditions": [{"Field": "path-pattern", "Values": ["/"]}]}
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
    weights = [{"TargetGroupArn": arn, "Weight": "x"}]
    query = [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a"}]}}]
    calls: list[tuple[Any, dict[str, Any]]] = [
        *(
            (call, {"PageSize": size})
            for call in (world.service.describe_load_balancers, world.service.describe_target_groups)
            for size in ("x", 0, 401)
        ),
        (world.service.describe_rules, {"ListenerArn": listener, "PageSize": "x"}),
        (world.service.describe_listeners, {"LoadBalancerArn": balancer["LoadBalancerArn"], "PageSize": "x"}),
        (world.service.modify_listener, {"ListenerArn": listener, "DefaultActions": [{"TargetGroupArn": arn}]}),
        (world.service.create_rule, rule | {"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{}]}}]}),
        (
            world.service.create_rule,
            rule | {"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}]},
        ),
        (world.service.create_rule, rule | {"Actions": fixed, "Priority": "x"}),
        (world.service.create_rule, rule | {"Actions": fixed, "Conditions": query}),
        (world.service.create_rule, rule | {"Actions": fixed, "Tags": [{"Value": "x"}]}),
        (world.service.set_rule_priorities, {"RulePriorities": [{"Priority": 1}]}),
        (world.service.register_targets, {"TargetGroupArn": arn, "Targets": [{"Port": 80}]}),
        (world.service.deregister_targets, {"TargetGroupArn": arn, "Targets": [{}]}),
        (world.service.describe_target_health, {"TargetGroupArn": arn, "Targets": [{}]}),
        (world.service.add_tags, {"ResourceArns": [arn], "Tags": [{"Value": "x"}]}),
        (world.service.modify_target_group_attributes, {"TargetGroupArn": arn, "Attributes": [{"Value": "1"}]}),
        (world.service.create_load_balancer, {"Name": "m", "SubnetMappings": [{}]}),
        (world.service.create_load_balancer, {"Name": "n", "Subnets": world.subnets, "Tags": [{}]}),
        (world.service.create_target_group, group_params(world, HealthCheckIntervalSeconds="x")),
        (world.service.create_target_group, group_params(world, Matcher={"HttpCode": "2_00"})),
        (world.service.create_target_group, group_params(world, Tags=[{"Key": "aws:x", "Value": ""}])),
    ]
    for call, params in calls:
        assert world.refused(call, params) == "ValidationError", (call, params)


def test_what_the_configuration_cannot_hold_is_refused(world: World) -> None:
    balancer, group = world.balancer(), world.group()
    listener = {"ListenerArn": world.listener(balancer, group)["ListenerArn"]}
    for value in ("a\r\nSet-Cookie: b", "\0", " a", "é", "x" * 1025):
        attribute = {"Key": "routing.http.response.x_frame_options.header_value", "Value": value}
        params = {**listener, "Attributes": [attribute]}
        assert world.refused(world.service.modify_listener_attributes, params) == "ValidationError", value
    for body in ("\0", "\ud800", "x" * 1025):
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": body}}
        params = {**listener, "DefaultActions": [fixed]}
        assert world.refused(world.service.modify_listener, params) == "ValidationError", body


def test_a_refused_creation_leaves_nothing_behind(world: World) -> None:
    tags = [{"Key": "aws:x", "Value": ""}]
    assert refused(world.balancer, Tags=tags)[0] == "ValidationError"
    assert refused(world.group, Tags=tags)[0] == "ValidationError"
    assert world.client.describe_load_balancers()["LoadBalancers"] == []
    assert world.client.describe_target_groups()["TargetGroups"] == []
