"""What every test stands on."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# A program in the background of a script ignores Ctrl-C, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# moto reads these when it is imported.
os.environ["MOTO_ACCOUNT_ID"] = "112530848482"
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

# In CI a failure must mean the change and not the dice; elsewhere the dice go on looking.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")
