"""Elastic Load Balancing as boto3 sees it."""

from __future__ import annotations

import dataclasses
from typing import Any

from miyabi.policy.target_health import PASSED
from tests.contract.elbv2_world import ACCOUNT, NOW, REGION, World, forward, refused, world

__all__ = ["world"]


def test_a_load_balancer_is_described_as_aws_does(world: World) -> None:
    made = world.balancer(Tags=[{"Key": "Name", "Value": "web"}])
    (found,) = world.client.describe_load_balancers(Names=["web"])["LoadBalancers"]
    assert found == made
    prefix = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/web/"
    assert found["LoadBalancerArn"].startswith(prefix)
    assert len(found["LoadBalancerArn"]) == len(prefix) + 16
    assert found["DNSName"].split(":")[0].startswith("127.77.")
    assert found["CanonicalHostedZoneId"] == "Z1H1FL5HABSF5"
    assert (found["Scheme"], found["Type"], found["IpAddressType"]) == ("internet-facing", "application", "ipv4")
    assert found["State"] == {"Code": "provisioning"}
    assert found["CreatedTime"] == NOW
    assert found["VpcId"] == world.vpc
    assert [zone["SubnetId"] for zone in found["AvailabilityZones"]] == world.subnets
    (described,) = world.client.describe_tags(ResourceArns=[made["LoadBalancerArn"]])["TagDescriptions"]
    assert described["Tags"] == [{"Key": "Name", "Value": "web"}]
    assert world.changes == 1


def test_the_same_creation_again_returns_the_first_and_another_is_refused(world: World) -> None:
    assert world.balancer()["LoadBalancerArn"] == world.balancer()["LoadBalancerArn"]
    assert refused(world.balancer, Scheme="internal")[0] == "DuplicateLoadBalancerName"
    assert world.group()["TargetGroupArn"] == world.group()["TargetGroupArn"]
    assert refused(world.group, Port=9090)[0] == "DuplicateTargetGroupName"


def test_what_does_not_exist_has_awss_error_codes(world: World) -> None:
    client = world.client
    arn = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:{{}}/x/0123456789abcdef"
    balancer, group = arn.format("loadbalancer/app"), arn.format("targetgroup")
    listener, rule = arn.format("listener/app/x"), arn.format("listener-rule/app/x/x")
    calls: dict[str, list[tuple[Any, dict[str, Any]]]] = {
        "LoadBalancerNotFound": [
            (client.describe_load_balancers, {"Names": ["x"]}),
            (client.describe_load_balancers, {"LoadBalancerArns": [balancer]}),
            (client.describe_listeners, {"LoadBalancerArn": balancer}),
            (client.describe_load_balancer_attributes, {"LoadBalancerArn": balancer}),
            (client.describe_capacity_reservation, {"LoadBalancerArn": balancer}),
            (client.describe_tags, {"ResourceArns": [balancer]}),
        ],
        "TargetGroupNotFound": [
            (client.describe_target_groups, {"TargetGroupArns": [group]}),
            (client.describe_target_health, {"TargetGroupArn": group}),
            (client.register_targets, {"TargetGroupArn": group, "Targets": [{"Id": "127.77.0.9"}]}),
        ],
        "ListenerNotFound": [
            (client.describe_listeners, {"ListenerArns": [listener]}),
            (client.delete_listener, {"ListenerArn": listener}),
            (client.describe_rules, {"ListenerArn": listener}),
        ],
        "RuleNotFound": [(client.delete_rule, {"RuleArn": rule})],
        "SSLPolicyNotFound": [(client.describe_ssl_policies, {"Names": ["x"]})],
    }
    for code, expected in calls.items():
        for call, params in expected:
            assert refused(call, **params)[0] == code, (code, params)
    assert client.delete_load_balancer(LoadBalancerArn=balancer)
    assert client.delete_target_group(TargetGroupArn=group)


def test_what_cannot_work_here_is_refused_and_not_pretended(world: World) -> None:
    balancer, group = world.balancer(), world.group()
    https = {
        "LoadBalancerArn": balancer["LoadBalancerArn"],
        "Protocol": "HTTPS",
        "Port": 443,
        "DefaultActions": [forward(group)],
    }
    logs = [{"Key": "access_logs.s3.enabled", "Value": "true"}]
    sticky = [{"Key": "stickiness.enabled", "Value": "true"}]
    calls: list[tuple[Any, dict[str, Any]]] = [
        (world.balancer, {"name": "n", "Type": "network"}),
        (world.balancer, {"name": "g", "Type": "gateway"}),
        (world.group, {"name": "i", "TargetType": "instance"}),
        (world.group, {"name": "t", "Protocol": "TCP"}),
        (world.group, {"name": "h", "HealthCheckProtocol": "HTTPS"}),
        (world.client.create_listener, https),
        (
            world.client.modify_load_balancer_attributes,
            {"LoadBalancerArn": balancer["LoadBalancerArn"], "Attributes": logs},
        ),
        (
            world.client.modify_target_group_attributes,
            {"TargetGroupArn": group["TargetGroupArn"], "Attributes": sticky},
        ),
        (world.client.describe_trust_stores, {}),
    ]
    for call, params in calls:
        code, message = refused(call, **params)
        assert code == "UnsupportedOperation"
        assert message.startswith("The local cloud does not offer ")


