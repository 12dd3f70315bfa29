"""The actions of a rule, between the API's shape and ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from miyabi.localcloud.control.elbv2.fields import is_port, number, text
from miyabi.localcloud.control.elbv2.nouns import invalid, unsupported
from miyabi.localcloud.control.service import ApiError
from miyabi.model.load_balancing import Action, FixedResponse, Redirect, WeightedTargetGroup

_CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
_FIXED_STATUS = re.compile("[245][0-9]{2}")
_UNWRITABLE = re.compile("[\\0\ud800-\udfff]")
_REDIRECTS = {"HTTP_301": 301, "HTTP_302": 302}


def parse_actions(actions: Sequence[dict[str, Any]]) -> Action:
    """Return the one action of a rule; ValidationError, UnsupportedOperation."""
    if not actions:
        raise invalid("You must specify at least one action")
    if len(actions) > 1:
        kinds = ", ".join(str(action.get("Type")) for action in actions)
        raise unsupported(f"several actions in a rule ({kinds}): authentication has nothing to speak to")
    (action,) = actions
    match text(action, "Type"):
        case "forward":
            return Action(forward=_forward(action))
        case "fixed-response":
            return Action(fixed_response=_fixed_response(action.get("FixedResponseConfig") or {}))
        case "redirect":
            return Action(redirect=_redirect(action.get("RedirectConfig") or {}))
        case other:
            raise unsupported(f"the action {other}: use forward, redirect or fixed-response")


def _forward(action: dict[str, Any]) -> tuple[WeightedTargetGroup, ...]:
    config = action.get("ForwardConfig") or {}
    if (config.get("TargetGroupStickinessConfig") or {}).get("Enabled"):
        raise unsupported("target group stickiness")
    groups = tuple(
        WeightedTargetGroup(text(group, "TargetGroupArn"), _weight(group.get("Weight")))
        for group in config.get("TargetGroups") or []
    )
    single = action.get("TargetGroupArn")
    if not groups and single:
        groups = (WeightedTargetGroup(single),)
    if not groups:
        raise invalid("A target group ARN must be specified for a forward action")
    if single and [group.target_group_arn for group in groups] != [single]:
        raise invalid("TargetGroupArn must name the one target group of ForwardConfig")
    if len({group.target_group_arn for group in groups}) < len(groups):
        raise invalid("A target group is named twice in a forward action")
    if len(groups) > 5:
        raise ApiError("TooManyTargetGroups", "A forward action takes at most 5 target groups")
    return groups


def _weight(weight: Any) -> int:
    return 1 if weight is None else number(weight, "Weight", range(1000))


def _fixed_response(config: dict[str, Any]) -> FixedResponse:
    status, kind, body = (
        config.get("StatusCode") or "",
        config.get("ContentType") or "text/plain",
        config.get("MessageBody") or "",
    )
    if not _FIXED_STATUS.fullmatch(status):
        raise invalid(f"Fixed response status code '{status}' must match 2XX, 4XX or 5XX")
    if kind not in _CONTENT_TYPES:
        raise invalid(f"Fixed response content type '{kind}' must be one of [{', '.join(_CONTENT_TYPES)}]")
    if len(body) > 1024:
        raise invalid("Fixed response body must hold at most 1024 characters")
    if _UNWRITABLE.search(body):
        raise invalid("Fixed response body must not hold NUL or half of a surrogate pair")
    return FixedResponse(int(status), kind, body)


def _redirect(config: dict[str, Any]) -> Redirect:
    if config.get("StatusCode") not in _REDIRECTS:
        raise invalid(f"Redirect status code '{config.get('StatusCode')}' must be HTTP_301 or HTTP_302")
    redirect = Redirect(
        protocol=config.get("Protocol") or "#{protocol}",
        host=config.get("Host") or "#{host}",
        port=config.get("Port") or "#{port}",
        path=config.get("Path") or "/#{path}",
        query="#{query}" if config.get("Query") is None else config["Query"],
        status_code=_REDIRECTS[config["StatusCode"]],
    )
    if redirect.protocol not in {"HTTP", "HTTPS", "#{protocol}"}:
        raise invalid(f"Redirect protocol '{redirect.protocol}' must be HTTP, HTTPS or #{{protocol}}")
    port = redirect.port
    if port != "#{port}" and not is_port(port):
        raise invalid(f"Redirect port '{port}' must be #{{port}} or between 1 and 65535")
    if not redirect.path.startswith("/"):
        raise invalid(f"Redirect path '{redirect.path}' must begin with '/'")
    parts = (redirect.host, redirect.path, redirect.query)
    if any(len(part) > 128 or not part.isprintable() or " " in part for part in parts):
        raise invalid("Redirect host, path and query must be printable and hold at most 128 characters")
    unchanged = ("#{protocol}", "#{host}", "#{port}", "/#{path}")
    if (redirect.protocol, redirect.host, port, redirect.path) == unchanged:
        raise ApiError(
            "InvalidLoadBalancerAction",
            "The redirect configuration is not valid because it creates a loop.",
        )
    return redirect


def describe_actions(action: Action) -> list[dict[str, Any]]:
    """Return the action as AWS shows it."""
    if action.fixed_response is not None:
        fixed = action.fixed_response
        config = {"StatusCode": str(fixed.status_code), "ContentType": fixed.content_type}
        config |= {"MessageBody": fixed.body} if fixed.body else {}
        return [{"Type": "fixed-response", "Order": 1, "FixedResponseConfig": config}]
    if action.redirect is not None:
        redirect = action.redirect
        config = {
            "Protocol": redirect.protocol,
            "Port": redirect.port,
            "Host": redirect.host,
            "Path": redirect.path,
            "Query": redirect.query,
            "StatusCode": f"HTTP_{redirect.status_code}",
        }
        return [{"Type": "redirect", "Order": 1, "RedirectConfig": config}]
    return [_describe_forward(action.forward)]


def _describe_forward(groups: tuple[WeightedTargetGroup, ...]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "Type": "forward",
        "Order": 1,
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": group.target_group_arn, "Weight": group.weight} for group in groups],
            "TargetGroupStickinessConfig": {"Enabled": False},
        },
    }
    return described | ({"TargetGroupArn": groups[0].target_group_arn} if len(groups) == 1 else {})
