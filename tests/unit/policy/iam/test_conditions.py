"""Condition operators, with the meaning that AWS documents."""

from __future__ import annotations

import pytest

from miyabi.policy.iam.conditions import holds, read_condition

CONTEXT = {
    "aws:sourceip": ("10.0.1.7",),
    "aws:currenttime": ("2026-11-27T12:00:00Z",),
    "aws:epochtime": ("1795780800",),
    "aws:username": ("ada",),
    "aws:principalarn": ("arn:aws:iam::112530848482:role/app/web",),
    "aws:securetransport": ("true",),
    "aws:tagkeys": ("team", "cost"),
    "s3:max-keys": ("10",),
}


def met(operator: str, key: str, *values: str) -> bool:
    return holds(read_condition(operator, key, values), CONTEXT)


@pytest.mark.parametrize(
    ("operator", "key", "values", "expected"),
    [
        ("StringEquals", "aws:UserName", ["ada"], True),
        ("StringEquals", "aws:username", ["eve", "ada"], True),
        ("StringEquals", "aws:username", ["Ada"], False),
        ("StringEquals", "aws:username", ["a*"], False),
        ("StringEquals", "aws:username", ["${aws:username}"], True),
        ("StringEqualsIgnoreCase", "aws:username", ["ADA"], True),
        ("StringNotEquals", "aws:username", ["eve"], True),
        ("StringNotEquals", "aws:username", ["eve", "ada"], False),
        ("StringNotEqualsIgnoreCase", "aws:username", ["ADA"], False),
        ("StringLike", "aws:username", ["a*"], True),
        ("StringNotLike", "aws:username", ["a*"], False),
        ("NumericEquals", "s3:max-keys", ["10.0"], True),
        ("NumericNotEquals", "s3:max-keys", ["11"], True),
        ("NumericLessThan", "s3:max-keys", ["10"], False),
        ("NumericLessThanEquals", "s3:max-keys", ["10"], True),
        ("NumericGreaterThan", "s3:max-keys", ["9"], True),
        ("NumericGreaterThanEquals", "s3:max-keys", ["11"], False),
        ("NumericLessThan", "aws:username", ["10"], False),
        ("DateLessThan", "aws:CurrentTime", ["2027-01-01T00:00:00Z"], True),
        ("DateGreaterThan", "aws:CurrentTime", ["2027-01-01"], False),
        ("DateEquals", "aws:EpochTime", ["2026-11-27T12:00:00Z"], True),
        ("DateNotEquals", "aws:CurrentTime", ["2026-11-27T12:00:00Z"], False),
        ("Bool", "aws:SecureTransport", ["true"], True),
        ("Bool", "aws:SecureTransport", ["false"], False),
        ("IpAddress", "aws:SourceIp", ["192.0.2.0/24", "10.0.0.0/16"], True),
        ("NotIpAddress", "aws:SourceIp", ["10.0.0.0/16"], False),
        ("IpAddress", "aws:SourceIp", ["10.0.1.7"], True),
        ("ArnLike", "aws:PrincipalArn", ["arn:aws:iam::*:role/app/*"], True),
        ("ArnLike", "aws:PrincipalArn", ["arn:aws:iam:*:role/app/web"], False),
        ("ArnEquals", "aws:PrincipalArn", ["arn:aws:iam::112530848482:role/app/web"], True),
        ("ArnNotLike", "aws:PrincipalArn", ["arn:aws:iam::*:role/other"], True),
        ("ArnNotEquals", "aws:PrincipalArn", ["arn:aws:iam::*:role/app/*"], False),
        ("BinaryEquals", "aws:username", ["ada"], True),
        ("Null", "aws:username", ["false"], True),
        ("Null", "aws:MultiFactorAuthAge", ["true"], True),
        ("Null", "aws:username", ["true"], False),
    ],
)
def test_an_operator_compares(operator: str, key: str, values: list[str], expected: bool) -> None:
    assert met(operator, key, *values) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("BoolIfExists", True),
        ("Bool", False),
        ("NotIpAddress", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
    ],
)
def test_a_key_that_the_request_does_not_have(operator: str, expected: bool) -> None:
    assert met(operator, "aws:nothing", "x") is expected


def test_sets_of_values() -> None:
    assert met("ForAllValues:StringEquals", "aws:TagKeys", "team", "cost", "stage")
    assert not met("ForAllValues:StringEquals", "aws:TagKeys", "team")
    assert met("ForAnyValue:StringEquals", "aws:TagKeys", "team")
    assert not met("ForAnyValue:StringLike", "aws:TagKeys", "x*")
    assert met("ForAllValues:StringNotEquals", "aws:TagKeys", "x")
    assert not met("ForAllValues:StringNotEquals", "aws:TagKeys", "cost")
    assert met("ForAnyValue:StringNotEquals", "aws:TagKeys", "cost")


def test_an_operator_that_there_is_not_is_refused() -> None:
    for name in ("StringSimilar", "ForSomeValues:StringEquals"):
        with pytest.raises(ValueError, match=r".+"):
            read_condition(name, "aws:username", ("x",))
