"""Run all tests: `python -m tests`, as `make test` does.

Those that mostly wait for real processes run in the foreground. Those that mostly reckon run beside them, with what
processor time is left; what they print comes at the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WAITING = ("tests/acceptance", "tests/integration")
ALL = {f"tests/{path.relative_to(ROOT / 'tests').parts[0]}" for path in ROOT.glob("tests/*/**/test_*.py")}
PYTEST = (sys.executable, "-m", "pytest")


def main() -> int:
    """Run both halves and return the exit code: that of the first that failed."""
    with tempfile.TemporaryFile() as said:
        reckoning = sorted(ALL - set(WAITING))
        beside = subprocess.Popen([*PYTEST, *reckoning], cwd=ROOT, stdout=said, stderr=said)
        os.setpriority(os.PRIO_PROCESS, beside.pid, 19)
        waiting = subprocess.Popen([*PYTEST, *WAITING], cwd=ROOT)
        code = to_the_end(waiting)
        beside_code = to_the_end(beside)
        said.seek(0)
        sys.stdout.buffer.write(said.read())
    return code or beside_code


def to_the_end(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; a Ctrl-C has reached it too, and it has to clean up."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main())
