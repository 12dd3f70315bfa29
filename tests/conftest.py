"""What every test stands on."""

from __future__ import annotations

import os

from hypothesis import settings

# moto reads these when it is imported.
os.environ["MOTO_ACCOUNT_ID"] = "112530848482"
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

# In CI a failure must mean the change and not the dice; elsewhere the dice go on looking.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")
