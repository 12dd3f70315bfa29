"""Making a child: own session, no inherited descriptors, clean environment, dead when the supervisor is."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from miyabi.localcloud.processes import ProcessSpec
from miyabi.localcloud.supervisor.identity import CHILD_MARK, HOME_MARK
from miyabi.localcloud.supervisor.limits import Group
from miyabi.localcloud.supervisor.wire import INVALID, NOT_EXECUTABLE, UNAVAILABLE, Refusal

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
_NOT_EXECUTABLE = {
    errno.ENOENT,
    errno.EACCES,
    errno.ENOEXEC,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.EISDIR,
    errno.E2BIG,
}


class Spawner:
    """Starts children of one home. Use it from the main thread only."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._prctl = load_prctl()
        self._parent = os.getpid()

    def prepare_self(self) -> None:
        """Set what children inherit, and adopt the orphans that they leave."""
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self._prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")

    def spawn(self, spec: ProcessSpec, group: Group | None = None) -> subprocess.Popen[bytes]:
        """Start the process in its control group; return when the program itself runs.

        Refused: what cannot be executed.
        """
        if not Path(spec.cwd).is_dir():
            raise Refusal(INVALID, f"{spec.name}: the working directory {spec.cwd} does not exist")
        output = _open_output(spec)
        try:
            return subprocess.Popen(
                spec.argv,
                env={**spec.env, HOME_MARK: self._home, CHILD_MARK: spec.name},
                cwd=spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lambda: self._prepare_child(group),  # noqa: PLW1509 - safe: there is one thread
            )
        except ValueError as error:
            raise Refusal(INVALID, f"{spec.name}: {error}") from error
        except subprocess.SubprocessError as error:
            raise Refusal(UNAVAILABLE, f"{spec.name}: cannot be put into its control group") from error
        except OSError as error:
            code = NOT_EXECUTABLE if error.errno in _NOT_EXECUTABLE else UNAVAILABLE
            raise Refusal(code, f"{spec.name}: cannot run {spec.argv[0]}: {error.strerror}") from error
        finally:
            os.close(output)

    def _prepare_child(self, group: Group | None) -> None:
        if group is not None:
            group.enter()
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._parent:  # it died between the fork and the line above
            os._exit(1)


def _open_output(spec: ProcessSpec) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        output = os.open(spec.output, flags, 0o600)
    except OSError as error:
        raise Refusal(INVALID, f"{spec.name}: cannot write to {spec.output}: {error.strerror}") from error
    os.set_blocking(output, True)
    return output


def load_prctl() -> Callable[..., int]:
    """Return the C library's prctl."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    prctl.restype = ctypes.c_int
    return prctl