def test_malformed_requests_are_validation_errors(world: World) -> None:
    calls: list[tuple[Any, dict[str, Any]]] = [
        (world.balancer, {"name": "-x"}),
        (world.balancer, {"name": "internal-x"}),
        (world.balancer, {"name": "one", "Subnets": world.subnets[:1]}),
        (world.group, {"name": "p", "HealthCheckPath": "health"}),
        (world.group, {"name": "t", "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 5}),
        (world.group, {"name": "m", "Matcher": {"HttpCode": "200-600"}}),
        (world.group, {"name": "v", "VpcId": ""}),
        (world.client.describe_load_balancers, {"PageSize": 500}),
        (world.client.describe_load_balancers, {"Marker": "x"}),
    ]
    for call, params in calls:
        assert refused(call, **params)[0] == "ValidationError", params
    assert refused(world.balancer, name="s", Subnets=[world.subnets[0], "subnet-x"])[0] == "SubnetNotFound"
    assert refused(world.balancer, name="g", SecurityGroups=["sg-x"])[0] == "InvalidSecurityGroup"


def test_lists_are_paged(world: World) -> None:
    names = {world.balancer(f"lb-{n}")["LoadBalancerName"] for n in range(5)}
    pages = list(world.client.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["LoadBalancers"]) for page in pages] == [2, 2, 1]
    assert {row["LoadBalancerName"] for page in pages for row in page["LoadBalancers"]} == names


def test_where_port_80_is_refused_the_dns_name_carries_the_high_port(world: World) -> None:
    arn = world.balancer()["LoadBalancerArn"]
    row = dataclasses.replace(world.service.find_load_balancer(REGION, arn), low_port_offset=18000)
    world.service.load_balancers.put(REGION, arn, row)
    (found,) = world.client.describe_load_balancers()["LoadBalancers"]
    assert found["DNSName"] == f"{row.address}:18080"
    assert (row.bound_port(80), row.bound_port(8080)) == (18080, 8080)


def test_attributes_have_awss_defaults_and_keep_their_changes(world: World) -> None:
    client = world.client
    balancer, group = world.balancer(), world.group()
    listener = world.listener(balancer, group)
    arns = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
    attributes = {a["Key"]: a["Value"] for a in client.describe_load_balancer_attributes(**arns)["Attributes"]}
    assert attributes["idle_timeout.timeout_seconds"] == "60"
    assert attributes["access_logs.s3.bucket"] == ""
    change = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    client.modify_load_balancer_attributes(**arns, Attributes=change)
    assert refused(client.delete_load_balancer, **arns)[0] == "OperationNotPermitted"
    wrong = [{"Key": "idle_timeout.timeout_seconds", "Value": "0"}]
    assert refused(client.modify_load_balancer_attributes, **arns, Attributes=wrong)[0] == "ValidationError"
    group_arn = {"TargetGroupArn": group["TargetGroupArn"]}
    found = client.describe_target_group_attributes(**group_arn)["Attributes"]
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "300"} in found
    unknown = [{"Key": "x", "Value": "1"}]
    assert refused(client.modify_target_group_attributes, **group_arn, Attributes=unknown)[0] == "ValidationError"
    listener_arn = {"ListenerArn": listener["ListenerArn"]}
    change = [{"Key": "routing.http.response.server.enabled", "Value": "false"}]
    client.modify_listener_attributes(**listener_arn, Attributes=change)
    assert change[0] in client.describe_listener_attributes(**listener_arn)["Attributes"]


def test_a_listener_describes_its_forward_in_both_forms(world: World) -> None:
    balancer, group = world.balancer(), world.group()
    listener = world.listener(balancer, group)
    (action,) = listener["DefaultActions"]
    assert action["TargetGroupArn"] == group["TargetGroupArn"]
    assert action["ForwardConfig"] == {
        "TargetGroups": [{"TargetGroupArn": group["TargetGroupArn"], "Weight": 1}],
        "TargetGroupStickinessConfig": {"Enabled": False},
    }
    (found,) = world.client.describe_target_groups(LoadBalancerArn=balancer["LoadBalancerArn"])["TargetGroups"]
    assert found["LoadBalancerArns"] == [balancer["LoadBalancerArn"]]
    assert refused(world.client.delete_target_group, TargetGroupArn=group["TargetGroupArn"])[0] == "ResourceInUse"
    assert refused(lambda: world.listener(balancer, group))[0] == "DuplicateListener"
    other = world.balancer("other")
    assert refused(lambda: world.listener(other, group))[0] == "TargetGroupAssociationLimit"
    world.client.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    assert refused(world.client.describe_listeners, ListenerArns=[listener["ListenerArn"]])[0] == "ListenerNotFound"
    world.client.delete_target_group(TargetGroupArn=group["TargetGroupArn"])


