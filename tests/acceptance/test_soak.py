"""Random kills, one after another. `make soak` runs many; MIYABI_SOAK_SEED repeats a run."""

from __future__ import annotations

import os
import random
import secrets
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cloud import Rehearsal, copy_checkout
from tests.acceptance.conftest import end
from tests.acceptance.faults import random_fault, serves

pytestmark = pytest.mark.soak


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Rehearsal]:
    directory = tmp_path / "checkout"
    directory.mkdir()
    copy_checkout(directory)
    rehearsal = Rehearsal(directory, tmp_path / "home")
    try:
        up = rehearsal.miyabi("up")
        assert up.code == 0, up.out + up.err
        yield rehearsal
    finally:
        end(rehearsal)


def test_the_service_comes_back_after_every_kill(cloud: Rehearsal) -> None:
    seed = int(os.environ.get("MIYABI_SOAK_SEED") or secrets.randbelow(10**9))
    faults = int(os.environ.get("MIYABI_SOAK_FAULTS") or 100)
    print(f"seed {seed}, {faults} faults")
    dice = random.Random(seed)
    url = f"http://{cloud.terraform('output', '-raw', 'alb_dns_name').out}/health"
    took = []
    for number in range(1, faults + 1):
        fault = random_fault(cloud, dice)
        took.append(serves(cloud, url, seconds=30))
        print(f"{number:4} {fault:60} back in {took[-1]:.1f} s")
    print(f"seed {seed}: {faults} faults, median {statistics.median(took):.1f} s, longest {max(took):.1f} s")
    plan = cloud.terraform("plan", "-detailed-exitcode", "-no-color", "-input=false")
    assert plan.code == 0, plan.out
