from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.log_filter import InvalidFilter, compile_filter

REQUESTS = ["[INFO] REQUEST FAILED", "[WARN] UNAUTHORIZED REQUEST", "[ERROR] 400 BAD REQUEST"]
ERRORS = [
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[ERROR 420] INVALID ARGUMENTS",
]
TRAIL = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "ThisFlag": True,
        "cluster.name": "c",
        "latency": 55.5,
        "accountId": "123456789012",
        "pattern": "Ev*ent",
    }
)
PEOPLE = json.dumps(
    {
        "user": {"id": 1, "email": "John.Stiles@example.com"},
        "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
        "actions": ["GET", "PUT", "DELETE"],
        "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
    }
)
ACCESS = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


def matching(pattern: str, messages: list[str]) -> list[str]:
    compiled = compile_filter(pattern)
    return [message for message in messages if compiled.matches(message)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ERRORS),
        ("   ", ERRORS),
        ('" "', ERRORS),
        ("ERROR", ERRORS),
        ("error", []),
        ("ERROR ARGUMENTS", ERRORS[2:]),
        ("?UNAUTHORIZED ?MISSING", ERRORS[1:3]),
        ("?ERROR ?MISSING REQUEST", ERRORS[:2]),
        ("?MISSING -ARGUMENTS", ERRORS[:2]),
        ("ERROR -ARGUMENTS", ERRORS[:2]),
        ('"ERROR" - "ARGUMENTS"', ERRORS[:2]),
        ('"BAD REQUEST"', ERRORS[:1]),
        ('"[ERROR 4" -MISSING', [*ERRORS[:2], ERRORS[3]]),
        ("%AUTHORIZED%", ERRORS[1:2]),
        (r"%\[ERROR 4(?)%".replace("(?)", "[12]9"), ERRORS[2:3]),
        ("%ARGUMENTS$%", ERRORS[2:]),
        ("%^ERROR%", []),
    ],
)
def test_terms_match_as_documented(pattern: str, expected: list[str]) -> None:
    assert matching(pattern, ERRORS) == expected


def test_question_marks_are_ignored_beside_other_terms() -> None:
    assert matching("?ERROR ?ARGUMENTS REQUEST", REQUESTS) == REQUESTS


def test_an_escaped_quotation_mark_is_part_of_the_phrase() -> None:
    assert compile_filter(r'"say \"no\""').matches('they say "no" again')


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ('{ $.eventType = "updatetrail" }', False),
        ("{ $.eventType = UpdateTrail }", True),
        ("{$.eventType=Update*}", True),
        ('{ $.eventType = "*Trail" }', True),
        ("{ $.eventType = *dateT* }", True),
        ("{ $.eventType = Up*il }", False),
        ('{ $.pattern = "Ev*ent" }', True),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress != 111.111.* }", False),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[2] = "value" }', False),
        ('{ $.arrayKey = "value" }', False),
        ('{ $.arrayKey != "value" }', False),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[1].id = 2.0 }", True),
        ('{ $.objectList[1].id = "2" }', False),
        ("{ $.objectList[*].id = 2 }", True),
        ("{ $.objectList[*].id = 3 }", False),
        ("{ $.eventType = %Trail% }", True),
        ("{ $.arrayKey[*] = %val.{2}% }", True),
        (r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }", True),
        ("{ $.['cluster.name'] = \"c\" }", True),
        ('{ $["cluster.name"] = "c" }', True),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.eventType IS NULL }", False),
        ("{ $.Nothing IS NULL }", False),
        ("{ $.ThisFlag IS TRUE }", True),
        ("{ $.ThisFlag IS FALSE }", False),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.latency >= 55.5 && $.latency < 1e2 }", True),
        ("{ $.latency > 55.5 }", False),
        ("{ $.latency <= +55.50 }", True),
        ("{ $.latency = * }", True),
        ("{ $.Nothing = * }", False),
        ("{ $.Nothing != x }", False),
        ("{ $.accountId = 123456789012 }", True),
        ("{ $.accountId > 1 }", False),
    ],
)
def test_json_patterns_match_as_documented(pattern: str, expected: bool) -> None:
    assert compile_filter(pattern).matches(TRAIL) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', True),
        ('{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }', False),
        (
            '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "no" && $.actions[2] = "no" }',
            True,
        ),
        (
            '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "no") && $.actions[2] = "no" }',
            False,
        ),
    ],
)
def test_compound_conditions_follow_the_order_of_operations(pattern: str, expected: bool) -> None:
    assert compile_filter(pattern).matches(PEOPLE) is expected


