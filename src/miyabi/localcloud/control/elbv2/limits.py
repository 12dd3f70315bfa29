"""Account limits and security policies."""

from __future__ import annotations

from miyabi.localcloud.control.elbv2.nouns import Nouns
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result

_LIMITS = {
    "application-load-balancers": 50,
    "target-groups": 3000,
    "targets-per-application-load-balancer": 1000,
    "listeners-per-application-load-balancer": 50,
    "rules-per-application-load-balancer": 100,
    "condition-values-per-alb-rule": 5,
    "condition-wildcards-per-alb-rule": 6,
    "target-groups-per-action-on-application-load-balancer": 5,
    "target-groups-per-application-load-balancer": 100,
    "certificates-per-application-load-balancer": 25,
}
"""AWS's defaults. Source: docs.aws.amazon.com, "Quotas for your Application Load Balancers"."""


class Limits(Nouns):
    """What an account may have."""

    def describe_account_limits(self, caller: Caller, params: Params) -> Result:  # noqa: ARG002 - the same for all
        """Describe AWS's default limits."""
        return {"Limits": [{"Name": name, "Max": str(most)} for name, most in _LIMITS.items()]}

    def describe_ssl_policies(self, caller: Caller, params: Params) -> Result:  # noqa: ARG002 - the same for all
        """Describe no policy: there are no HTTPS listeners here."""
        names = params.get("Names") or []
        if names:
            raise ApiError("SSLPolicyNotFound", f"SSL policies '[{', '.join(names)}]' not found")
        return {"SslPolicies": []}
