"""A listener's rules in HAProxy's language.

Nothing that a user wrote reaches the file unescaped: patterns become regular expressions, and every character that is
not a letter or digit is written by its code.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence

from miyabi.model.load_balancing import Action, Condition, FixedResponse, Redirect, Rule, WeightedTargetGroup

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;/<>=()-_!?*+&")
_ARGUMENT = frozenset("\\'\"(), ")
_BODILESS = frozenset({204, 205})
_OWN = "hdr Server awselb/2.0"


def quoted(text: str, *, fmt: bool = False) -> str:
    """Return the text as one argument of HAProxy's configuration.

    fmt: the argument is a log format, where a percent sign is written twice.
    """
    text = text.replace("%", "%%") if fmt else text
    return '"' + "".join(chr(b) if chr(b) in _PLAIN else f"\\x{b:02x}" for b in text.encode()) + '"'


def pattern(text: str) -> str:
    """Return a regular expression for a pattern with `*` (any characters) and `?` (one character)."""
    return "".join(_PATTERN.get(c) or (c if c.isascii() and c.isalnum() else _code(c)) for c in text)


_PATTERN = {"*": ".*", "?": "."}


def _code(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def rule_lines(
    rules: Sequence[Rule],
    backend_names: Mapping[str, str],
    listener_port: int,
    page: Callable[[str], str],
) -> list[str]:
    """Return the lines that pick the first rule that holds, and those that do what it says."""
    lines = []
    for index, rule in enumerate(rules):
        conditions = " ".join(_condition(condition) for condition in rule.conditions)
        unset = "!{ var(txn.rule) -m found } " if index else ""
        guard = f" if {unset}{conditions}".rstrip() if unset or conditions else ""
        lines.append(f"  http-request set-var(txn.rule) int({index}){guard}")
    for index, rule in enumerate(rules):
        lines += _action(rule.action, f"{{ var(txn.rule) -m int {index} }}", backend_names, listener_port, page)
    # HAProxy runs every http-request rule before the first use_backend, wherever they stand.
    return sorted(lines, key=lambda line: line.startswith("  use_backend"))


def _condition(condition: Condition) -> str:
    """Return an anonymous ACL, or several; all conditions of a rule must hold, one value of each."""
    match condition.field:
        case "path-pattern":
            return _regular("path -m reg", condition.values)
        case "host-header":
            return _regular("req.hdr(host),field(1,:) -m reg -i", condition.values)
        case "http-header":
            return _regular(f"{_header(condition.header_name or '')} -m reg -i", condition.values)
        case "http-request-method":
            return _regular("method -m reg", condition.values)
        case "query-string":
            return "{ query -m reg -i " + " ".join(_pair(value) for value in condition.values) + " }"
        case "source-ip":
            networks = (str(ipaddress.ip_network(value, strict=False)) for value in condition.values)
            return "{ src " + " ".join(networks) + " }"
        case _:
            raise ValueError(f"unknown condition {condition.field}")


def _header(name: str) -> str:
    """Return the sample of a header. Within the parentheses HAProxy reads quotes and escapes once more."""
    escaped = "".join(f"\\{character}" if character in _ARGUMENT else character for character in name)
    return quoted(f"req.fhdr({escaped})")


def _pair(value: str) -> str:
    """Return a regular expression for `key=value`, or for the value of any key."""
    expression = pattern(value).replace(".*", "[^&]*")
    return f"'(^|&){'' if '=' in value else '([^=&]*=)?'}{expression}(&|$)'"


def _regular(sample: str, values: Sequence[str]) -> str:
    return f"{{ {sample} " + " ".join(f"'^{pattern(value)}$'" for value in values) + " }"


def _action(
    action: Action,
    chosen: str,
    backend_names: Mapping[str, str],
    listener_port: int,
    page: Callable[[str], str],
) -> list[str]:
    if action.fixed_response is not None:
        return [_fixed(action.fixed_response, chosen)]
    if action.redirect is not None:
        return _redirect(action.redirect, chosen, listener_port, page)
    return _forward(action.forward, chosen, backend_names, page)


def _fixed(response: FixedResponse, chosen: str) -> str:
    content = ""
    if response.body and response.status_code not in _BODILESS:  # HAProxy takes neither an empty body nor one to a 204
        content = f" content-type {quoted(response.content_type)} string {quoted(response.body)}"
    return f"  http-request return status {response.status_code}{content} {_OWN} if {chosen}"


def _redirect(redirect: Redirect, chosen: str, listener_port: int, page: Callable[[str], str]) -> list[str]:
    title = {301: "301 Moved Permanently", 302: "302 Found"}[redirect.status_code]
    keywords = {
        "#{protocol}": "http",
        "#{host}": "%[req.hdr(host),field(1,:)]",
        "#{port}": str(listener_port),
        "#{path}": "%[path,regsub(^/,)]",
        "#{query}": "%[query]",
    }

    def part(text: str) -> str:
        """Escape the text, then put the request's own parts in place of the keywords."""
        escaped = quoted(text, fmt=True)[1:-1]
        for keyword, sample in keywords.items():
            escaped = escaped.replace(quoted(keyword)[1:-1], sample)
        return escaped

    location = (
        f"{part(redirect.protocol).lower() if redirect.protocol != '#{protocol}' else 'http'}://"
        f"{part(redirect.host)}:{part(redirect.port)}{part(redirect.path)}"
    )
    body = quoted(page(title))
    answer = f"  http-request return status {redirect.status_code} content-type text/html string {body} {_OWN}"
    plain = f'{answer} hdr Location "{location}" if {chosen}'
    if not redirect.query:
        return [plain]
    with_query = f'{answer} hdr Location "{location}?{part(redirect.query)}" if {chosen}'
    if redirect.query == "#{query}":
        return [f"{with_query} {{ query -m found }}", plain]
    return [with_query]


def _forward(
    groups: Sequence[WeightedTargetGroup],
    chosen: str,
    backend_names: Mapping[str, str],
    page: Callable[[str], str],
) -> list[str]:
    names = [backend_names[group.target_group_arn] for group in groups]
    if len(groups) == 1:
        return [f"  use_backend {names[0]} if {chosen}"]
    total = sum(group.weight for group in groups)
    if total == 0:
        body = quoted(page("503 Service Temporarily Unavailable"))
        return [f"  http-request return status 503 content-type text/html string {body} {_OWN} if {chosen}"]
    lines = [f"  http-request set-var(txn.share) rand({total}) if {chosen}"]
    below = 0
    for group, name in zip(groups, names, strict=True):
        below += group.weight
        if group.weight:
            lines.append(f"  use_backend {name} if {chosen} {{ var(txn.share) -m int lt {below} }}")
    return lines
