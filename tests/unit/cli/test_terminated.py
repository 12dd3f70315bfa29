"""SIGTERM ends a command as Ctrl-C does."""

from __future__ import annotations

import signal
import subprocess
import sys

SCRIPT = """
import time
from miyabi.cli import entry, main

def run(*args, **kwargs):
    print("ready", flush=True)
    time.sleep(60)

entry.run = run
main()
"""


def test_sigterm_is_taken_as_an_interrupt() -> None:
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.startswith("error: interrupted")
