"""`miyabi env`: what a shell evaluates, and that it can be undone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from miyabi.environment.awscli import AwsCli, find_aws, put_in_front
from miyabi.environment.cloud import Keys, Target
from miyabi.environment.exports import Exports, aws_exports, original, shell_unset, with_values, write_aws_files
from miyabi.environment.home import Home

TARGET = Target(
    name="local",
    environment="dev",
    account="112530848482",
    region="us-west-2",
    endpoint="http://127.0.0.1:4599",
    profile=None,
    keys=Keys("AKIAEXAMPLE", "s3cret/+"),
    workspace="local",
    image_engine="bundle",
    start_hint="",
    asks_before_apply=False,
)


def evaluate(lines: str, environ: dict[str, str]) -> dict[str, str]:
    """Return the environment of a shell after it has evaluated the lines."""
    ran = subprocess.run(
        ["bash", "-c", 'eval "$1"; exec env -0', "bash", lines], env=environ, capture_output=True, check=True
    )
    return dict(entry.split("=", 1) for entry in ran.stdout.decode().split("\0") if entry)


SHELL = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "_": "", "SHLVL": "0", "PWD": "/"}


def clean(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in {"_", "SHLVL", "PWD", "OLDPWD"}}


def test_a_shell_points_at_the_cloud_and_at_nothing_else(tmp_path: Path) -> None:
    before = {
        **SHELL,
        "AWS_SESSION_TOKEN": "of another account",
        "AWS_ENDPOINT_URL_ECS": "http://elsewhere",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "TF_WORKSPACE": "prod",
        "NO_PROXY": "example.org",
    }
    exports = aws_exports(TARGET, Home(tmp_path), profile="miyabi-dev", environ=before)
    after = evaluate(exports.shell(before), before)
    assert after["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4599"
    assert after["AWS_PROFILE"] == "miyabi-dev"
    assert after["AWS_REGION"] == after["AWS_DEFAULT_REGION"] == "us-west-2"
    assert after["NO_PROXY"] == "example.org,127.0.0.1,127.0.0.0/8,localhost"
    for name in ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_ECS", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TF_WORKSPACE"):
        assert name not in after


def test_unset_gives_back_the_shell_that_was_there(tmp_path: Path) -> None:
    before = {**SHELL, "AWS_PROFILE": "theirs", "AWS_SESSION_TOKEN": 'it\'s "quoted"\n', "NO_PROXY": "a"}
    exports = aws_exports(TARGET, Home(tmp_path), profile="miyabi-dev", environ=before)
    exports = with_values(exports, {"TF_WORKSPACE": "local"}, path=tmp_path / "bin")
    exported = evaluate(exports.shell(before), before)
    assert exported["PATH"] == f"{tmp_path}/bin:{before['PATH']}"
    exported["PATH"] = f"/added/later:{exported['PATH']}"
    after = evaluate(shell_unset(exported), exported)
    assert clean(after) == {**clean(before), "PATH": f"/added/later:{before['PATH']}"}
    assert original(exported)["AWS_PROFILE"] == "theirs"


def test_evaluating_twice_can_be_undone_once(tmp_path: Path) -> None:
    before = {**SHELL, "AWS_PROFILE": "theirs"}
    environ = before
    for _ in range(2):
        exports = aws_exports(TARGET, Home(tmp_path), profile="miyabi-dev", environ=original(environ))
        environ = evaluate(shell_unset(environ) + "\n" + exports.shell(original(environ)), environ)
    assert clean(evaluate(shell_unset(environ), environ)) == clean(before)


def test_nothing_is_undone_where_nothing_was_evaluated() -> None:
    assert shell_unset({**SHELL, "AWS_PROFILE": "theirs"}) == ""
    assert original({"MIYABI_ENV_SAVED": "not JSON", "A": "b"}) == {"A": "b"}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_value_survives_the_shell(value: str) -> None:
    exports = Exports({"VALUE": value}, ())
    assert evaluate(exports.shell(SHELL), SHELL)["VALUE"] == value


def test_the_aws_files_name_region_endpoint_and_keys(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    write_aws_files(TARGET, home, profile="miyabi-dev")
    config = (home.aws / "config").read_text()
    assert "[profile miyabi-dev]\nregion = us-west-2\noutput = json\nendpoint_url = http://127.0.0.1:4599\n" in config
    assert "aws_secret_access_key = s3cret/+" in (home.aws / "credentials").read_text()


def test_an_aws_that_does_not_know_the_variable_gets_one_in_front(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    real = tmp_path / "bin" / "aws"
    real.parent.mkdir()
    real.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "aws-cli/2.9.19 Python/3.11.2" && exit\necho "$@"\n')
    real.chmod(0o755)
    environ = {"PATH": f"{home.bin}:{real.parent}:/usr/bin:/bin", "AWS_ENDPOINT_URL": "http://127.0.0.1:4599"}
    cli = find_aws(environ, memory=home.aws / "cli.json", behind=home.bin)
    assert cli == AwsCli(str(real), (2, 9, 19))
    assert not cli.honours_endpoint
    put_in_front(home, cli)
    ran = subprocess.run(["aws", "ecs", "list-tasks"], env=environ, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["--endpoint-url", "http://127.0.0.1:4599", "ecs", "list-tasks"]
    # Asking again does not start it: what does not change keeps its version.
    stamp = real.stat().st_mtime_ns
    real.write_text("#!/bin/sh\nexit 1\n")
    os.utime(real, ns=(stamp, stamp))
    assert find_aws(environ, memory=home.aws / "cli.json", behind=home.bin) == cli
    assert json.loads((home.aws / "cli.json").read_text())["version"] == [2, 9, 19]


def test_version_1_gets_the_logs_tail_that_it_lacks(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    real = tmp_path / "bin" / "aws"
    real.parent.mkdir()
    real.write_text('#!/bin/sh\necho "$@"\n')
    real.chmod(0o755)
    cli = AwsCli(str(real), (1, 46, 3))
    assert not cli.complete
    put_in_front(home, cli)
    environ = {"PATH": f"{home.bin}:/usr/bin:/bin", "AWS_ENDPOINT_URL": "http://127.0.0.1:4599"}
    ran = subprocess.run(
        ["aws", "logs", "describe-log-groups"], env=environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["logs", "describe-log-groups"]
    helped = subprocess.run(["aws", "logs", "tail", "--help"], env=environ, capture_output=True, text=True, check=True)
    assert "--filter-pattern" in helped.stdout


def test_newer_ones_are_left_alone() -> None:
    assert AwsCli("aws", (2, 13, 0)).complete
    for version, honours in (((2, 13, 0), True), ((1, 46, 3), True), ((1, 27, 0), False), ((3, 0, 0), True)):
        assert AwsCli("aws", version).honours_endpoint is honours
