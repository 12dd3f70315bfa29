"""The check of each request that is not signed by the instance's own key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from moto.core.request import Request

from miyabi.localcloud.control.authorization.accesses import RolesOf, accesses_of
from miyabi.localcloud.control.authorization.parameters import operation_and_parameters
from miyabi.localcloud.control.authorization.principals import Principal, Principals
from miyabi.localcloud.control.authorization.resources import Params, Place
from miyabi.localcloud.control.calls import Call
from miyabi.localcloud.control.service import ApiError
from miyabi.policy.iam import Access, Decision, Trust, Trustee, decide, denial

_FREE = {("sts", "GetCallerIdentity")}
"""What everybody may do, whatever policies say."""
_CODES = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}


class Border:
    """Refuses what the signer's policies do not allow."""

    def __init__(self, principals: Principals, roles_of: RolesOf) -> None:
        self._principals = principals
        self._roles_of = roles_of

    def check(
        self, access_key: str, request: Request, call: Call, headers: Mapping[str, str], *, region: str, now: datetime
    ) -> None:
        """Raise `ApiError` in the service's own words unless the request is allowed.

        headers: names in lower case.
        """
        principal = self._principals.of_key(access_key)
        _refuse_two_actions(call, request, headers)
        operation, params = operation_and_parameters(call, request, headers)
        if (call.service, operation) in _FREE:
            return
        place = Place(self._principals.account, region)
        if "x-amz-copy-source" in headers:
            params["x-amz-copy-source"] = headers["x-amz-copy-source"]
        seen = _seen(headers, now) | dict(principal.context)
        for needed in _needed(call, operation, params, place, self._roles_of):
            access = Access(needed.action, needed.resource, {**seen, **needed.context})
            decision = decide(access, principal.granted)
            if needed.action == "sts:AssumeRole":
                self._check_trust(principal, access, decision)
            elif not decision.allowed:
                raise _refused(call, principal, access, decision)

    def _check_trust(self, principal: Principal, access: Access, decision: Decision) -> None:
        """Refuse unless the role's trust policy names the principal, or trusts the account and the policies allow."""
        trustee = Trustee(account=self._principals.account, arns=principal.arns)
        trust = self._principals.trust(access.resource, trustee, access.context)
        if trust is Trust.NONE or decision.explicit or (trust is Trust.ACCOUNT and not decision.allowed):
            raise ApiError(
                "AccessDenied",
                f"User: {principal.arn} is not authorized to perform: sts:AssumeRole on resource: {access.resource}",
            )


def _needed(call: Call, operation: str, params: Params, place: Place, roles_of: RolesOf) -> list[Access]:
    try:
        return list(accesses_of(call.service, operation, params, place, roles_of))
    except (ValueError, TypeError, AttributeError) as error:
        raise ApiError("SerializationException", f"A parameter has another type than it should: {error}") from error


def _refused(call: Call, principal: Principal, access: Access, decision: Decision) -> ApiError:
    message = denial(principal.arn, access, decision)
    if call.service == "s3":
        message = message.replace(f"on resource: {access.resource} ", f'on resource: "{access.resource}" ', 1)
    if call.service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    default = "AccessDeniedException" if "json" in call.protocol else "AccessDenied"
    return ApiError(_CODES.get(call.service, default), message)


def _refuse_two_actions(call: Call, request: Request, headers: Mapping[str, str]) -> None:
    """Refuse what names its action twice: what is checked must be what is run."""
    if call.protocol in {"query", "ec2"}:
        named = len(request.args.getlist("Action")) + len(request.form.getlist("Action"))
        if named + ("x-amz-target" in headers) > 1:
            raise ApiError("InvalidAction", "The request names more than one action.")


def _seen(headers: Mapping[str, str], now: datetime) -> dict[str, tuple[str, ...]]:
    seen: dict[str, tuple[str, ...]] = {
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:sourceip": ("127.0.0.1",),
    }
    if "user-agent" in headers:
        seen["aws:useragent"] = (headers["user-agent"],)
    return seen
