"""An environment of an ordinary user: no root, no control group, no port below 1024.

It is the foreign program's, which comes up beside the first one; where the suite runs as root, it is another user's.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cloud import Rehearsal


@pytest.fixture
def shop(foreign: tuple[Rehearsal, Any]) -> Rehearsal:
    rehearsal, started = foreign
    if os.geteuid() == 0 and rehearsal.user is None:
        pytest.skip("no ordinary user of this machine can run this interpreter")
    up = started.result()
    assert up.code == 0, up.out + up.err
    return rehearsal


def test_nothing_runs_as_root_and_the_service_answers(shop: Rehearsal) -> None:
    owners = set()
    for pid in shop.processes():
        status = Path(f"/proc/{pid}/status").read_text()
        owners |= set(re.findall(r"^[UG]id:\s+(\d+)\s+(\d+)", status, re.MULTILINE))
    assert owners == {(str(shop.user or os.geteuid()),) * 2}
    status = shop.miyabi("status", "--json").json()
    assert shop.get(f"http://{status['load_balancer']['dns_name']}/ping")[2] == b"pong"


def test_what_is_lost_is_said_by_doctor_and_by_status(shop: Rehearsal) -> None:
    doctor = {check["name"]: check for check in shop.miyabi("doctor", "--json").json()["checks"]}
    status = shop.miyabi("status", "--json").json()
    shown = shop.miyabi("status").out
    assert status["limiter"] == doctor["limits of tasks"]["found"]
    if not doctor["ports below 1024"]["ok"]:
        assert ":" in status["load_balancer"]["dns_name"]
        assert doctor["ports below 1024"]["found"] in status["lost"]
        assert doctor["ports below 1024"]["mend"].startswith("sysctl ")
    if not doctor["limits of tasks"]["ok"]:
        assert "CPU is not limited" in status["limiter"]
        assert status["limiter"] in status["lost"]
    assert all(what in shown for what in status["lost"])
