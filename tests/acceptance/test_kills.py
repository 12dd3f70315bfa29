"""Ten kills of every part, during applies, during writes and at rest. `make soak` runs as many as are asked for.

MIYABI_SOAK_SEED repeats a run as far as the machine's timing allows. The tests share the environment of the others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.cloud import Ran, Rehearsal
from tests.acceptance.kills import SHORT, Battlefield, long_plan, seed
from tests.acceptance.ledger_kinds import KINDS
from tests.acceptance.small_terraform import SmallTerraform

CUT_OFF = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""asyncpg leaves the sockets of connections that a kill cut off while they were made to the collector, whenever it
comes."""


@pytest.fixture
def field(first: tuple[Rehearsal, Ran], tmp_path: Path) -> Iterator[Battlefield]:
    cloud, _ = first
    up = cloud.miyabi("up", "--apply")  # as it is configured, whatever other tests did to it before
    assert up.code == 0, up.out + up.err
    small = SmallTerraform(cloud, tmp_path / "small")
    number = seed()
    print(f"MIYABI_SOAK_SEED={number}")
    field = Battlefield(cloud, small, random.Random(number))
    field.api.open()
    field.rows.open()
    yield field
    field.api.clear()
    field.rows.clear()
    destroyed = small.destroy()
    assert destroyed.code == 0, destroyed.out


def strike_all(field: Battlefield, strikes: Iterable[tuple[str, str]]) -> None:
    for number, (situation, part) in enumerate(strikes, 1):
        print(f"{number:4} {field.strike(situation, part)}", flush=True)
    print(field.table())
    print(f"acknowledged: {field.api.acknowledged} API changes, {len(field.rows.acknowledged)} rows")
    assert field.api.acknowledged > len(KINDS)
    assert field.rows.acknowledged


@CUT_OFF
def test_ten_kills_lose_nothing_that_was_acknowledged(field: Battlefield) -> None:
    strikes = list(SHORT)
    field.dice.shuffle(strikes)
    strike_all(field, strikes)


@CUT_OFF
@pytest.mark.soak
def test_many_kills_lose_nothing_that_was_acknowledged(field: Battlefield, request: pytest.FixtureRequest) -> None:
    faults = int(os.environ.get("MIYABI_SOAK_FAULTS") or 500)
    strike_all(field, long_plan(faults, field.dice))
    cloud, _ = request.getfixturevalue("first")
    plan = cloud.terraform("plan", "-detailed-exitcode", "-no-color", "-input=false")
    assert plan.code == 0, plan.out
