"""Terraform's `-json` lines become events; its errors become ours, in one line."""

from __future__ import annotations

import pytest
from tests.unit.environment.terraform import recorded

from miyabi.environment.terraform.events import (
    Diagnostic,
    LockWait,
    Planned,
    ResourceProgress,
    Summary,
    Text,
    diagnostics_of_text,
    parse_event,
)
from miyabi.environment.terraform.failures import failure_of
from miyabi.model.errors import Conflict, Denied, Failed, InvalidInput, MiyabiError, Unavailable

VPC = "module.network.aws_vpc.this"


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (recorded.VERSION, None),
        (recorded.INTERRUPT, None),
        ("", None),
        (recorded.PLANNED, Planned(VPC, "create")),
        (recorded.STARTED, ResourceProgress(VPC, "create", "started", 0)),
        (recorded.RUNNING, ResourceProgress(VPC, "create", "running", 10)),
        (recorded.DONE, ResourceProgress(VPC, "create", "done", 12)),
        (recorded.FAILED, ResourceProgress(VPC, "create", "failed", 3)),
        (recorded.SUMMARY, Summary("apply", 1, 0, 0)),
        (recorded.LOCK_WAIT, LockWait()),
        ("panic: runtime error", Text("panic: runtime error")),
        ("{broken", Text("{broken")),
        ("17", Text("17")),
    ],
)
def test_each_line_says_what_it_says(line: str, event: object) -> None:
    assert parse_event(line) == event


def diagnostic(line: str) -> Diagnostic:
    found = parse_event(line)
    assert isinstance(found, Diagnostic)
    return found


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        (recorded.LOCKED, Conflict, "held by root@vm since 2026-11-23 15:13:45 UTC"),
        (recorded.WRONG_TYPE, InvalidInput, "var.seconds"),
        (recorded.WRONG_VALUE, InvalidInput, "`retention_days = var.log_retention_days`: retention_days must be"),
        (recorded.WRONG_CLOUD, Conflict, "Workspace 'local' is for the local cloud, but AWS answers"),
        (recorded.AWS_ERROR, Failed, "module.service.aws_ecs_service.this: creating ECS Service (miyabi-service-dev)"),
    ],
)
def test_an_error_becomes_one_line_with_a_hint(line: str, kind: type[MiyabiError], words: str) -> None:
    error = failure_of([diagnostic(line)], operation="apply", resume="`miyabi up` goes on from there.")
    assert type(error) is kind
    assert words in error.message
    assert "\n" not in error.message
    assert error.hint


def test_the_rule_that_was_checked_is_left_out_and_further_errors_are_counted() -> None:
    found = diagnostic(recorded.WRONG_VALUE)
    error = failure_of([found, found, found], operation="apply", resume="")
    assert "validation rule" not in error.message
    assert error.message.endswith("(and 2 more)")


def test_a_missing_provider_is_read_from_inits_text() -> None:
    found = list(diagnostics_of_text(recorded.NO_PROVIDER_TEXT))
    assert [one.summary for one in found] == ["Failed to query available provider packages"]
    error = failure_of(found, operation="init", resume="")
    assert isinstance(error, Unavailable)
    assert "hashicorp/aws" in error.message
    assert "miyabi doctor" in (error.hint or "")


def test_missing_credentials_are_denied() -> None:
    found = Diagnostic("error", "No valid credential sources found", "Please see the documentation.")
    assert isinstance(failure_of([found], operation="plan", resume=""), Denied)


def test_an_end_without_an_error_shows_the_last_line() -> None:
    error = failure_of([], operation="apply", resume="again", text="one\npanic: two\n", exit_code=2)
    assert error.message == "terraform apply failed: panic: two"
    assert failure_of([], operation="apply", resume="", exit_code=11).message.endswith("exit code 11")
