"""What Terraform's errors are reported as."""

from __future__ import annotations

import pytest

from miyabi.environment.terraform.events import Diagnostic, diagnostics_of_text
from miyabi.environment.terraform.failures import AlreadyExists, Existing, failure_of
from miyabi.model.errors import Failed, Unavailable

NO_NETWORK = """
Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider hashicorp/aws:
could not connect to registry.terraform.io: failed to request discovery
document: Get "https://registry.terraform.io/.well-known/terraform.json":
dial tcp: lookup registry.terraform.io on 10.0.0.53:53: no such host

To see which modules are currently depending on hashicorp/aws and what
versions are specified, run the following command:
    terraform providers
"""


@pytest.mark.parametrize(
    ("summary", "name"),
    [
        ("ELBv2 Load Balancer (miyabi-alb-dev) already exists", "miyabi-alb-dev"),
        (
            (
                "creating IAM Role (miyabi-role): operation error IAM: CreateRole, StatusCode: 409, RequestID: 1, "
                "EntityAlreadyExists: Role with name miyabi-role already exists."
            ),
            "miyabi-role",
        ),
        ("creating SSM Parameter (/miyabi/dev/image): ParameterAlreadyExists: it is there", "/miyabi/dev/image"),
        (
            (
                "creating ECS Service (miyabi-service-dev): InvalidParameterException: "
                "Creation of service was not idempotent."
            ),
            "miyabi-service-dev",
        ),
    ],
)
def test_a_resource_that_exists_is_named_with_its_address(summary: str, name: str) -> None:
    error = failure_of([Diagnostic("error", summary, "", "module.x.aws_y.this")], operation="apply", resume="again")
    assert isinstance(error, AlreadyExists)
    assert error.resources == (Existing("module.x.aws_y.this", name),)
    assert error.exit_code == 5


def test_all_that_exist_are_found_whatever_else_failed() -> None:
    errors = [
        Diagnostic("error", "creating VPC: VpcLimitExceeded", "", "aws_vpc.this"),
        Diagnostic("error", "ELBv2 Load Balancer (a) already exists", "", "aws_lb.this"),
        Diagnostic("error", "ELBv2 Target Group (b) already exists", "", "aws_lb_target_group.this"),
    ]
    error = failure_of(errors, operation="apply", resume="again")
    assert isinstance(error, AlreadyExists)
    assert [one.name for one in error.resources] == ["a", "b"]


def test_a_provider_without_mirror_and_network_is_one_short_line() -> None:
    error = failure_of(list(diagnostics_of_text(NO_NETWORK)), operation="init", resume="again", text=NO_NETWORK)
    assert isinstance(error, Unavailable)
    assert error.message == (
        "terraform init: provider hashicorp/aws is in no mirror of this machine, and its registry cannot be reached"
    )
    assert "MIYABI_TERRAFORM_MIRROR" in (error.hint or "")


def test_a_terraform_that_was_killed_is_said_so() -> None:
    error = failure_of([], operation="apply", resume="`miyabi up` goes on from there.", exit_code=-9)
    assert isinstance(error, Failed)
    assert error.message == "terraform apply failed: it was killed (SIGKILL)"
