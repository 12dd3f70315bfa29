"""What an answer cost is the work and its waits, and never more than the time that passed."""

from __future__ import annotations

import threading
import time

from miyabi.localcloud.control.work import Stopwatch, Work


def test_a_wait_counts() -> None:
    began = time.perf_counter()
    watch = Stopwatch()
    threading.Event().wait(0.05)
    seconds = watch.seconds()
    assert 0.04 < seconds <= time.perf_counter() - began


def test_computing_counts() -> None:
    watch = Stopwatch()
    began = time.thread_time()
    while time.thread_time() < began + 0.05:
        pass
    assert watch.seconds() >= 0.04


def test_calls_and_seconds_are_added_up_by_operation() -> None:
    work = Work()
    for seconds in (0.25, 0.5):
        work.add("ecs:CreateService", seconds)
    work.add("iam:GetRole", 1.0)
    assert work.calls == {"ecs:CreateService": 2, "iam:GetRole": 1}
    assert work.seconds == {"ecs:CreateService": 0.75, "iam:GetRole": 1.0}
