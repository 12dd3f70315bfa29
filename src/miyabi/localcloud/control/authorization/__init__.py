"""What a signed request does, to what, and whether its signer's policies allow it. The decision is `policy.iam`'s.

Everything here runs on the engine's worker thread: it reads moto's IAM.
"""

from miyabi.localcloud.control.authorization.border import Border
from miyabi.localcloud.control.authorization.execution_role import ExecutionRole, Refused
from miyabi.localcloud.control.authorization.principals import Principal, Principals

__all__ = ["Border", "ExecutionRole", "Principal", "Principals", "Refused"]
