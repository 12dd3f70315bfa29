"""`miyabi env --secrets`, as far as it can be seen without a cloud."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Miyabi

from miyabi.environment.config import load_project
from miyabi.environment.exports import Exports, original, shell_unset, with_values


def test_without_a_local_cloud_nothing_is_printed_and_the_hint_says_what_to_do(miyabi: Miyabi) -> None:
    assert miyabi("init", "--name", "shop").code == 0
    ran = miyabi("env", "--secrets")
    assert (ran.code, ran.out) == (4, "")
    assert "miyabi up" in ran.err


def test_the_names_are_those_of_the_runbook_unless_the_file_says_otherwise(miyabi: Miyabi) -> None:
    assert miyabi("init", "--name", "miyabi").code == 0
    path = Path("miyabi.toml")
    environment = load_project(path).environment("dev")
    assert environment.database == "miyabi-db-dev"
    assert environment.cache == "miyabi-cache-dev"
    assert environment.database_password_secret == "miyabi/dev/database-password"
    assert environment.jwt_secret == "miyabi/dev/jwt-secret"
    assert environment.api_keys_secret == "miyabi/dev/api-keys"
    text = path.read_text()
    path.write_text(text.replace("[environments.dev]\n", '[environments.dev]\ndatabase = "theirs"\n', 1))
    assert load_project(path).environment("dev").database == "theirs"


def test_unset_takes_the_urls_back_and_restores_what_was_there() -> None:
    before = {"PATH": "/bin", "REDIS_URL": "redis://mine"}
    exports = with_values(Exports({}, ()), {"DATABASE_URL": "postgresql://u:s3cret@h/d", "REDIS_URL": "redis://h"})
    shell = exports.shell(before)
    saved = next(line for line in shell.splitlines() if "MIYABI_ENV_SAVED" in line)
    assert "s3cret" not in saved
    note = saved.partition("=")[2].strip("'")
    after = {**before, **exports.values, "MIYABI_ENV_SAVED": note}
    assert original(after) == before
    assert "unset DATABASE_URL" in shell_unset(after)
    assert "redis://mine" in shell_unset(after)


def test_help_names_the_option(miyabi: Miyabi) -> None:
    ran = miyabi("env", "--help")
    assert ran.code == 0
    assert "--secrets" in ran.out