def test_rules_are_ordered_and_the_default_rule_comes_last(world: World) -> None:
    client = world.client
    listener = world.listener(world.balancer(), world.group())["ListenerArn"]
    action = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]

    def create(priority: int, *conditions: dict[str, Any]) -> Any:
        params = {"ListenerArn": listener, "Conditions": list(conditions), "Actions": action}
        return client.create_rule(**params, Priority=priority)["Rules"][0]

    path = {"Field": "path-pattern", "Values": ["/a/*"]}
    second = create(20, path, {"Field": "host-header", "HostHeaderConfig": {"Values": ["a.example"]}})
    first = create(10, {"Field": "source-ip", "SourceIpConfig": {"Values": ["127.0.0.0/8"]}})
    assert refused(lambda: create(10, path))[0] == "PriorityInUse"
    rules = client.describe_rules(ListenerArn=listener)["Rules"]
    assert [rule["Priority"] for rule in rules] == ["10", "20", "default"]
    assert rules[1]["Conditions"][0] == path | {"PathPatternConfig": {"Values": ["/a/*"]}}
    assert refused(client.delete_rule, RuleArn=rules[2]["RuleArn"])[0] == "OperationNotPermitted"
    swap = [{"RuleArn": first["RuleArn"], "Priority": 20}, {"RuleArn": second["RuleArn"], "Priority": 10}]
    client.set_rule_priorities(RulePriorities=swap)
    rules = client.describe_rules(ListenerArn=listener)["Rules"]
    assert [rule["RuleArn"] for rule in rules[:2]] == [second["RuleArn"], first["RuleArn"]]
    client.modify_rule(RuleArn=first["RuleArn"], Conditions=[path])
    client.delete_rule(RuleArn=second["RuleArn"])
    assert len(client.describe_rules(ListenerArn=listener)["Rules"]) == 2


def test_a_target_is_unused_initial_healthy_draining_and_gone(world: World) -> None:
    client, service = world.client, world.service
    balancer, group = world.balancer(), world.group()
    arn = group["TargetGroupArn"]

    def health() -> list[tuple[str, str]]:
        found = client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return [(f["TargetHealth"]["State"], f["TargetHealth"].get("Reason", "")) for f in found]

    assert refused(client.register_targets, TargetGroupArn=arn, Targets=[{"Id": "10.0.0.1"}])[0] == "InvalidTarget"
    service.register(REGION, arn, "127.77.11.4", 8080, "us-west-2a", NOW)
    assert health() == [("unused", "Target.NotInUse")]
    world.listener(balancer, group)
    assert health() == [("initial", "Elb.RegistrationInProgress")]
    service.record_checks([(checked, PASSED) for checked in service.checked_targets()], NOW)
    assert health() == [("healthy", "")]
    service.deregister(REGION, arn, "127.77.11.4", 8080, NOW)
    assert health() == [("draining", "Target.DeregistrationInProgress")]
    assert service.checked_targets() == []
    service.finish_draining({REGION: [f"{arn}|127.77.11.4:8080"]})
    assert service.target_health(REGION, arn, "127.77.11.4", 8080) is None
    (asked,) = client.describe_target_health(TargetGroupArn=arn, Targets=[{"Id": "127.77.11.4"}])[
        "TargetHealthDescriptions"
    ]
    assert asked["TargetHealth"]["Reason"] == "Target.NotRegistered"


def test_tags_are_added_replaced_removed_and_limited(world: World) -> None:
    client, arns = world.client, [world.group()["TargetGroupArn"]]
    client.add_tags(ResourceArns=arns, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    client.add_tags(ResourceArns=arns, Tags=[{"Key": "a", "Value": "3"}])
    client.remove_tags(ResourceArns=arns, TagKeys=["b", "c"])
    assert client.describe_tags(ResourceArns=arns)["TagDescriptions"][0]["Tags"] == [{"Key": "a", "Value": "3"}]
    twice = [{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}]
    assert refused(client.add_tags, ResourceArns=arns, Tags=twice)[0] == "DuplicateTagKeys"
    many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    assert refused(client.add_tags, ResourceArns=arns, Tags=many)[0] == "TooManyTags"


def test_settings_are_changed_one_by_one(world: World) -> None:
    client, arn = world.client, {"LoadBalancerArn": world.balancer()["LoadBalancerArn"]}
    assert client.set_security_groups(**arn, SecurityGroups=[world.group_id])["SecurityGroupIds"] == [world.group_id]
    assert len(client.set_subnets(**arn, Subnets=world.subnets)["AvailabilityZones"]) == 2
    assert client.set_ip_address_type(**arn, IpAddressType="ipv4")["IpAddressType"] == "ipv4"
    assert client.describe_capacity_reservation(**arn)["CapacityReservationState"] == []
    assert client.describe_account_limits()["Limits"]
    assert client.describe_ssl_policies()["SslPolicies"] == []