@pytest.mark.parametrize("message", ["", "plain", '{"a": 1', "[1]", '{"a": NaN}', "{" * 5000, '{"a":' * 50000])
def test_a_message_that_is_no_json_object_matches_no_json_pattern(message: str) -> None:
    assert not compile_filter("{ $.b NOT EXISTS }").matches(message)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True),
        (r"[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", True),
        ("[..., request =*.html*, status_code = 4*, bytes]", True),
        ("[..., request=*.html*, status_code=4*,]", True),
        ("[ip, user, ..., status_code, bytes > 1000]", True),
        ("[ip, user, ..., bytes > 1534]", False),
        ("[ip, user, ...]", True),
        ("[ip, user=Test, ...]", False),
        ("[..., status_code = 404 || status_code = 410, bytes]", True),
        ("[..., status_code = 4* && status_code != 404, bytes]", False),
        ("[..., (status_code >= 400 && status_code < 500), bytes]", True),
        ('[ip, user, username, timestamp="10/Oct/2000*", ...]', True),
        ("[a, b, c, d, e, f, g, h]", False),
        ("[ip, rest = Prod*]", True),
        ('[ip, rest="*1534"]', True),
    ],
)
def test_space_delimited_patterns_match_as_documented(pattern: str, expected: bool) -> None:
    assert compile_filter(pattern).matches(ACCESS) is expected


def test_the_last_field_holds_the_rest_of_the_line() -> None:
    lines = [
        "INFO 09/25/2014 12:00:00 GET /service/resource/67 1200",
        "WARNING 09/25/2014 12:00:02 Invalid user request",
        "ERROR 09/25/2014 12:00:02 Failed to process request",
    ]
    assert matching("[w1=ERROR, w2]", lines) == lines[2:]
    assert matching("[w1=ERROR || w1=WARNING, w2]", lines) == lines[1:]
    assert matching("[w1!=ERROR && w1!=WARNING, w2]", lines) == lines[:1]
    assert matching("[l, date, time, method, url=%/service/resource/[0-9]+$%, t]", lines) == lines[:1]


@pytest.mark.parametrize(
    "pattern",
    [
        "a:b",
        "?",
        "ERROR -",
        '"open',
        '"a"b',
        "%open",
        "%a% b",
        "%(a)%",
        "%a!%",
        "%é%",
        "%%",
        "%[a--z]%",
        r"%\b%",
        "%a**%",
        "%a{x}%",
        "%[z-a]%",
        "{",
        "{}",
        "{ $ = 1 }",
        "{ a = 1 }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ $.a = 1 } x",
        "{ $.a == 1 }",
        "{ $.a > x }",
        '{ $.a > "1" }',
        "{ $.a > %1% }",
        "{ $.a EXISTS }",
        "{ $.a IS NOT NULL }",
        "{ ($.a = 1 }",
        "{ $.a = 1 && }",
        "{ $.*.b[*] = 1 }",
        "{ $.a[*] = 1 && $.b[*] = 1 && $.c[*] = 1 && $.d[*] = 1 }",
        "{ $.a = %1% && $.b = %2% && $.c = %3% }",
        "{" + "(" * 200 + "$.a=1" + ")" * 200 + "}",
        "[",
        "[a, b",
        "[a, ..., b, ...]",
        "[a = 1 || b = 2]",
        "[a] b",
        "[a = ]",
    ],
)
def test_bad_syntax_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidFilter):
        compile_filter(pattern)


@given(st.text(alphabet="{}[]()$.*%\"'?-=!<>&|ab1, \\", max_size=40), st.text(max_size=40))
def test_any_pattern_either_compiles_and_decides_or_is_refused(pattern: str, message: str) -> None:
    try:
        compiled = compile_filter(pattern)
    except InvalidFilter:
        return
    assert compiled.matches(message) in {True, False}


@given(st.lists(st.from_regex(r"\A[a-c_0-9]{1,3}\Z"), min_size=1, max_size=4), st.text("abc_019 ", max_size=30))
def test_terms_are_all_of_and_question_marks_any_of(terms: list[str], message: str) -> None:
    assert compile_filter(" ".join(terms)).matches(message) == all(term in message for term in terms)
    assert compile_filter(" ".join(f"?{term}" for term in terms)).matches(message) == any(
        term in message for term in terms
    )
    assert compile_filter(" ".join(f"-{term}" for term in terms)).matches(message) != any(
        term in message for term in terms
    )


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_numbers_compare_as_numbers(left: int, right: int) -> None:
    message = json.dumps({"n": left})
    for sign, expected in {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }.items():
        assert compile_filter(f"{{ $.n {sign} {right} }}").matches(message) is expected
        assert compile_filter(f"[n {sign} {right}]").matches(str(left)) is expected


@given(st.text(st.characters(exclude_characters='"\\*', exclude_categories=("Cs",)), min_size=1, max_size=20))
def test_a_quoted_value_equals_just_itself(value: str) -> None:
    compiled = compile_filter('{ $.a = "' + value + '" }')
    assert compiled.matches(json.dumps({"a": value}))
    assert not compiled.matches(json.dumps({"a": value + "x"}))
