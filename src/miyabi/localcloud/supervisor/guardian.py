"""The supervisor's parent: it does nothing but wait, and when the supervisor is gone it ends what that left behind.

The kernel kills the supervisor's children with it, but not theirs: PostgreSQL's backends, HAProxy's workers, whatever
a task's shell started, perhaps in a session of its own and without our marks. All of them are handed to the nearest
ancestor that adopts orphans, which is this process. It kills only its own descendants, found by descent and not by
remembered pids, so it can never touch a stranger or the next supervisor's children.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from miyabi.localcloud.supervisor.identity import descendants
from miyabi.localcloud.supervisor.spawning import PR_SET_CHILD_SUBREAPER, PR_SET_NAME, PR_SET_PDEATHSIG, load_prctl

GUARDIAN_LOST = signal.SIGUSR2
"""What the supervisor is sent when its guardian dies."""
_GIVE_UP_SECONDS = 10.0
_NAME = b"miyabi-guardian"


def guarded(supervise: Callable[[], int], tidy: Callable[[], None]) -> int:
    """Run `supervise` in a child, wait for it, end what it leaves; return its exit code, as a shell reports it.

    tidy: called when nothing is left.
    SIGTERM and SIGINT are passed on to the child. Call it while there is one thread.
    """
    prctl = load_prctl()
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    own = os.getpid()
    child = os.fork()
    if child == 0:
        os.setsid()  # what kills the one's group must not kill the other
        # Handled before it can come; the default would end the supervisor. `Server` says what it means.
        signal.signal(GUARDIAN_LOST, lambda _number, _frame: None)
        prctl(PR_SET_PDEATHSIG, GUARDIAN_LOST, 0, 0, 0)
        return supervise() if os.getppid() == own else 1
    prctl(PR_SET_NAME, _address(_NAME), 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: _pass_on(child, number))
    code = _wait_for(child)
    end_descendants()
    tidy()
    return code


def end_descendants(*, deadline_seconds: float = _GIVE_UP_SECONDS) -> bool:
    """Kill every descendant of this process, again and again until none is left; say whether that was reached."""
    until = time.monotonic() + deadline_seconds
    while found := descendants(os.getpid()):
        for identity in found:
            identity.kill()
        _reap()
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _wait_for(child: int) -> int:
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _pass_on(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _address(name: bytes) -> int:
    """Return the address of a text that lives as long as the process."""
    import ctypes  # noqa: PLC0415 - loaded already

    return ctypes.cast(ctypes.c_char_p(name), ctypes.c_void_p).value or 0
