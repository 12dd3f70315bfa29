"""`miyabi.toml`: which service, under which names, in which account and region."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from miyabi.environment.wording import in_words
from miyabi.model.errors import InvalidInput, NotFound

FILE_NAME = "miyabi.toml"
_SEE = "`miyabi init` in an empty directory writes a miyabi.toml that explains every key."

_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
_ACCOUNT = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: where it is, and the names under which its parts are found. Paths are absolute."""

    project: str
    name: str
    account: str
    region: str
    terraform: Path
    cluster: str
    service: str
    container: str
    task_family: str
    log_group: str
    load_balancer: str
    target_group: str
    repository: str
    image_parameter: str
    database: str
    cache: str
    database_password_secret: str
    jwt_secret: str
    api_keys_secret: str
    lock_table: str
    audit_log_group: str
    low_tasks_alarm: str
    image: Path | None
    """The image's manifest; None where the image is built elsewhere."""
    tag: str
    health_path: str
    profile: str | None
    """The AWS profile that `--cloud aws` uses; None: the SDK's own choice."""
    variables: Mapping[str, object]
    """Terraform variables, as `[environments.<name>.variables]` gives them."""
    file: Path

    def terraform_variables(self) -> dict[str, object]:
        """Return every variable that Terraform is given: what this file says anyway, then `variables`."""
        return {
            "name": self.project,
            "environment": self.name,
            "account_id": self.account,
            "region": self.region,
            "repository_name": self.repository,
            "task_family": self.task_family,
            "container_name": self.container,
            "health_check_path": self.health_path,
            "image_tag": self.tag,
            **self.variables,
        }

    @property
    def lock_id(self) -> str:
        """What the environment's lock is called in the table of locks."""
        return f"{self.project}-{self.name}"

    def tags(self) -> dict[str, str]:
        """Return the tags that tell what the environment's Terraform made from everything else."""
        given = self.terraform_variables()
        return {"Project": str(given["name"]), "Environment": str(given["environment"]), "ManagedBy": "terraform"}


@dataclass(frozen=True, slots=True)
class Project:
    """A `miyabi.toml`."""

    name: str
    default_environment: str
    environments: Mapping[str, Environment]
    file: Path

    def environment(self, name: str | None = None) -> Environment:
        """Return an environment; the default one when no name is given."""
        wanted = name or self.default_environment
        if wanted not in self.environments:
            raise InvalidInput(
                f"environment '{wanted}' not found in {self.file}",
                hint=suggestion(wanted, list(self.environments)) or f"It has: {', '.join(self.environments)}.",
            )
        return self.environments[wanted]


class _EnvironmentTable(msgspec.Struct, frozen=True):
    account: str
    region: str
    terraform: str
    cluster: str | None = None
    service: str | None = None
    container: str | None = None
    task_family: str | None = None
    log_group: str | None = None
    load_balancer: str | None = None
    target_group: str | None = None
    repository: str | None = None
    image_parameter: str | None = None
    database: str | None = None
    cache: str | None = None
    database_password_secret: str | None = None
    jwt_secret: str | None = None
    api_keys_secret: str | None = None
    lock_table: str | None = None
    audit_log_group: str | None = None
    low_tasks_alarm: str | None = None
    image: str | None = None
    tag: str = "v1.0.0"
    health_path: str = "/health"
    profile: str | None = None
    variables: dict[str, Any] = {}


class _FileTable(msgspec.Struct, frozen=True):
    project: str
    environments: dict[str, dict[str, Any]]
    default_environment: str | None = None


def find_project(file: str | None, *, start: Path, environ: Mapping[str, str]) -> Path:
    """Return the file to read: the one named, else MIYABI_FILE, else the nearest one upwards from `start`."""
    named = file or environ.get("MIYABI_FILE")
    if named:
        path = (start / named).absolute()
        if not path.is_file():
            raise NotFound(f"{path} does not exist", hint="`miyabi init` writes a new miyabi.toml.")
        return path
    for directory in (start, *start.parents):
        if (directory / FILE_NAME).is_file():
            return directory / FILE_NAME
    raise NotFound(
        f"no {FILE_NAME} in {start} or above it",
        hint="`miyabi init` writes one; `--file` or MIYABI_FILE names one elsewhere.",
    )


