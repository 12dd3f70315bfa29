"""What Terraform's errors mean to the user. They have no codes: this alone knows their words."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from miyabi.environment.terraform.events import Diagnostic
from miyabi.model.errors import Conflict, Denied, Failed, InvalidInput, MiyabiError, Unavailable

_MEND_VARIABLE = "Mend it under [environments.<name>.variables] in miyabi.toml, or in the *.tfvars that sets it."

_MIRRORS = (
    "MIYABI_TERRAFORM_MIRROR names a directory that holds the provider; `miyabi doctor` shows which mirrors there are."
)

_WRONG_CLOUD = r"\nWorkspace '[^']*' is for |\nAccount \d{12} answers, but account_id is "
_PRECONDITION = r"^Resource precondition failed"
_VARIABLE = r"Invalid value for (input )?variable|No value for required variable|Invalid number literal"
_LOCKED = r"Error acquiring the state lock"
_NO_PROVIDER = (
    r"Failed to query available provider packages|Failed to install provider|Failed to resolve provider"
    r"|Could not retrieve the list of available versions|Incompatible provider version"
)
_NOT_INITIALISED = (
    r"Backend initialization required|Module not installed|Required plugins are not installed"
    r"|Inconsistent dependency lock file|Module source has changed|Backend configuration changed"
    r"|Initialization required"
)
_NO_CREDENTIALS = (
    r"No valid credential sources|ExpiredToken|InvalidClientTokenId|SignatureDoesNotMatch"
    r"|failed to refresh cached credentials|UnrecognizedClientException"
)
_NOT_ALLOWED = r"AccessDenied|UnauthorizedOperation|is not authorized to perform"
_NOT_REACHED = r"connection refused|no such host|i/o timeout|request send failed"

_EXISTS = (
    r"already exists|EntityAlreadyExists|AlreadyExistsException|ParameterAlreadyExists"
    r"|Creation of service was not idempotent"
)

_RULES: tuple[tuple[str, type[MiyabiError], str], ...] = (
    (_WRONG_CLOUD, Conflict, "Mend what it names, then run the command again."),
    (_PRECONDITION, InvalidInput, _MEND_VARIABLE),
    (_VARIABLE, InvalidInput, _MEND_VARIABLE),
    (_LOCKED, Conflict, "Another terraform works on this state: wait until it has ended, then try again."),
    (_NO_PROVIDER, Unavailable, _MIRRORS),
    (_NOT_INITIALISED, Unavailable, "Run the command again: it initialises the directory first."),
    (_NO_CREDENTIALS, Denied, "Check the profile and its credentials: aws sts get-caller-identity."),
    (_NOT_ALLOWED, Denied, "Ask for the permission that it names."),
    (_NOT_REACHED, Unavailable, "`miyabi status` says whether the cloud answers; then try again."),
    (r"Unsupported Terraform Core version", InvalidInput, "MIYABI_TERRAFORM names another terraform to use."),
)


@dataclass(frozen=True, slots=True)
class Existing:
    """A resource that Terraform was to create and that is there already."""

    address: str
    name: str


class AlreadyExists(Conflict):
    """What the configuration wants is there, but the state does not know it."""

    def __init__(self, message: str, *, hint: str, resources: tuple[Existing, ...]) -> None:
        super().__init__(message, hint=hint)
        self.resources = resources


def failure_of(
    errors: Sequence[Diagnostic], *, operation: str, resume: str, text: str = "", exit_code: int = 1
) -> MiyabiError:
    """Return the error that a failed run is reported as: its first diagnostic, in one line."""
    if not errors:
        last = text.strip().splitlines()[-1:] or [_ending(exit_code)]
        return Failed(f"terraform {operation} failed: {last[0]}", hint=resume)
    existing = tuple(one for error in errors if (one := _existing(error)))
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    message = f"terraform {operation}: {_line(first)}{more}"
    if existing:
        hint = f"`miyabi terraform import '{existing[0].address}' <id>` takes it over; or delete it."
        return AlreadyExists(message, hint=hint, resources=existing)
    text = f"{first.summary}\n{first.detail}"
    if operation == "init" and re.search(_NO_PROVIDER, text):
        return Unavailable(f"terraform init: {_no_provider(first)}", hint=_MIRRORS)
    for pattern, kind, hint in _RULES:
        if re.search(pattern, text):
            return kind(message, hint=hint)
    if first.address is None and first.location is not None:
        return InvalidInput(message, hint="Mend the configuration there: `miyabi terraform validate` checks it.")
    return Failed(message, hint=resume)


def _existing(error: Diagnostic) -> Existing | None:
    """Read address and name: `ELBv2 Load Balancer (miyabi-alb-dev) already exists`."""
    name = re.search(r"\(([^()]+)\)", error.summary)
    if error.address is None or name is None or not re.search(_EXISTS, f"{error.summary}\n{error.detail}"):
        return None
    return Existing(error.address, name[1])


def _no_provider(error: Diagnostic) -> str:
    """Say in a few words what Terraform says in ten lines."""
    text = " ".join(f"{error.summary} {error.detail}".split())
    provider = re.search(r"provider ([a-z0-9.-]+(?:/[A-Za-z0-9_.-]+){1,2})", text)
    what = f"provider {provider[1].rstrip('.:')}" if provider else "a provider"
    reached = not re.search(r"could not connect|failed to request|no such host|i/o timeout|refused|dial tcp", text)
    return f"{what} is in no mirror of this machine, and its registry " + (
        "has no version of it that fits" if reached else "cannot be reached"
    )


def _ending(exit_code: int) -> str:
    if exit_code < 0:
        return f"it was killed ({signal.Signals(-exit_code).name})"
    return f"exit code {exit_code}"


def _line(diagnostic: Diagnostic) -> str:
    where = diagnostic.address or diagnostic.location
    detail = diagnostic.detail.split("\n\nThis was checked by the validation rule")[0]
    if diagnostic.summary == "Error acquiring the state lock":
        who = re.search(r"Who:\s*(\S+)[\s\S]*?Created:\s*(\S+ \S{8})", detail)
        detail = f"held by {who[1]} since {who[2]} UTC" if who else ""
    code = diagnostic.code if diagnostic.code and "\n" not in diagnostic.code and "=" in diagnostic.code else ""
    words = " ".join(f"{diagnostic.summary} {f'`{code}`' if code else ''}: {detail}".split()).rstrip(": .")
    words = words.replace(" : ", ": ")
    if len(words) > 400:
        words = words[:400].rsplit(" ", 1)[0] + " …"
    return f"{where}: {words}" if where else words
