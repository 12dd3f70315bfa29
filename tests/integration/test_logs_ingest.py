"""What tasks print is stored once, also when the control plane is killed at any moment."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from miyabi.localcloud.control.logs import Logs
from miyabi.localcloud.control.service import Caller

REGION = "us-west-2"
CALLER = Caller("112530848482", REGION, "AKIATESTTESTTESTTEST", datetime(2100, 1, 1, tzinfo=UTC))
GROUP = "/ecs/miyabi-dev"
TASKS = 3
LINES = 60_000

INGESTING = """
import asyncio, sys
from pathlib import Path
from miyabi.localcloud.control.engine import Engine, wall_clock
from miyabi.localcloud.control.logs import IngestLoop, Logs
from miyabi.localcloud.control.store import Store

root = Path(sys.argv[1])
engine = Engine(Store(root / "control.sqlite"))
logs = Logs(root / "logs.sqlite", wall_clock, lambda: None)

async def main():
    loop = IngestLoop(engine, logs, punch_bytes=65536)
    while True:
        await asyncio.sleep(min((await loop.step()).total_seconds(), 0.01))

asyncio.run(main())
"""

PRINTING = """
import sys
task, lines = sys.argv[1], int(sys.argv[2])
for number in range(lines):
    print(f"{task} {number:06d} something that a task says", flush=number % 50 == 0)
"""


def opened(root: Path) -> Logs:
    return Logs(root / "logs.sqlite", lambda: CALLER.now, lambda: None)


def progress(logs: Logs) -> int:
    return sum(source.position for source in logs.sources())


def stored(logs: Logs) -> list[str]:
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = logs.filter_log_events(CALLER, {"logGroupName": GROUP, **token})
        found += [event["message"] for event in page["events"]]
        if "nextToken" not in page:
            return found
        token = {"nextToken": page["nextToken"]}


def test_every_line_is_stored_exactly_once_over_kills_at_random_moments(tmp_path: Path) -> None:
    logs = opened(tmp_path)
    logs.create_log_group(CALLER, {"logGroupName": GROUP})
    outputs = [tmp_path / f"task-{number}.log" for number in range(TASKS)]
    printing: list[subprocess.Popen[bytes]] = []
    ingesting: subprocess.Popen[bytes] | None = None
    chance = random.Random(7)
    kills = 0
    try:
        for number, output in enumerate(outputs):
            logs.follow(REGION, GROUP, f"task-{number}", output)
            with output.open("ab") as file:
                command = [sys.executable, "-c", PRINTING, str(number), str(LINES)]
                printing.append(subprocess.Popen(command, stdout=file, env={**os.environ, "PYTHONPATH": ""}))
        finished = False
        deadline = time.monotonic() + 120
        while logs.sources():
            assert time.monotonic() < deadline
            if ingesting is None or ingesting.poll() is not None:
                ingesting = subprocess.Popen([sys.executable, "-c", INGESTING, str(tmp_path)])
                enough = progress(logs) + chance.randint(1, 500_000)
            time.sleep(0.002)
            if not finished and all(process.poll() is not None for process in printing):
                finished = True
                for output in outputs:
                    logs.finish(output)
            if kills < 6 and progress(logs) >= enough:
                ingesting.kill()
                ingesting.wait()
                kills += 1
    finally:
        for process in [*printing, *([ingesting] if ingesting else [])]:
            process.kill()
            process.wait()
    assert kills > 1
    lines = stored(logs)
    for number in range(TASKS):
        mine = [line for line in lines if line.startswith(f"{number} ")]
        assert mine == [f"{number} {line:06d} something that a task says" for line in range(LINES)]
    assert not any(output.exists() for output in outputs)
    logs.close()
