"""Decisions of whole policies: vectors from AWS's documentation, and what must hold for any policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.iam import (
    Access,
    Granted,
    MalformedPolicy,
    Policy,
    Trust,
    Trustee,
    decide,
    denial,
    read_policy,
    trusts,
)

ROLE = "arn:aws:sts::112530848482:assumed-role/web/task"
READ = Access("s3:GetObject", "arn:aws:s3:::data/key")


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    return read_policy(json.dumps({"Version": version, "Statement": list(statements)}))


def statement(effect: str = "Allow", action: Any = "s3:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def allowed(access: Access, *identity: Policy, **layers: Policy) -> bool:
    return decide(access, Granted(identity, **layers)).allowed


def test_nothing_is_allowed_by_itself() -> None:
    assert not allowed(READ)
    assert not allowed(READ, policy(statement(action="s3:PutObject")))
    assert not allowed(READ, policy(statement(resource="arn:aws:s3:::other/*")))


@pytest.mark.parametrize("action", ["s3:GetObject", "S3:getobject", "s3:Get*", "*", ["ec2:*", "s3:Get?bject"]])
@pytest.mark.parametrize("resource", ["*", "arn:aws:s3:::data/*", ["arn:aws:s3:::x", "arn:aws:s3:::data/key"]])
def test_an_allow_that_covers_action_and_resource_allows(action: Any, resource: Any) -> None:
    assert allowed(READ, policy(statement(action=action, resource=resource)))


def test_one_statement_needs_no_list() -> None:
    assert allowed(READ, read_policy(json.dumps({"Version": "2012-10-17", "Statement": statement()})))


def test_a_deny_beats_every_allow_of_every_policy() -> None:
    deny = policy(statement("Deny", resource="arn:aws:s3:::data/*"))
    assert not allowed(READ, policy(statement()), deny)
    assert allowed(Access("s3:GetObject", "arn:aws:s3:::public/key"), policy(statement()), deny)


def test_not_action_and_not_resource_cover_the_rest() -> None:
    but_iam = policy({"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"})
    assert allowed(READ, but_iam)
    assert not allowed(Access("iam:GetRole", "*"), but_iam)
    but_data = policy({"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::data/*"}, statement())
    assert allowed(READ, but_data)
    assert not allowed(Access("s3:GetObject", "arn:aws:s3:::other/key"), but_data)


def test_a_statement_counts_only_where_all_its_conditions_hold() -> None:
    home = statement(Condition={"StringEquals": {"aws:a": "1"}, "Bool": {"aws:b": True}})
    assert allowed(Access("s3:X", "*", {"aws:a": ("1",), "aws:b": ("true",)}), policy(home))
    assert not allowed(Access("s3:X", "*", {"aws:a": ("1",), "aws:b": ("false",)}), policy(home))


def test_variables_belong_to_the_version_that_knows_them() -> None:
    own = statement(resource="arn:aws:s3:::home/${aws:username}/*")
    mine = Access("s3:GetObject", "arn:aws:s3:::home/ada/x", {"aws:username": ("ada",)})
    assert allowed(mine, policy(own))
    assert not allowed(mine, policy(own, version="2008-10-17"))


def test_a_boundary_and_a_session_policy_only_take_away() -> None:
    everything, reads = policy(statement(action="*")), policy(statement(action="s3:Get*"))
    write = Access("s3:PutObject", "arn:aws:s3:::data/key")
    assert allowed(READ, everything, boundary=reads)
    assert not allowed(write, everything, boundary=reads)
    assert not allowed(READ, boundary=everything)
    assert not allowed(write, everything, boundary=everything, session=reads)


def test_the_refusal_is_worded_as_by_aws() -> None:
    reads = policy(statement(action="s3:Get*"))
    write = Access("s3:PutObject", "arn:aws:s3:::data/key")
    who = f"User: {ROLE} is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::data/key "

    def words(granted: Granted) -> str:
        return denial(ROLE, write, decide(write, granted)).removeprefix(who)

    assert words(Granted([reads])) == "because no identity-based policy allows the s3:PutObject action"
    assert words(Granted([policy(statement("Deny"))])) == "with an explicit deny in an identity-based policy"
    everything = [policy(statement())]
    assert words(Granted(everything, reads)) == "because no permissions boundary allows the s3:PutObject action"
    deny = policy(statement("Deny"))
    assert words(Granted(everything, deny)) == "with an explicit deny in a permissions boundary"
    assert words(Granted(everything, session=reads)) == "because no session policy allows the s3:PutObject action"


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "{}",
        '{"Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringIs": {"a": "b"}}}]}',
    ],
)
def test_a_document_that_is_not_understood_is_no_policy(text: str) -> None:
    with pytest.raises(MalformedPolicy):
        read_policy(text)


def trust(principal: Any, effect: str = "Allow", **more: Any) -> Policy:
    return policy({"Effect": effect, "Action": "sts:AssumeRole", "Principal": principal, **more})


TASKS = Trustee(service="ecs-tasks.amazonaws.com")
ADA = Trustee(account="112530848482", arns=("arn:aws:iam::112530848482:user/ada",))


def test_a_trust_policy_names_services_principals_and_accounts() -> None:
    service = trust({"Service": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]})
    assert trusts(service, TASKS, {}) is Trust.DIRECT
    assert trusts(service, ADA, {}) is Trust.NONE
    assert trusts(trust({"AWS": "arn:aws:iam::112530848482:root"}), ADA, {}) is Trust.ACCOUNT
    assert trusts(trust({"AWS": "112530848482"}), ADA, {}) is Trust.ACCOUNT
    assert trusts(trust({"AWS": "arn:aws:iam::112530848482:user/ada"}), ADA, {}) is Trust.DIRECT
    assert trusts(trust({"AWS": "arn:aws:iam::112530848482:user/eve"}), ADA, {}) is Trust.NONE
    assert trusts(trust("*"), ADA, {}) is Trust.ACCOUNT
    assert trusts(trust({"AWS": "*"}), TASKS, {}) is Trust.NONE


def test_a_trust_policys_conditions_and_denials_count() -> None:
    bound = {"Condition": {"StringEquals": {"aws:SourceAccount": "112530848482"}}}
    document = trust({"Service": "ecs-tasks.amazonaws.com"}, **bound)
    assert trusts(document, TASKS, {"aws:sourceaccount": ("112530848482",)}) is Trust.DIRECT
    assert trusts(document, TASKS, {"aws:sourceaccount": ("1",)}) is Trust.NONE
    both = Policy((*trust("*").statements, *trust({"AWS": ADA.arns[0]}, "Deny").statements))
    assert trusts(both, ADA, {}) is Trust.NONE


ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:*", "ec2:RunInstances", "*", "s3:Get*"])
RESOURCES = st.sampled_from(["*", "arn:aws:s3:::data/*", "arn:aws:s3:::data/key", "arn:aws:s3:::other"])
STATEMENTS = st.builds(
    lambda effect, key, action, about, resource: {"Effect": effect, key: action, about: resource},
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["Action", "NotAction"]),
    ACTIONS,
    st.sampled_from(["Resource", "NotResource"]),
    RESOURCES,
)
POLICIES = st.lists(st.lists(STATEMENTS, max_size=4).map(lambda found: policy(*found)), max_size=4)
ACCESSES = st.builds(
    Access,
    st.sampled_from(["s3:GetObject", "s3:PutObject", "ec2:RunInstances"]),
    st.sampled_from(["*", "arn:aws:s3:::data/key", "arn:aws:s3:::data/x", "arn:aws:s3:::other"]),
)


@given(ACCESSES, POLICIES)
def test_the_order_of_policies_does_not_matter(access: Access, policies: list[Policy]) -> None:
    assert decide(access, Granted(policies)) == decide(access, Granted(policies[::-1]))


@given(ACCESSES, POLICIES, POLICIES)
def test_a_deny_is_not_undone_by_more_policies(access: Access, policies: list[Policy], more: list[Policy]) -> None:
    if decide(access, Granted(policies)).explicit:
        assert not decide(access, Granted([*policies, *more])).allowed


@given(ACCESSES, POLICIES, POLICIES)
def test_a_boundary_never_grants(access: Access, policies: list[Policy], boundaries: list[Policy]) -> None:
    for boundary in boundaries:
        if decide(access, Granted(policies, boundary)).allowed:
            assert decide(access, Granted(policies)).allowed
            assert decide(access, Granted([boundary])).allowed


@given(ACCESSES, POLICIES)
def test_without_an_allow_nothing_is_allowed(access: Access, policies: list[Policy]) -> None:
    denying = [Policy(tuple(s for s in found.statements if not s.allows)) for found in policies]
    assert not decide(access, Granted(denying)).allowed
    assert decide(access, Granted(policies)).allowed <= any(s.allows for found in policies for s in found.statements)


@given(ACCESSES, ACTIONS)
def test_an_action_is_covered_by_action_or_by_not_action(access: Access, pattern: str) -> None:
    one = policy({"Effect": "Allow", "Action": pattern, "Resource": "*"})
    other = policy({"Effect": "Allow", "NotAction": pattern, "Resource": "*"})
    assert allowed(access, one) != allowed(access, other)