def load_project(path: Path) -> Project:
    """Read a `miyabi.toml`; `InvalidInput` names the file and the key that is wrong."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", hint="Mend its permissions.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: not TOML: {error}", hint="Mend the line that it names; " + _SEE) from error
    table = _decode(path, "", raw, _FileTable)
    if not table.environments:
        raise InvalidInput(f"{path}: no [environments.<name>] table", hint="Add one, for instance [environments.dev].")
    _check(path, "project", table.project, _NAME, "lower-case letters, digits and hyphens (at most 24)")
    environments = {
        name: _environment(path, table.project, name, values) for name, values in table.environments.items()
    }
    default = table.default_environment or next(iter(environments))
    if default not in environments:
        raise InvalidInput(
            f"{path}: default_environment: there is no [environments.{default}]",
            hint=suggestion(default, list(environments)) or f"It has: {', '.join(environments)}.",
        )
    return Project(table.project, default, environments, path)


def suggestion(wanted: str, known: list[str]) -> str | None:
    """Return "Did you mean 'x'?" where a known word is close."""
    close = get_close_matches(wanted, known, n=1)
    return f"Did you mean '{close[0]}'?" if close else None


def _environment(path: Path, project: str, name: str, values: dict[str, Any]) -> Environment:
    where = f"environments.{name}"
    table = _decode(path, where, values, _EnvironmentTable)
    _check(path, where, name, _NAME, "a name of lower-case letters, digits and hyphens (at most 24)")
    _check(path, f"{where}.account", table.account, _ACCOUNT, "twelve digits")
    _check(path, f"{where}.region", table.region, _REGION, "a region such as us-west-2")
    _check(path, f"{where}.tag", table.tag, _TAG, "letters, digits and . _ - (at most 128)")
    if not table.health_path.startswith("/"):
        raise InvalidInput(
            f"{path}: {where}.health_path: '{table.health_path}' does not start with /",
            hint='For instance health_path = "/health".',
        )
    base = path.parent
    return Environment(
        project=project,
        name=name,
        account=table.account,
        region=table.region,
        terraform=_absolute(base, table.terraform),
        cluster=table.cluster or f"{project}-cluster-{name}",
        service=table.service or f"{project}-service-{name}",
        container=table.container or f"{project}-app",
        task_family=table.task_family or f"{project}-app-{name}",
        log_group=table.log_group or f"/ecs/{project}-{name}",
        load_balancer=table.load_balancer or f"{project}-alb-{name}",
        target_group=table.target_group or f"{project}-tg-{name}",
        repository=table.repository or f"{project}-web-api",
        image_parameter=table.image_parameter or f"/{project}/{name}/image",
        database=table.database or f"{project}-db-{name}",
        cache=table.cache or f"{project}-cache-{name}",
        database_password_secret=table.database_password_secret or f"{project}/{name}/database-password",
        jwt_secret=table.jwt_secret or f"{project}/{name}/jwt-secret",
        api_keys_secret=table.api_keys_secret or f"{project}/{name}/api-keys",
        lock_table=table.lock_table or f"{project}-lock-{name}",
        audit_log_group=table.audit_log_group or f"/{project}/{name}/audit",
        low_tasks_alarm=table.low_tasks_alarm or f"{project}-service-low-tasks-{name}",
        image=_absolute(base, table.image) if table.image else None,
        tag=table.tag,
        health_path=table.health_path,
        profile=table.profile,
        variables=table.variables,
        file=path,
    )


def _absolute(base: Path, path: str) -> Path:
    return Path(os.path.normpath(base / Path(path).expanduser()))


def _check(path: Path, key: str, value: str, pattern: re.Pattern[str], wanted: str) -> None:
    if not pattern.fullmatch(value):
        raise InvalidInput(f"{path}: {key}: '{value}' is not {wanted}", hint=_SEE)


_Table = type[_FileTable] | type[_EnvironmentTable]


def _decode(path: Path, where: str, values: dict[str, Any], table: _Table) -> Any:
    known = list(table.__struct_fields__)
    prefix = f"{where}." if where else ""
    for key in values:
        if key not in known:
            raise InvalidInput(
                f"{path}: unknown key '{prefix}{key}'",
                hint=suggestion(key, known) or f"Known keys: {', '.join(known)}.",
            )
    try:
        return msgspec.convert(values, table, strict=True)
    except msgspec.ValidationError as error:
        complaint = in_words(error)
        what = f"'{prefix}{complaint.key}'" if complaint.key else f"'{where}'" if where else "it"
        raise InvalidInput(f"{path}: {what} {complaint.reason}", hint=_SEE) from error
