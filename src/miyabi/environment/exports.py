"""The variables that point `aws`, `terraform` and every AWS SDK at the local cloud, and at nothing else."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from miyabi.environment.cloud import Target
from miyabi.environment.home import Home, write_private

SAVED = "MIYABI_ENV_SAVED"
"""Holds what `--unset` puts back."""

# Set elsewhere, these would send a call or its credentials somewhere else.
_LEAKS = (
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "TF_CLI_CONFIG_FILE",
    "TF_DATA_DIR",
    "TF_WORKSPACE",
)
_ENDPOINT_PREFIX = "AWS_ENDPOINT_URL_"
ARGUMENTS = "TF_CLI_ARGS"
"""How the variables begin that add arguments to terraform's commands: a stray one changes what an apply does."""
_NOT_PROXIED = ("127.0.0.1", "127.0.0.0/8", "localhost")


@dataclass(frozen=True, slots=True)
class Exports:
    """Variables to set and to remove."""

    values: Mapping[str, str]
    removed: tuple[str, ...]
    path: Path | None = None
    """A directory to put in front of PATH."""

    def applied_to(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a program that is to speak to this cloud."""
        kept = {name: value for name, value in environ.items() if name not in self.removed}
        return {**kept, **self.values}

    def shell(self, environ: Mapping[str, str]) -> str:
        """Return the lines that a shell evaluates."""
        saved = {name: environ.get(name) for name in (*self.values, *self.removed)}
        note = json.dumps({"values": saved, "path": str(self.path) if self.path else None})
        lines = [f"unset {name}" for name in self.removed if name in environ]
        lines += [_export(name, value) for name, value in self.values.items()]
        lines.append(_export(SAVED, note))
        if self.path:
            lines.append(_export("PATH", f"{self.path}{os.pathsep}{environ.get('PATH', os.defpath)}"))
        return "\n".join(lines)


def original(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as it was before `miyabi env` was evaluated in it."""
    restored = dict(environ)
    note = restored.pop(SAVED, None)
    if note is None:
        return restored
    try:
        saved = json.loads(note)
        values, path = dict(saved["values"]), saved["path"]
    except (ValueError, KeyError, TypeError):
        return restored
    for name, value in values.items():
        restored.pop(name, None)
        if value is not None:
            restored[name] = value
    if path:
        parts = [part for part in restored.get("PATH", "").split(os.pathsep) if part != path]
        restored["PATH"] = os.pathsep.join(parts)
    return restored


def shell_unset(environ: Mapping[str, str]) -> str:
    """Return the lines that undo `miyabi env` in a shell; none where it was not evaluated."""
    before = original(environ)
    lines = [f"unset {name}" for name in sorted(environ) if name not in before]
    lines += [_export(name, value) for name, value in sorted(before.items()) if environ.get(name) != value]
    return "\n".join(lines)


def aws_exports(target: Target, home: Home, *, profile: str, environ: Mapping[str, str]) -> Exports:
    """Return the variables for AWS's SDKs and command line. The files that they name: `write_aws_files`."""
    values = {
        "AWS_CONFIG_FILE": str(home.aws / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home.aws / "credentials"),
        "AWS_PROFILE": profile,
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if target.endpoint:
        values["AWS_ENDPOINT_URL"] = target.endpoint
    if target.keys:
        values["AWS_ACCESS_KEY_ID"] = target.keys.access_key
        values["AWS_SECRET_ACCESS_KEY"] = target.keys.secret_key
    for name in ("NO_PROXY", "no_proxy"):
        values[name] = _not_proxied(environ.get(name) or environ.get("NO_PROXY") or environ.get("no_proxy") or "")
    foreign = [name for name in environ if name.startswith((_ENDPOINT_PREFIX, ARGUMENTS))]
    return Exports(values, tuple(sorted({*_LEAKS, *foreign})))


def with_values(exports: Exports, more: Mapping[str, str], *, path: Path | None = None) -> Exports:
    """Return exports with more variables, which are then no longer removed."""
    values = {**exports.values, **more}
    return Exports(values, tuple(name for name in exports.removed if name not in values), path or exports.path)


def write_aws_files(target: Target, home: Home, *, profile: str) -> None:
    """Write AWS's configuration and credentials files: the profile, and the same as the default."""
    settings = [f"region = {target.region}", "output = json"]
    if target.endpoint:
        settings.append(f"endpoint_url = {target.endpoint}")
    sections = [f"[{name}]\n" + "\n".join(settings) + "\n" for name in ("default", f"profile {profile}")]
    write_private(home.aws / "config", "\n".join(sections).encode())
    if target.keys:
        access, secret = target.keys.access_key, target.keys.secret_key
        keys = f"aws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
        sections = [f"[{name}]\n{keys}" for name in ("default", profile)]
        write_private(home.aws / "credentials", "\n".join(sections).encode())


def _export(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _not_proxied(value: str) -> str:
    parts = [part.strip() for part in value.split(",") if part.strip()]
    return ",".join([*parts, *(part for part in _NOT_PROXIED if part not in parts)])
