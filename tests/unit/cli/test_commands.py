"""Every command: its help, its exit codes, its output for people and for programs."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Miyabi

from miyabi.cli.commands import _COMMANDS
from miyabi.cli.entry import called_as
from miyabi.cli.output import Output
from miyabi.environment.home import FORMAT, Home, Instance

CONFIG = """
project = "shop"
[environments.dev]
account = "112530848482"
region = "us-west-2"
terraform = "infra"
"""


OWN_HELP = [name for name in _COMMANDS if name != "terraform"]  # which passes --help on to terraform


@pytest.mark.parametrize("command", [(name,) for name in OWN_HELP] + [("image", "build"), ("image", "list")])
def test_every_command_has_its_help(miyabi: Miyabi, command: tuple[str, ...]) -> None:
    ran = miyabi(*command, "--help")
    assert ran.code == 0, ran.err
    assert "Usage: miyabi" in ran.out


def test_help_lists_the_commands_and_loads_none() -> None:
    code = (
        "import sys\n"
        "from miyabi.cli.entry import run\n"
        "code = run(['--help'], environ={})\n"
        "heavy = {'boto3', 'botocore', 'moto', 'miyabi.localcloud', 'miyabi.aws', 'miyabi.operations'}\n"
        "sys.exit(code or sorted(heavy & set(sys.modules)) or 0)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for name in _COMMANDS:
        assert f"  {name} " in ran.stdout


def test_the_module_runs_as_the_program() -> None:
    ran = subprocess.run([sys.executable, "-m", "miyabi.cli", "--version"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.split()[0]) == (0, "miyabi")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("stauts",), 2, "Did you mean 'status'?"),
        (("status", "--chek"), 2, "--chek"),
        (("--cloud", "moon", "status"), 2, "moon"),
        (("-e", "nowhere", "status"), 2, "nowhere"),
        (("-f", "absent.toml", "status"), 4, "absent.toml"),
        (("status", "--check"), 6, "there is no local cloud"),
        (("env",), 4, "there is no local cloud"),
        (("image", "build"), 2, "names no image manifest"),
        (("terraform", "plan"), 4, "there is no local cloud"),
        (("--cloud", "aws", "destroy"), 2, "Give --yes dev"),
        (("up",), 4, "no Terraform configuration"),
        (("init", "--cluster", "c"), 2, "--from-aws"),
        (("--cloud", "aws", "destroy", "--force", "--yes", "dev"), 5, "--force"),
    ],
)
def test_what_goes_wrong_is_one_line_a_hint_and_a_code(
    miyabi: Miyabi, arguments: tuple[str, ...], code: int, words: str
) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    ran = miyabi(*arguments)
    assert ran.code == code, ran.err
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 2
    assert "\nhint: " in ran.err
    assert words in ran.err


def test_an_error_is_a_body_on_standard_output_with_json(miyabi: Miyabi) -> None:
    ran = miyabi("--json", "status")
    assert ran.code == 4
    error = json.loads(ran.out)["error"]
    assert error["type"] == "NotFound"
    assert error["hint"]
    assert ran.err.startswith("error: ")


def test_options_may_stand_before_and_after_the_command(miyabi: Miyabi) -> None:
    Path("other.toml").write_text(CONFIG)
    for arguments in (("-f", "other.toml", "--json", "status"), ("status", "--json", "-f", "other.toml")):
        ran = miyabi(*arguments)
        assert ran.code == 0, ran.err
        assert json.loads(ran.out)["environment"] == "dev"


def test_every_output_is_headed_with_cloud_account_region_environment(miyabi: Miyabi) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    ran = miyabi("status")
    assert ran.out.splitlines()[0] == "cloud local   account 112530848482   region us-west-2   environment dev"
    fields = json.loads(miyabi("status", "--json").out)
    assert {fields[name] for name in ("cloud", "account", "region")} == {"local", "112530848482", "us-west-2"}
    assert fields["answering"] is False


def test_a_local_cloud_that_is_down_is_said_and_is_no_failure(miyabi: Miyabi, tmp_path: Path) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    home = Home(tmp_path / "home")
    home.create()
    port = 9  # nothing listens there
    home.write_instance(Instance(FORMAT, "0a1b2c3d", 7, port, "112530848482", "us-west-2", "AKIAX", "secret"))
    ran = miyabi("status", MIYABI_HOME=str(home.root))
    assert ran.code == 0, ran.err
    assert "`miyabi up` starts it." in ran.out
    checked = miyabi("status", "--check", MIYABI_HOME=str(home.root))
    assert checked.code == 6
    assert "`miyabi up` starts it." in checked.err
    assert miyabi("down", MIYABI_HOME=str(home.root)).code == 0


def test_the_home_of_another_account_is_refused(miyabi: Miyabi, tmp_path: Path) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    home = Home(tmp_path / "home")
    home.create()
    home.write_instance(Instance(FORMAT, "0a1b2c3d", 7, 9, "999999999999", "us-west-2", "AKIAX", "secret"))
    ran = miyabi("status", MIYABI_HOME=str(home.root))
    assert ran.code == 5
    assert "999999999999" in ran.err


def test_destroying_wants_the_right_name(miyabi: Miyabi, tmp_path: Path) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    home = Home(tmp_path / "home")
    home.create()
    home.write_instance(Instance(FORMAT, "0a1b2c3d", 7, 9, "112530848482", "us-west-2", "AKIAX", "secret"))
    (home.root / "theirs").write_text("kept")
    (home.images / "sha256").mkdir()
    (home.images / "sha256" / "file").write_text("")
    (home.images / "sha256").chmod(0o500)
    wrong = miyabi("destroy", "--force", "--yes", "prod", MIYABI_HOME=str(home.root))
    assert wrong.code == 2
    assert "Nothing was done" in wrong.err
    assert home.instance_file.exists()
    right = miyabi("destroy", "--force", "--yes", "dev", MIYABI_HOME=str(home.root))
    assert right.code == 0, right.err
    assert [path.name for path in home.root.iterdir()] == ["theirs"]


def test_a_command_that_cannot_begin_leaves_no_trace(miyabi: Miyabi, tmp_path: Path) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    assert miyabi("up", MIYABI_HOME=str(tmp_path / "home")).code == 4
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", [("down",), ("destroy", "--yes", "dev"), ("destroy", "--force")])
def test_there_is_nothing_to_stop_or_destroy_where_nothing_was_made(
    miyabi: Miyabi, tmp_path: Path, command: tuple[str, ...]
) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    for _ in range(2):
        ran = miyabi(*command, MIYABI_HOME=str(tmp_path / "home"))
        assert ran.code == 0, ran.err
        assert "nothing to" in ran.out
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("home", ["/dev/null/home", "/proc/home"])
def test_a_home_that_cannot_be_made_is_wrong_input(miyabi: Miyabi, home: str) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    Path("infra").mkdir()
    Path("infra/main.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    ran = miyabi("up", MIYABI_HOME=home)
    assert ran.code == 2
    assert "MIYABI_HOME" in ran.err


@pytest.mark.parametrize("command", [("env",), ("terraform", "plan"), ("env", "--nonsense"), ("-e", "x", "env")])
def test_a_shell_that_evaluates_an_error_runs_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "miyabi.toml").write_text(CONFIG)
    (tmp_path / "bin").mkdir()
    for name in ("miyabi", "nohints"):
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\ntouch "{tmp_path}/ran"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    program = f"{shlex.quote(sys.executable)} -m miyabi.cli {shlex.join(command)}"
    ran = subprocess.run(
        ["/bin/bash", "-c", f'eval "$({program})"'],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (tmp_path / "ran").exists()
    assert "command not found" not in ran.stderr
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: ")


def test_an_error_of_env_is_json_only_where_that_is_asked_for(miyabi: Miyabi) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    assert miyabi("env").out == ""
    assert json.loads(miyabi("env", "--json").out)["error"]["type"] == "NotFound"


def test_a_source_of_the_image_outside_of_its_directory_is_refused_before_anything_starts(
    miyabi: Miyabi, tmp_path: Path
) -> None:
    Path("miyabi.toml").write_text(CONFIG + 'image = "image.toml"\n')
    Path("image.toml").write_text(
        'base = "x"\ncommand = ["x"]\nlisten_address_variable = "HOST"\n[files]\n"etc" = "/etc"\n'
    )
    Path("infra").mkdir()
    Path("infra/main.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    ran = miyabi("up", MIYABI_HOME=str(tmp_path / "home"))
    assert ran.code == 2
    assert "/etc is outside of" in ran.err
    assert "local cloud  " not in ran.out


@pytest.mark.parametrize(
    ("argv0", "path", "called"),
    [
        ("@/bin/miyabi", "@/bin:/usr/bin", "miyabi"),
        ("@/bin/miyabi", "/usr/bin", "@/bin/miyabi"),
        ("@/bin/miyabi", "@/other", "@/bin/miyabi"),
        ("miyabi/cli/__main__.py", "/usr/bin", f"{sys.executable} -m miyabi.cli"),
    ],
)
def test_messages_name_the_program_as_it_was_called(tmp_path: Path, argv0: str, path: str, called: str) -> None:
    for directory in ("bin", "other"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "miyabi").write_text("")
        (tmp_path / directory / "miyabi").chmod(0o755)
    argv0, path, called = (text.replace("@", str(tmp_path)) for text in (argv0, path, called))
    assert called_as(argv0, {"PATH": path}) == called


def test_hints_name_commands_as_they_were_called() -> None:
    err = io.StringIO()
    output = Output(io.StringIO(), err, environ={}, program=".venv/bin/miyabi")
    output.error("miyabi is down in /x/miyabi status", "`miyabi up` starts it; pip install miyabi", kind="x")
    assert err.getvalue().splitlines() == [
        "error: miyabi is down in /x/miyabi status",
        "hint: `.venv/bin/miyabi up` starts it; pip install miyabi",
    ]


def test_a_reader_that_has_gone_does_not_hide_that_a_command_failed(miyabi: Miyabi) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "miyabi.cli", "--json", "env", "--nope"]
    ran = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (ran.returncode, ran.stderr.count("error:")) == (2, 1), ran.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(miyabi: Miyabi, shell: str) -> None:
    ran = miyabi("completion", shell)
    assert ran.code == 0
    assert "_MIYABI_COMPLETE" in ran.out


def test_completion_knows_the_commands() -> None:
    env = {"_MIYABI_COMPLETE": "bash_complete", "COMP_WORDS": "miyabi st", "COMP_CWORD": "1", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run([sys.executable, "-m", "miyabi.cli"], env=env, capture_output=True, text=True, check=False)
    assert "status" in ran.stdout


def test_doctor_looks_at_everything_and_fails_for_what_is_needed(miyabi: Miyabi) -> None:
    found = miyabi("doctor", "--json", MIYABI_TERRAFORM="/bin/false")
    checks = {check["name"]: check for check in json.loads(found.out)["checks"]}
    assert not checks["terraform"]["ok"]
    assert checks["terraform"]["mend"]
    assert checks["python"]["ok"]
    assert found.code == 1


def test_a_bug_is_said_in_one_line_and_shown_in_full_on_request(miyabi: Miyabi) -> None:
    # No variable of a real process holds a zero byte: nothing on the way expects it.
    Path("miyabi.toml").write_text(CONFIG)
    ran = miyabi("status", MIYABI_HOME="a\0b")
    assert ran.code == 70
    assert ran.err.count("\n") == 2
    assert "Traceback" in miyabi("--verbose", "status", MIYABI_HOME="a\0b").err


def test_no_colour_where_no_terminal_is(miyabi: Miyabi) -> None:
    Path("miyabi.toml").write_text(CONFIG)
    assert "\033" not in miyabi("status").out
