"""A small configuration of quick resources, applied again and again while processes are killed under it."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from tests.acceptance.cloud import Ran, Rehearsal

CONFIGURATION = """\
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 6.0.0"
    }
  }
}

provider "aws" {
  region = "us-west-2"
}

variable "generation" {
  type = number
}

# Changed in place by every apply.
resource "aws_ssm_parameter" "value" {
  count = 3
  name  = "/small/value-${count.index}"
  type  = "String"
  value = "generation ${var.generation}"
}

# Made and destroyed by every apply.
resource "aws_ssm_parameter" "named" {
  count = 2
  name  = "/small/${var.generation}-${count.index}"
  type  = "String"
  value = "made once"
}

resource "aws_iam_role" "this" {
  name = "small-${var.generation}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "read"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "*" }]
  })
}

resource "aws_sns_topic" "this" {
  name = "small-${var.generation}"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/small/${var.generation}"
  retention_in_days = 7
}

resource "aws_ecs_task_definition" "this" {
  family             = "small"
  cpu                = 256
  memory             = 512
  network_mode       = "awsvpc"
  execution_role_arn = aws_iam_role.this.arn
  container_definitions = jsonencode([{
    name      = "small"
    image     = "small:1"
    essential = true
    environment = [{ name = "LOG_GROUP", value = aws_cloudwatch_log_group.this.name }]
  }])
  requires_compatibilities = ["FARGATE"]
}
"""


class SmallTerraform:
    """The configuration in a directory of its own, with its own state."""

    def __init__(self, cloud: Rehearsal, directory: Path) -> None:
        self._cloud = cloud
        self._directory = directory
        self.generation = 0
        directory.mkdir()
        (directory / "main.tf").write_text(CONFIGURATION)
        init = self._run("init", "-input=false", "-no-color")
        assert init.code == 0, init.out + init.err

    def begin_apply(self) -> Applying:
        """Start to apply the next generation."""
        self.generation += 1
        return Applying(self._popen("apply", "-auto-approve", *self._options()))

    def apply(self) -> Ran:
        """Apply this generation."""
        return self._run("apply", "-auto-approve", *self._options())

    def plan(self) -> Ran:
        """Plan this generation: exit code 0 where nothing is to change, 2 where something is."""
        return self._run("plan", "-detailed-exitcode", *self._options())

    def destroy(self) -> Ran:
        """Destroy everything."""
        return self._run("destroy", "-auto-approve", *self._options())

    def _options(self) -> list[str]:
        return ["-input=false", "-no-color", f"-var=generation={self.generation}"]

    def _variables(self) -> dict[str, str]:
        if not self._cloud.exported:
            self._cloud.load_env()
        kept = {
            name: value
            for name, value in self._cloud.exported.items()
            if not name.startswith(("TF_VAR_", "TF_WORKSPACE", "TF_CLI_ARGS"))
        }
        return {**kept, "TF_DATA_DIR": str(self._directory / ".terraform")}

    def _popen(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["terraform", *arguments],
            cwd=self._directory,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _run(self, *arguments: str) -> Ran:
        done = Applying(self._popen(*arguments)).result(180)
        return Ran(done[0], done[1], "", 0)


class Applying:
    """A terraform that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._changing = threading.Event()
        self._thread = threading.Thread(target=self._read, name="terraform")
        self._thread.start()

    def await_changes(self, seconds: float) -> None:
        """Return when it makes, changes or destroys its first resource, or has ended."""
        assert self._changing.wait(seconds), "".join(self._lines)

    def result(self, seconds: float) -> tuple[int, str]:
        """Wait for its end; return its exit code and all that it printed."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join(30)
            raise AssertionError(f"terraform did not end within {seconds} s:\n{''.join(self._lines)}")
        return self._process.wait(30), "".join(self._lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.append(line)
                if any(word in line for word in ("Creating...", "Modifying...", "Destroying...")):
                    self._changing.set()
        self._changing.set()
