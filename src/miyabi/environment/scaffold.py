"""What `miyabi init` writes into a user's repository: miyabi.toml, the image's manifest, the Terraform, a pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import miyabi
from miyabi.model.errors import Conflict, InvalidInput, NotFound

TERRAFORM = "infrastructure/terraform"
WORKFLOW = ".github/workflows/deploy.yml"
_IGNORED = (".terraform", ".terraform.lock.hcl")
_GITIGNORE = ".terraform/\n.terraform.lock.hcl\nterraform.tfstate*\n*.tfplan\n"


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What a new miyabi.toml says."""

    project: str
    account: str = "112530848482"
    region: str = "us-west-2"
    environment: str = "dev"
    terraform: str = f"{TERRAFORM}/environments/dev"
    image: str | None = "image.toml"
    tag: str = "v1.0.0"
    health_path: str = "/health"
    port: int = 8080
    names: Mapping[str, str | None] = field(default_factory=dict)
    """Names that differ from the derived ones, by key; None: there is no such part."""


def miyabi_toml(scaffold: Scaffold) -> str:
    """Return the annotated miyabi.toml."""
    project, environment = scaffold.project, scaffold.environment
    derived = {
        "cluster": f"{project}-cluster-{environment}",
        "service": f"{project}-service-{environment}",
        "container": f"{project}-app",
        "task_family": f"{project}-app-{environment}",
        "log_group": f"/ecs/{project}-{environment}",
        "load_balancer": f"{project}-alb-{environment}",
        "target_group": f"{project}-tg-{environment}",
        "repository": f"{project}-web-api",
        "image_parameter": f"/{project}/{environment}/image",
        "database": f"{project}-db-{environment}",
        "cache": f"{project}-cache-{environment}",
        "database_password_secret": f"{project}/{environment}/database-password",
        "jwt_secret": f"{project}/{environment}/jwt-secret",
        "api_keys_secret": f"{project}/{environment}/api-keys",
        "lock_table": f"{project}-lock-{environment}",
        "audit_log_group": f"/{project}/{environment}/audit",
        "low_tasks_alarm": f"{project}-service-low-tasks-{environment}",
    }
    words = {key: _key(key, scaffold.names.get(key), name) for key, name in derived.items()}
    words |= {
        "image": _key("image", scaffold.image, "image.toml"),
        "variables": _variables(environment, scaffold.port),
        "project": project,
        "environment": environment,
        "account": scaffold.account,
        "region": scaffold.region,
        "terraform": scaffold.terraform,
        "tag": scaffold.tag,
        "health_path": scaffold.health_path,
    }
    return _fill("miyabi.toml", words)


def image_toml(scaffold: Scaffold) -> str:
    """Return an annotated image manifest to start from."""
    return _fill("image.toml", {"project": scaffold.project, "port": str(scaffold.port)})


def workflow(scaffold: Scaffold) -> bytes:
    """Return the workflow for GitHub Actions that plans, builds, pushes and deploys."""
    words = {"region": scaffold.region, "environment": scaffold.environment, "terraform": scaffold.terraform}
    return _fill("deploy.yml", words).encode()


def write_files(directory: Path, contents: Mapping[str, bytes], *, force: bool) -> None:
    """Write files below a directory; all or, where one of them is there already and not `force`, none."""
    there = [name for name in contents if (directory / name).exists()]
    if there and not force:
        what = f"{directory / there[0]} exists"
        if len(there) > 1:
            what = f"{directory / there[0]} and {len(there) - 1} more files exist"
        raise Conflict(f"{what} already", hint="`--force` overwrites what is there.")
    for name, content in contents.items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise InvalidInput(
                f"{path} cannot be written: {error.strerror}", hint="Run it in a directory where you may write."
            ) from error


def terraform_files() -> dict[str, bytes]:
    """Return the Terraform that Miyabi carries, by path below the repository."""
    found = {f"{TERRAFORM}/{name}": content for name, content in _walk(_terraform_source(), "")}
    return {**found, f"{TERRAFORM}/.gitignore": _GITIGNORE.encode()}


def _terraform_source() -> Traversable:
    carried = files("miyabi") / "_terraform"
    if carried.is_dir():
        return carried
    # An editable installation: the Terraform is where it is written.
    checkout = Path(miyabi.__file__).parents[2] / TERRAFORM
    if checkout.is_dir():
        return checkout
    raise NotFound("this installation of Miyabi carries no Terraform", hint="Install the wheel: pip install miyabi")


def _walk(place: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
        if entry.name in _IGNORED or entry.name.startswith("terraform.tfstate") or entry.name.endswith(".tfvars"):
            continue  # somebody's own
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _key(key: str, value: str | None, derived: str) -> str:
    if value is None:
        return f"# {key} = {json.dumps(derived)}"
    return f"{key} = {json.dumps(value)}"


def _variables(environment: str, port: int) -> str:
    table = f"[environments.{environment}.variables]"
    return f"# {table}\n# task_memory = 2048" if port == 8080 else f"{table}\ncontainer_port = {port}"


def _fill(template: str, words: Mapping[str, str]) -> str:
    text = (files("miyabi.environment") / "templates" / template).read_text(encoding="utf-8")
    for name, value in words.items():
        text = text.replace(f"@{name}@", value)
    return text.rstrip() + "\n"
