"""Which process is which, with real processes."""

from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
from collections.abc import Iterator

import pytest

from miyabi.localcloud.supervisor.identity import Identity, descendants, identify


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["/bin/sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def identity_of(process: subprocess.Popen[bytes]) -> Identity:
    found = identify(process.pid)
    assert found is not None
    return found


@pytest.mark.parametrize("refused", [None, errno.ENOSYS, errno.EPERM])
def test_a_process_is_signalled_only_if_its_start_time_is_the_one_that_was_known(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, refused: int | None
) -> None:
    if refused is not None:

        def refuse(_pid: int) -> int:
            raise OSError(refused, os.strerror(refused))

        monkeypatch.setattr(os, "pidfd_open", refuse)
    known = identity_of(sleeper)
    dataclasses.replace(known, start_ticks=known.start_ticks + 1).kill()
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.2)
    known.kill()
    assert sleeper.wait(10) == -9
    known.kill()  # it is gone: nothing happens


def test_descendants_are_found_over_generations_and_nobody_else(sleeper: subprocess.Popen[bytes]) -> None:
    script = "sh -c 'sleep 1000 & echo $!; wait' & wait"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        found = {one.pid for one in descendants(parent.pid)}
        assert grandchild in found
        assert not {parent.pid, sleeper.pid, os.getpid()} & found
        os.killpg(parent.pid, 9)
