"""IAM's decision: whether policies allow an action on a resource. Pure: documents and a request in, a decision out.

What a request does, to what, and which policies its signer has is found by the caller.
Source: docs.aws.amazon.com, "Policy evaluation logic" and "IAM JSON policy element reference".
"""

from miyabi.policy.iam.document import MalformedPolicy, Policy, read_policy
from miyabi.policy.iam.evaluation import Access, Decision, Granted, decide, denial
from miyabi.policy.iam.trust import Trust, Trustee, trusts

__all__ = [
    "Access",
    "Decision",
    "Granted",
    "MalformedPolicy",
    "Policy",
    "Trust",
    "Trustee",
    "decide",
    "denial",
    "read_policy",
    "trusts",
]
