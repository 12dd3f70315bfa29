"""What every test stands on."""

from __future__ import annotations

import os

# moto reads these when it is imported.
os.environ["MOTO_ACCOUNT_ID"] = "112530848482"
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
