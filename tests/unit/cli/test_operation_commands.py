"""Commands made of operations: their help, their options, what is loaded, and what is written."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from click.shell_completion import ShellComplete
from tests.unit.cli.conftest import Miyabi

from miyabi.aws.calls import Call
from miyabi.cli.commands import root
from miyabi.cli.operations import show
from miyabi.cli.output import Output
from miyabi.operations.execution.declaration import Effect
from miyabi.operations.execution.executor import Outcome
from miyabi.operations.registry import NOUNS, find, names, verbs


@dataclass(frozen=True)
class Part:
    name: str
    at: datetime | None


@dataclass(frozen=True)
class Result:
    count: int
    parts: tuple[Part, ...]


def written(outcome: Outcome, *, as_json: bool = False) -> str:
    out = io.StringIO()
    output = Output(out, io.StringIO(), environ={})
    output.json = as_json
    show(output, outcome)
    output.finish()
    return out.getvalue()


RESULT = Result(2, (Part("one", datetime(2026, 11, 27, 12, tzinfo=UTC)), Part("another", None)))


def test_a_result_is_aligned_for_people_and_whole_as_json() -> None:
    assert written(Outcome("no.view", RESULT)) == (
        "count  2\nparts\n  NAME     AT\n  one      2026-11-27 12:00:00 UTC\n  another  -\n"
    )
    body = json.loads(written(Outcome("no.view", RESULT, warnings=("careful",)), as_json=True))
    assert body == {
        "count": 2,
        "parts": [{"name": "one", "at": "2026-11-27T12:00:00Z"}, {"name": "another", "at": None}],
        "warnings": ["careful"],
    }


def test_a_dry_run_shows_calls_as_they_would_be_sent() -> None:
    call = Call("ecs", "UpdateService", {"service": "web", "desiredCount": 3})
    outcome = Outcome("service.scale", None, dry_run=True, calls=(call,), then="the service to be steady")
    text = written(outcome)
    assert "ecs UpdateService" in text
    assert '"desiredCount": 3' in text
    assert "dry run: nothing was sent" in text
    assert json.loads(written(outcome, as_json=True))["calls"] == [
        {"service": "ecs", "operation": "UpdateService", "params": {"service": "web", "desiredCount": 3}}
    ]


@pytest.mark.parametrize(
    "noun", [noun for noun in NOUNS if noun not in {"logs", "scaling"}]
)  # they have words of their own
def test_help_lists_every_verb_with_its_whole_sentence(miyabi: Miyabi, noun: str) -> None:
    ran = miyabi(noun, "--help")
    text = " ".join(ran.out.split())
    assert ran.code == 0
    for verb in verbs(noun):
        assert find(f"{noun}.{verb}").summary in text


def test_a_mistyped_verb_gets_a_suggestion(miyabi: Miyabi) -> None:
    ran = miyabi("service", "scael", "3")
    assert ran.code == 2
    assert "Did you mean 'scale'?" in ran.err


@pytest.mark.parametrize(
    "name", [name for name in names() if not name.startswith(("logs.", "scaling.limits", "scaling.set"))]
)
def test_what_changes_something_can_be_tried(miyabi: Miyabi, name: str) -> None:
    ran = miyabi(*name.split("."), "--help")
    assert ran.code == 0
    assert ("--dry-run" in ran.out) == (find(name).effect is not Effect.READ)
    assert "--json" in ran.out


def test_verbs_are_completed() -> None:
    completed = ShellComplete(root, {}, "miyabi", "_MIYABI_COMPLETE").get_completions(["service"], "re")
    assert [one.value for one in completed] == ["restart", "resume"]


def test_a_read_loads_neither_lock_nor_audit_nor_other_operations() -> None:
    code = (
        "import sys\n"
        "from miyabi.operations.registry import find\n"
        "import miyabi.cli.operations, miyabi.cli.views.service\n"
        "find('service.status')\n"
        "heavy = {'boto3', 'botocore', 'miyabi.operations.execution.lock', 'miyabi.operations.execution.audit',"
        " 'miyabi.operations.service.deploy', 'miyabi.operations.images', 'miyabi.environment.terraform.runs'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
